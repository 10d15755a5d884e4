import { Arm64Context, type Arm64Mm, type ContextId } from '../../../impl/kernel/arm64/index.ts';
import { LEAKED, UNPINNED, type RolloverHazard } from './hazard.ts';

class ForgetsPinned extends Arm64Context {
  protected override set_reserved_asid_bits(): void {
    this.asidMap.value = this.userHalves();
  }
}

class PinsInherited extends Arm64Context {
  override init_new_context(mm: Arm64Mm): void {
    mm.id.value = 0;
  }
}

class PinnedFirst extends Arm64Context {
  protected override keep(mm: Arm64Mm, id: ContextId, renewed: ContextId): ContextId {
    return mm.pinned.value === 0 ? super.keep(mm, id, renewed) : renewed;
  }
}

class NoLimit extends Arm64Context {
  protected override maxPinned(): number {
    return this.layout.asids;
  }
}

class LimitByOne extends Arm64Context {
  protected override maxPinned(): number {
    return super.maxPinned() + 1;
  }
}

class CountStays extends Arm64Context {
  protected override unpin(asid: number): void {
    super.unpin(asid);
    this.pinnedCount.value++;
  }
}

class EveryPutUnpins extends Arm64Context {
  protected override lookAtPins(mm: Arm64Mm): 'pinned' | 'no' | 'new' {
    const found = super.lookAtPins(mm);
    if (found === 'pinned') mm.pinned.value = 1;
    return found;
  }
}

class PinnedNotKept extends Arm64Context {
  protected override keep(mm: Arm64Mm, id: ContextId, renewed: ContextId): ContextId {
    const pinned = mm.pinned.value;
    mm.pinned.value = 0;
    const kept = super.keep(mm, id, renewed);
    mm.pinned.value = pinned;
    return kept;
  }
}

const COMMIT = 'commit 48118151d8cc, "arm64: mm: Pin down ASIDs for sharing mm with devices", Linux 5.10';

/** Mistakes about ASIDs that devices use. */
export const PINNED_HAZARDS: readonly RolloverHazard[] = [
  {
    id: 'rollover-ignores-pinned',
    title: 'a roll-over clears asid_map without the pinned ASIDs',
    citation: `set_reserved_asid_bits(), ${COMMIT}`,
    story: 'The process that devices use does not run at the roll-over, and its ASID goes to another one.',
    expected: UNPINNED,
    parts: { context: ForgetsPinned },
  },
  {
    id: 'rollover-pinned-not-kept',
    title: 'new_context() does not look whether the ASID is pinned',
    citation: `new_context(), "If it is pinned, we can keep using it", ${COMMIT}`,
    story: 'The bit of the pinned ASID is taken after a roll-over, by the process itself; it gets another one.',
    expected: UNPINNED,
    parts: { context: PinnedNotKept },
  },
  {
    id: 'rollover-pinned-before-reserved',
    title: 'new_context() looks at the pin before it looks at the reserved ASIDs',
    citation:
      'new_context(), Linux 6.1, "reserved takes priority, because even if it is also pinned, we need to update the generation into the reserved_asids"',
    story:
      'The process runs on a CPU that does not switch, reserved under an old generation. When it is unpinned, the next roll-over keeps the old id, the process is not found under it, and gets another ASID.',
    expected: UNPINNED,
    parts: { context: PinnedFirst },
  },
  {
    id: 'rollover-pinned-inherited',
    title: 'a forked process inherits the pin of its parent',
    citation: 'init_new_context(), asm/mmu_context.h, Linux 6.1: refcount_set(&mm->context.pinned, 0)',
    story:
      'The child counts as pinned, but its ASID is not in pinned_asid_map: after a roll-over it keeps what another process has got.',
    expected: UNPINNED,
    parts: { context: PinsInherited },
  },
  {
    id: 'rollover-pinned-no-limit',
    title: 'as many ASIDs are pinned as there are',
    citation: 'asids_update_limit(), Linux 6.1, "There must always be an ASID available after rollover"',
    story:
      'With a reserved ASID for each CPU and the pinned ones none is left: the one taken is behind the end of the map.',
    expected: [{ monitor: 'tags', rule: 'no-free-asid' }, ...UNPINNED],
    parts: { context: NoLimit },
  },
  {
    id: 'rollover-pinned-limit-by-one',
    title: 'one ASID more is pinned than leaves room after a roll-over',
    citation:
      'asids_update_limit(), Linux 6.1: max_pinned_asids = num_available_asids - num_possible_cpus() - 2, for ASID 0 and for the one asked for',
    story:
      'Every CPU runs a process that is not pinned, and the one that asks for an ASID finds none, though it begins a generation.',
    expected: [{ monitor: 'tags', rule: 'no-free-asid' }, ...UNPINNED],
    parts: { context: LimitByOne },
  },
  {
    id: 'rollover-unpin-keeps-count',
    title: 'an ASID that no device uses any more counts as pinned',
    citation: 'arm64_mm_context_put(), Linux 5.10 and later: nr_pinned_asids-- with the last reference',
    story:
      'Nothing is wrong with any ASID, but after as many devices as may be there, no process can be shared with one.',
    expected: [LEAKED],
    parts: { context: CountStays },
  },
  {
    id: 'rollover-pin-not-counted',
    title: 'a second device does not count',
    citation: 'arm64_mm_context_get(), Linux 6.1: refcount_inc_not_zero(&mm->context.pinned)',
    story: 'The first device that goes takes the pin of the other with it.',
    expected: UNPINNED,
    parts: { context: EveryPutUnpins },
  },
];
