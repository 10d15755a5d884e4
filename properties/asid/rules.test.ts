/** For each rule that no hazard shows: a mutation of the correct kernel that makes it fire, and the kernel that passes. */
import { expect, test } from 'vitest';
import { search } from '../../engine/search/search.ts';
import { step, type Step, type Task } from '../../engine/step.ts';
import {
  ArmLpaeIoPgtable,
  ArmMm,
  ArmSmmuConfigWriter,
  ArmSmmuDriver,
  ArmSmmuSva,
  DmaIommu,
  type Domain,
  type EntryChange,
  type KernelParts,
  type Master,
  type Mm,
} from '../../impl/kernel/index.ts';
import { encode, STE, STE_CONFIG } from '../../model/architecture/arm/layout/index.ts';
import { READ } from '../../model/contract/events.ts';
import { PLAIN, type AsidConfiguration } from './configuration.ts';
import type { AsidOperation } from './operations.ts';
import { AsidWorld } from './world.ts';

const map: AsidOperation = { op: 'map', domain: 0, page: 1, frame: 1 };
const attach: AsidOperation = { op: 'attach', domain: 0, device: 1 };
const detach: AsidOperation = { op: 'detach', device: 0 };
const bind: AsidOperation = { op: 'bind', process: 0, device: 0 };
const bypass = { bypass: true };

/** Set-up runs the same software; a mutation begins when the world is built. */
let armed = false;

type Mutation = readonly [
  rule: string,
  agents: readonly (readonly AsidOperation[])[],
  parts: Partial<KernelParts>,
  world?: Partial<AsidConfiguration>,
];

class LeafPgtable extends ArmLpaeIoPgtable {
  protected override leaf(pa: number, level: number, permissions: number): number[] {
    return armed ? this.wrong(pa, level) : super.leaf(pa, level, permissions);
  }
  protected wrong(_pa: number, _level: number): number[] {
    return [0, 0];
  }
}
class ReadOnlyPgtable extends LeafPgtable {
  protected override wrong(pa: number, level: number): number[] {
    return ArmLpaeIoPgtable.prototype['leaf'].call(this, pa, level, READ);
  }
}
class OtherPagePgtable extends LeafPgtable {
  protected override wrong(pa: number, level: number): number[] {
    return ArmLpaeIoPgtable.prototype['leaf'].call(this, pa + 0x10_0000, level, 3);
  }
}
class NoCdDriver extends ArmSmmuDriver {
  override *arm_smmu_install_ctx_desc(domain: Domain, asid: number, master: Master): Task {
    if (!armed) yield* super.arm_smmu_install_ctx_desc(domain, asid, master);
  }
}
class NoSteDriver extends ArmSmmuDriver {
  override *arm_smmu_install_ste_for_dev(master: Master): Task {
    if (!armed) yield* super.arm_smmu_install_ste_for_dev(master);
  }
}
class NoDetachDriver extends ArmSmmuDriver {
  protected override *detachLocked(old: number, master: Master): Task {
    yield* step('nothing is written', () => {
      this.detachBegin(master)();
      return undefined;
    });
    yield* this.arm_smmu_detach_commit(old, master);
  }
}
class AbortWriter extends ArmSmmuConfigWriter {
  override detachedSte(begin?: () => void): EntryChange {
    const change = super.detachedSte(begin);
    return armed ? { ...change, target: () => encode(STE, { V: 1, Config: STE_CONFIG.ABORT }) } : change;
  }
}
class BypassWriter extends ArmSmmuConfigWriter {
  override detachedSte(begin?: () => void): EntryChange {
    const change = super.detachedSte(begin);
    return armed ? { ...change, target: () => encode(STE, { V: 1, Config: STE_CONFIG.BYPASS, SHCFG: 1 }) } : change;
  }
}
/** Writes the entry of a device that nobody asked about. */
class OtherDeviceDriver extends ArmSmmuDriver {
  override *arm_smmu_install_ste_for_dev(master: Master): Task {
    yield* super.arm_smmu_install_ste_for_dev(master);
    const config = this.kernel.configWriter;
    for (const other of this.kernel.masters)
      if (armed && other !== master) yield* config.arm_smmu_write_entry(config.ste(other), config.detachedSte());
  }
}
/** Changes a device over by way of bypass. */
class ViaBypassDriver extends ArmSmmuDriver {
  override *arm_smmu_install_ste_for_dev(master: Master): Task {
    const config = this.kernel.configWriter;
    if (armed) yield* config.arm_smmu_write_entry(config.ste(master), config.detachedSte());
    yield* super.arm_smmu_install_ste_for_dev(master);
  }
}
class StayingSva extends ArmSmmuSva {
  override *arm_smmu_share_asid(): Task<boolean> {
    return yield* step('the domain keeps its ASID', () => true);
  }
}
class UnreleasedDriver extends ArmSmmuDriver {
  override *arm_smmu_domain_free_asid(domain: Domain): Task {
    yield* step('free without release', () => {
      this.kernel.emit({ type: 'tag.free', kind: 'asid', tag: domain.asid.value });
      return undefined;
    });
  }
}
class TwicePgtable extends ArmLpaeIoPgtable {
  override free_table(table: number): Step<undefined> {
    const once = super.free_table(table);
    return step('free twice', () => {
      once.run();
      this.kernel.pages.free(table);
      return undefined;
    });
  }
}
class PutMm extends ArmMm {
  override *mmput(mm: Mm): Task {
    if (!armed) yield* super.mmput(mm);
    else for (let times = 0; times < 3; times++) yield* mm.mm_users.put();
  }
}
class MutexUnderSpinlock extends DmaIommu {
  override *queue_iova(): Task {
    yield* this.lock.lock();
    yield* this.kernel.asidLock.lock();
  }
}
class UnlockedDriver extends ArmSmmuDriver {
  protected override *attachLocked(): Task {
    yield* this.kernel.asidLock.unlock();
  }
}
class CrossedDriver extends ArmSmmuDriver {
  override *arm_smmu_detach_dev(master: Master): Task<boolean> {
    yield* this.kernel.asidLock.lock();
    yield* master.group.lock();
    yield* master.group.unlock();
    yield* this.kernel.asidLock.unlock();
    return true;
  }
}
class ForgetfulDriver extends ArmSmmuDriver {
  override *arm_smmu_detach_dev(master: Master): Task<boolean> {
    yield* master.group.lock();
    return true;
  }
}

const mutations: readonly Mutation[] = [
  ['spurious-fault', [[map]], { pgtable: LeafPgtable }],
  ['wrong-permissions', [[map]], { pgtable: ReadOnlyPgtable }],
  ['unknown-translation', [[map]], { pgtable: OtherPagePgtable }],
  ['spurious-abort', [[attach]], { driver: NoCdDriver }],
  ['untranslated-while-attached', [[attach]], { driver: NoSteDriver }, bypass],
  ['translated-while-blocked', [[detach]], { driver: NoDetachDriver }],
  ['translated-while-bypass', [[detach]], { driver: NoDetachDriver }, bypass],
  [
    'refused-while-bypass',
    [[attach]],
    { driver: OtherDeviceDriver, configWriter: AbortWriter },
    { ...bypass, masters: 0 },
  ],
  ['untranslated-while-blocked', [[attach]], { driver: OtherDeviceDriver, configWriter: BypassWriter }, { masters: 0 }],
  [
    'mixed-configuration',
    [[{ op: 'attach', domain: 1, device: 0 }]],
    { driver: ViaBypassDriver, configWriter: BypassWriter },
  ],
  ['tag-not-unique', [[bind]], { sva: StayingSva }],
  ['tag-free-while-owned', [[{ op: 'domainFree', domain: 1 }]], { driver: UnreleasedDriver }],
  ['double-free', [[{ op: 'unmapTable', domain: 0 }]], { pgtable: TwicePgtable }],
  ['refcount-underflow', [[{ op: 'munmap', process: 0, page: 0 }]], { mm: PutMm }],
  ['sleep-in-atomic', [[{ op: 'dmaUnmap', buffer: 0 }]], { dma: MutexUnderSpinlock }, { lazy: true }],
  ['unlock-not-held', [[attach]], { driver: UnlockedDriver }],
  ['lock-cycle', [[{ op: 'attach', domain: 1, device: 0 }], [detach]], { driver: CrossedDriver }],
  ['never-unlocked', [[detach], [detach]], { driver: ForgetfulDriver }],
];

test.each(mutations.map((mutation) => [mutation[0], mutation] as const))(
  '%s',
  (rule, [, agents, parts, world = {}]) => {
    const configuration = { ...PLAIN, ...world } as AsidConfiguration;
    const program = { agents: agents.map((operations, cpu) => ({ name: `CPU${cpu}`, operations })) };
    armed = false;
    const mutated = new AsidWorld(configuration, parts);
    armed = true;
    const failing = search(mutated.load(program), { order: 'bfs', wanted: (failure) => failure.rule === rule });
    armed = false;
    expect(failing.failure?.rule).toBe(rule);
    const correct = search(new AsidWorld(configuration).load(program), { order: 'dfs' });
    expect(correct.failure).toBeUndefined();
    expect(correct.verdict).toBe('exhausted');
  },
);
