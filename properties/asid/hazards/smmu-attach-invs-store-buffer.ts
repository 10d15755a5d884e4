import type { Step } from '../../../engine/step.ts';
import { ArmSmmuTlb, type Space } from '../../../impl/kernel/index.ts';
import type { AsidHazard } from './hazard.ts';

/** Reads the invalidation set while the change of the page table is still on its way to memory. */
class NoBarrierTlb extends ArmSmmuTlb {
  override invalidationSet(space: Space): Step<number> {
    return space.invs.load();
  }
}

/** unmap and attach each miss what the other has just stored. */
export const smmuAttachInvsStoreBuffer: AsidHazard = {
  id: 'smmu-attach-invs-store-buffer',
  title: 'unmap reads the invalidation set without a barrier after the page table was changed',
  citation:
    'arm_smmu_domain_inv_range(), Linux 7.2: smp_mb() between the change of the page table and the load of the set; its comment shows the race with attach',
  story:
    'The cleared entry waits in the store buffer of the CPU while the invalidation set is read. A device that is attached meanwhile, or whose domain changes its ASID, walks the old entry out of memory under a tag that unmap has not seen, and nobody ever invalidates it.',
  expected: [
    { monitor: 'translation', rule: 'stale-translation' },
    { monitor: 'tables', rule: 'table-free-in-use' },
    { monitor: 'translation', rule: 'tlb-conflict' },
  ],
  parts: { tlb: NoBarrierTlb },
};
