import { step, type Task } from '../../../engine/step.ts';
import { Arm64Context, Arm64Tlbflush, type Arm64MmContext, type Arm64Tlbi } from '../../../impl/kernel/arm64/index.ts';
import { BtmConfigWriter, BtmDriver, BtmMm, BtmSva } from '../../../impl/kernel/btm/index.ts';
import {
  ArmSmmuTlb,
  type Command,
  type EntryChange,
  type Master,
  type Mm,
  type Space,
  type TlbRange,
} from '../../../impl/kernel/index.ts';
import {
  COMMAND_TLBI,
  extract,
  IDR0,
  OPCODE,
  patch,
  REGISTER,
  STE,
  STREAM_WORLD,
} from '../../../model/architecture/arm/layout/index.ts';
import type { SmmuPort } from '../../../impl/platform/index.ts';
import { MISSED, MIXED_UP, NOT_THAT_OF_CPUS, type SvaHazard } from './hazard.ts';

class EveryAsidPrivate extends BtmConfigWriter {
  override spaceCd(space: Space, asid: number, _private: boolean, begin?: () => void): EntryChange {
    return super.spaceCd(space, asid, true, begin);
  }
}

class AsidOfItsOwn extends BtmSva {
  override *arm_smmu_alloc_shared_cd(mm: Mm): Task<number> {
    const { kernel } = this;
    if ((yield* kernel.context.arm64_mm_context_get(mm)) === 0) return 0;
    yield* kernel.asidLock.lock();
    const shared = yield* mm.cd.load();
    if (shared !== 0) {
      yield* this.takeSharedCd(mm, kernel.sharedCds.at(shared));
      yield* kernel.asidLock.unlock();
      yield* kernel.context.arm64_mm_context_put(mm);
      return shared;
    }
    const free = Array.from({ length: kernel.config.asidMax }, (_, at) => at + 1);
    const asid = yield* step('xa_alloc', () => free.find((number) => kernel.asids.owner(number) === 0) ?? 0, String);
    const cd = asid === 0 ? 0 : yield* this.insertSharedCd(mm, asid);
    yield* kernel.asidLock.unlock();
    if (cd === 0) yield* this.out_put_context(mm);
    return cd;
  }
}

class KernelHalf extends Arm64Context {
  override *arm64_mm_context_get(mm: Arm64MmContext): Task<number> {
    const asid = yield* super.arm64_mm_context_get(mm);
    return this.layout.kpti === true ? asid & ~1 : asid;
  }
}

class KernelHalfOnly extends Arm64Tlbflush {
  protected override halves(instruction: Arm64Tlbi): readonly Arm64Tlbi[] {
    return [instruction];
  }
}

class LeavesPtmSet extends BtmDriver {
  override takesBroadcasts(port: SmmuPort): boolean {
    super.takesBroadcasts(port);
    return false;
  }
}

class FlagOfAnotherSmmu extends BtmDriver {
  protected override probeBtm(): boolean {
    return this.kernel.config.btm === true;
  }
}

class LocalTlbflush extends Arm64Tlbflush {
  override tlbi(cpu: number, instruction: Arm64Tlbi) {
    const broadcast = super.tlbi(cpu, instruction);
    return step(broadcast.label.replace('IS', ''), () => {
      for (const each of this.halves(instruction)) this.cpu.tlbi(cpu, each, false);
      return undefined;
    });
  }
}

class El2OfTheSmmu extends BtmDriver {
  override runsAtEl2(port: SmmuPort): boolean {
    return extract(IDR0.fields.HYP, port.readRegister(REGISTER.IDR0), 0) === 1;
  }
}

class El2Entries extends BtmConfigWriter {
  override stage1Ste(master: Master): EntryChange {
    const change = super.stage1Ste(master);
    return { ...change, target: (current) => patch(STE, change.target(current), { STRW: STREAM_WORLD.EL2 }) };
  }
}

class El2Commands extends ArmSmmuTlb {
  override asidCommand(asid: number): Command {
    return el2(super.asidCommand(asid), OPCODE.TLBI_EL2_ASID);
  }

  override arm_smmu_tlb_inv_range(asid: number, range: TlbRange): Command[] {
    return super.arm_smmu_tlb_inv_range(asid, range).map((command) => el2(command, OPCODE.TLBI_EL2_VA));
  }
}

/** The command of EL2 that does what one of EL1 does. */
function el2({ label, lanes }: Command, opcode: number): Command {
  return { label: label.replace('TLBI_NH', 'TLBI_EL2'), lanes: patch(COMMAND_TLBI, lanes, { Opcode: opcode }) };
}

class NothingForAtc extends BtmMm {
  override *arm_smmu_mm_invalidate_range(mm: Mm, start: number, size: number): Task {
    if (this.kernel.driver.features.btm) yield* this.leaveOut(mm, start);
    else yield* super.arm_smmu_mm_invalidate_range(mm, start, size);
  }
}

class AtcFirst extends NothingForAtc {
  protected override *tlb_flush(mm: Mm, va: number, tables: boolean): Task {
    if (this.kernel.driver.features.btm) yield* this.kernel.ats.arm_smmu_atc_inv_domain(mm, va);
    yield* super.tlb_flush(mm, va, tables);
  }
}

class AtcKeptAtUnbind extends BtmSva {
  protected override *arm_smmu_atc_inv_domain(): Task {
    // The context descriptor is gone, so the device gets no more answers.
  }
}

const SKIPPED = 'arm_smmu_mm_invalidate_range(), Linux 5.12 to 6.8: no CMD_TLBI if ARM_SMMU_FEAT_BTM is set';

/** Mistakes about which broadcasts an SMMU hears: commands are left out, and nothing else takes the entry away. */
export const LISTENING_HAZARDS: readonly SvaHazard[] = [
  {
    id: 'btm-shared-cd-private',
    title: 'the context descriptor of a process has ASET = 1',
    citation: `arm_smmu_write_ctx_desc(), Linux 6.1: "(cd->mm ? 0 : CTXDESC_CD_0_ASET)"; ${SKIPPED}`,
    story:
      'Entries of the process opt out of broadcasts by ASID (IHI 0070 §3.17). munmap broadcasts and sends no command: the device goes on reaching the page.',
    expected: MISSED,
    parts: { configWriter: EveryAsidPrivate },
  },
  {
    id: 'btm-asid-not-pinned',
    title: 'the context descriptor of a process has an ASID of the SMMU driver’s own',
    citation: `${SKIPPED}; arm_smmu_sva_domain_alloc(), Linux 6.11 and later, takes the ASID from arm_smmu_asid_xa, and sends commands always`,
    story:
      'The device walks under a number that no CPU knows. Broadcasts name the number of the CPUs, and no command is sent.',
    expected: [...MISSED, ...NOT_THAT_OF_CPUS, ...MIXED_UP],
    parts: { sva: AsidOfItsOwn },
  },
  {
    id: 'btm-kpti-kernel-asid',
    title: 'with KPTI a device has the kernel’s ASID of a pair',
    citation: 'arm64_mm_context_get(), Linux 6.1: "Set the equivalent of USER_ASID_BIT", asid |= 1',
    story:
      'A process that is not in the kernel has the odd ASID, and its devices the even one. Linux 6.1 broadcasts for both, so nothing is missed; but it takes this to see that, and whoever broadcasts for the user’s half alone misses the device.',
    expected: NOT_THAT_OF_CPUS,
    parts: { asidAllocator: KernelHalf },
  },
  {
    id: 'btm-kpti-user-half-missed',
    title: 'with KPTI a TLBI names the kernel’s half of a pair alone',
    citation: '__flush_tlb_range(), Linux 6.1: __tlbi_user_level() beside __tlbi_level()',
    story: 'A process outside the kernel, and every device, has the other half: their entries stay.',
    expected: MISSED,
    parts: { tlbflush: KernelHalfOnly },
  },
  {
    id: 'btm-ptm-set',
    title: 'CR2.PTM stays 1 although commands are left out',
    citation: 'arm_smmu_device_reset(), Linux 6.1: "reg = CR2_PTM | CR2_RECINVSID", whatever ARM_SMMU_FEAT_BTM says',
    story: 'With PTM = 1 the SMMU need not hear broadcasts (IHI 0070 §6.3.12), and nobody tells it by a command.',
    expected: MISSED,
    parts: { driver: LeavesPtmSet },
  },
  {
    id: 'btm-flag-of-another-smmu',
    title: 'ARM_SMMU_FEAT_BTM was found on another SMMU of the system',
    citation: `${SKIPPED}; the flag belongs to struct arm_smmu_device, of which a process may be bound to several`,
    story: 'This SMMU has IDR0.BTM = 0 and hears no broadcast, but commands are left out for it as well.',
    expected: MISSED,
    parts: { driver: FlagOfAnotherSmmu },
  },
  {
    id: 'btm-el2-contexts',
    title: 'contexts are of EL2-E2H since the SMMU has it, while the kernel runs at EL1',
    citation:
      'arm_smmu_device_hw_probe(), Linux 5.13 and later: ARM_SMMU_FEAT_E2H only if the CPUs have ARM64_HAS_VIRT_HOST_EXTN; IHI 0070 §3.17: entries match broadcasts of their own exception level',
    story:
      'Commands for EL2 take entries away, so nothing is amiss until they are left out. The broadcasts of EL1 match no entry of EL2.',
    expected: MISSED,
    parts: { driver: El2OfTheSmmu, configWriter: El2Entries, tlb: El2Commands },
  },
  {
    id: 'btm-tlbi-local',
    title: 'a process that runs on one CPU is invalidated there alone',
    citation:
      'flush_tlb_range(), Linux 6.1, broadcasts always; series that avoid it for processes of one CPU must leave out those that devices share',
    story: 'A local TLBI reaches no SMMU, and no other CPU; no command is sent.',
    expected: MISSED,
    parts: { tlbflush: LocalTlbflush },
  },
  {
    id: 'btm-atc-inv-skipped',
    title: 'with BTM the caches of devices are left out like the commands for the SMMU',
    citation: 'arm_smmu_mm_invalidate_range(), Linux 6.1: arm_smmu_atc_inv_domain() whatever ARM_SMMU_FEAT_BTM says',
    story: 'No broadcast reaches a device. It goes on using the address that it was given by ATS.',
    expected: MISSED,
    parts: { mm: NothingForAtc },
  },
  {
    id: 'btm-atc-before-dsb',
    title: 'the caches of devices are invalidated before the broadcast has completed',
    citation:
      'arm_smmu_mm_invalidate_range() is called after tlb_flush(), Linux 6.1; arm_smmu_atc_inv_domain(): "Ensure that we’ve completed prior invalidation of the main TLBs before we read nr_ats_masters"',
    story: 'The device asks again, and the SMMU answers from the entry that is still there.',
    expected: MISSED,
    parts: { mm: AtcFirst },
  },
  {
    id: 'sva-unbind-keeps-atc',
    title: 'unbind leaves the cache of the device as it is',
    citation: 'arm_smmu_mmu_notifier_put(), Linux 6.1: arm_smmu_atc_inv_domain(smmu_domain, mm->pasid, 0, 0)',
    story: 'The device accesses the process by addresses that it was given before, without the SMMU being asked.',
    expected: [{ monitor: 'translation', rule: 'translated-while-blocked' }, ...MISSED, ...MIXED_UP],
    parts: { sva: AtcKeptAtUnbind },
  },
];
