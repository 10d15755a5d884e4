import { Arm64Context, Arm64Tlbflush, type Arm64Tlbi } from '../../../impl/kernel/arm64/index.ts';
import { REACHED, SPLIT_PAIR, UNPINNED, type RolloverHazard } from './hazard.ts';

class KernelHalfOnly extends Arm64Tlbflush {
  protected override halves(instruction: Arm64Tlbi): readonly Arm64Tlbi[] {
    return [instruction];
  }
}

class UserHalfOnly extends Arm64Tlbflush {
  protected override halves(instruction: Arm64Tlbi): readonly Arm64Tlbi[] {
    return super.halves(instruction).slice(-1);
  }
}

class OddOnesToo extends Arm64Context {
  protected override set_reserved_asid_bits(): void {
    super.set_reserved_asid_bits();
    this.asidMap.value &= ~this.userHalves();
  }
}

class LimitOfHalves extends Arm64Context {
  protected override maxPinned(): number {
    const { asids, cpus, kpti } = this.layout;
    return kpti === true ? 2 * (asids + 1) - cpus - 2 : super.maxPinned();
  }
}

class PinsKernelHalf extends Arm64Context {
  protected override deviceAsid(asid: number): number {
    return asid;
  }
}

class OneForBoth extends Arm64Context {
  override userAsid(asid: number): number {
    return asid;
  }
}

const COMMIT = '"arm64: mm: Invalidate both kernel and user ASIDs when performing TLBI", Linux 4.16';

/** Mistakes about kernel page-table isolation, under which a process has an even ASID and the odd one after it. */
export const KPTI_HAZARDS: readonly RolloverHazard[] = [
  {
    id: 'kpti-tlbi-kernel-half-only',
    title: 'with KPTI an invalidation names the even ASID only',
    citation: `__tlbi_user(), asm/tlbflush.h, Linux 6.1; commit ${COMMIT}`,
    story: 'What the process has used itself is under the odd ASID, and stays.',
    expected: REACHED,
    parts: { tlbflush: KernelHalfOnly },
  },
  {
    id: 'kpti-tlbi-user-half-only',
    title: 'with KPTI an invalidation names the odd ASID only',
    citation: `__tlbi(), asm/tlbflush.h, Linux 6.1; commit ${COMMIT}`,
    story: 'The kernel reaches pages of the process too, under the even ASID: what it has used stays.',
    expected: REACHED,
    parts: { tlbflush: UserHalfOnly },
  },
  {
    id: 'kpti-rollover-odd-ones-free',
    title: 'with KPTI a roll-over leaves the odd ASIDs free',
    citation:
      'set_reserved_asid_bits() and asids_update_limit(), Linux 6.1: set_kpti_asid_bits(pinned_asid_map), which is copied at each roll-over',
    story:
      'The odd ASID is given to a process, as that of its own pair, while another one runs under it as its second one.',
    expected: SPLIT_PAIR,
    parts: { context: OddOnesToo },
  },
  {
    id: 'kpti-pinned-limit-of-halves',
    title: 'with KPTI as many ASIDs may be pinned as if every number was one',
    citation: 'asids_update_limit(), Linux 6.1: num_available_asids /= 2 if arm64_kernel_unmapped_at_el0()',
    story: 'There are half as many pairs as numbers: with enough pinned ones none is left after a roll-over.',
    expected: [{ monitor: 'tags', rule: 'no-free-asid' }, ...UNPINNED],
    parts: { context: LimitOfHalves },
  },
  {
    id: 'kpti-one-asid-for-both',
    title: 'with KPTI a process runs under the ASID of the kernel',
    citation:
      'tramp_unmap_kernel, arch/arm64/kernel/entry.S, Linux 4.16 and later: USER_ASID_FLAG is set on the way to EL0',
    story:
      'What the kernel has in the TLB is under an ASID that is current while the process runs: isolation is in vain.',
    expected: SPLIT_PAIR,
    parts: { context: OneForBoth },
  },
  {
    id: 'kpti-pins-kernel-half',
    title: 'with KPTI a device is given the even ASID',
    citation: 'arm64_mm_context_get(), Linux 5.10 and later, "Set the equivalent of USER_ASID_BIT"',
    story: 'The process runs under the odd ASID, and the device under another one, that of the kernel.',
    expected: UNPINNED,
    parts: { context: PinsKernelHalf },
  },
];
