import { afterMb } from '../../../engine/memory-order/barriers.ts';
import { step, type Step, type Task } from '../../../engine/step.ts';
import { HarnessError } from '../../../engine/failure.ts';
import type { Command } from '../cmdq.ts';
import type { Space } from '../objects.ts';
import type { TlbRange } from '../tlb.ts';
import { vmidTag } from './encoder.ts';
import { formatInvs, INV_TYPE, isAts, type CountedInv, type Inv, type Invs } from './invs.ts';
import type { NestedKernel } from './kernel.ts';

/** More commands than any range needs: an encoding that produces them does not end. */
const SOFT_LOCKUP_COMMANDS = 1024;

/** Invalidation by the set of a domain (`arm_smmu_domain_inv_range()`). */
export class ArmSmmuInvalidation {
  protected readonly kernel: NestedKernel;

  constructor(kernel: NestedKernel) {
    this.kernel = kernel;
  }

  /**
   * `arm_smmu_domain_inv_range()`: whatever may hold something of the range drops it, and has done so on return. The set is
   * read without a lock, after the tables were changed (`smp_mb`): who is added later walks the new tables.
   *
   * It is read again for device caches, when the TLBs are clean: a device that came in between has walked nothing, but may
   * have been given what another device had left in the TLB ("Ensure that we've completed prior invalidation of the main
   * TLBs before we read 'nr_ats_masters'", `arm_smmu_atc_inv_domain()`, Linux 5.4 to 6.18).
   */
  *arm_smmu_domain_inv_range(domain: Space, range: TlbRange): Task {
    if (range.size === 0) return;
    const set = yield* this.loadInvs(domain);
    yield* this.issue(
      this.kernel.invs.named(set).filter((inv) => !isAts(inv)),
      range,
    );
    if (!this.kernel.nesting.ats.includes(true)) return;
    const caches = yield* this.reloadInvs(domain, set);
    yield* this.issue(
      this.kernel.invs.named(caches).filter((inv) => isAts(inv)),
      range,
    );
  }

  /** Issues what a list of entries asks for, in batches. */
  protected *issue(invs: Invs, range: TlbRange): Task {
    for (const batch of this.batches(invs)) {
      const commands = batch.flatMap((inv) => this.commandsFor(inv, range));
      if (commands.length >= SOFT_LOCKUP_COMMANDS) yield* this.softLockup(range);
      else if (commands.length > 0) yield* this.kernel.cmdq.issueSync(commands);
    }
  }

  /** The step that reads the set for device caches. */
  protected reloadInvs(domain: Space, _set: string): Step<string> {
    return this.loadInvs(domain);
  }

  /** The step that reads the set. */
  protected loadInvs(domain: Space): Step<string> {
    return afterMb(this.kernel.machine, this.kernel.invs.load(domain.invs));
  }

  /** The entries in the order in which they are served, cut where a CMD_SYNC has to come before the next one. */
  protected batches(invs: Invs): CountedInv[][] {
    const batches: CountedInv[][] = [];
    let batch: CountedInv[] = [];
    for (const [at, inv] of invs.entries()) {
      batch.push(inv);
      const next = invs[at + 1];
      if (next !== undefined && !this.arm_smmu_invs_end_batch(inv, next)) continue;
      batches.push(batch);
      batch = [];
    }
    return batches;
  }

  /**
   * `arm_smmu_invs_end_batch()`: stage 2 is clean before nested stage 1 is cleared, since a walk could make a combined
   * entry from old stage 2 entries again.
   */
  protected arm_smmu_invs_end_batch(inv: Inv, next: Inv): boolean {
    const clear = INV_TYPE.S2_VMID_S1_CLEAR;
    return inv.type !== clear && next.type === clear;
  }

  /** The commands by which one entry of a set hears of a range. */
  protected commandsFor(inv: Inv, range: TlbRange): readonly Command[] {
    const { tlb, ats } = this.kernel;
    switch (inv.type) {
      case INV_TYPE.S1_ASID:
        return tlb.arm_smmu_tlb_inv_range(inv.id, range);
      case INV_TYPE.S2_VMID:
        return tlb.arm_smmu_tlb_inv_range(vmidTag(inv.id), range);
      case INV_TYPE.S2_VMID_S1_CLEAR:
        // Nobody knows which stage 1 entries came through the range: everything of the VMID goes.
        return [tlb.nhAllCommand(inv.id)];
      case INV_TYPE.ATS:
        return [ats.rangeCommand(inv.id, inv.ssid, range.iova, range.size)];
      case INV_TYPE.ATS_FULL:
        return [ats.fullCommand(inv.id)];
    }
  }

  /** `arm_smmu_inv_flush_iotlb_tag()`: everything under a tag that leaves a set for good. */
  *arm_smmu_inv_flush_iotlb_tag(inv: Inv): Task {
    const { tlb, cmdq } = this.kernel;
    if (inv.type === INV_TYPE.S1_ASID) yield* cmdq.issueSync([tlb.asidCommand(inv.id)]);
    else if (inv.type === INV_TYPE.S2_VMID) yield* cmdq.issueSync([tlb.asidCommand(vmidTag(inv.id))]);
    else if (inv.type === INV_TYPE.S2_VMID_S1_CLEAR) yield* cmdq.issueSync([tlb.nhAllCommand(inv.id)]);
    else throw new HarnessError(`${formatInvs([{ ...inv, users: 0 }])} is no tag`);
  }

  /** The driver does not come out of its loop: what the kernel's watchdog calls a soft lockup. */
  protected softLockup(range: TlbRange): Step<undefined> {
    return step('issue commands without end', () => {
      this.kernel.machine.fail({
        monitor: 'safety',
        rule: 'soft-lockup',
        message: `The invalidation of ${range.size} bytes issues commands without end.`,
      });
      return undefined;
    });
  }
}
