import type { Task } from '../../../engine/step.ts';
import { ArmSmmuDriver, ArmSmmuSva, type Domain } from '../../../impl/kernel/index.ts';
import type { AsidHazard } from './hazard.ts';

/** Gives up without unpinning. */
class PinnedSva extends ArmSmmuSva {
  protected override *out_put_context(): Task {
    // The reference and the pin stay.
  }
}

/** Frees the domain, and not the page table. */
class KeptTableDriver extends ArmSmmuDriver {
  override abandonDomain(domain: Domain): void {
    this.kernel.domains.free(domain.handle);
  }
}

/** The pin that nobody gives back. */
export const svaBindErrorKeepsPin: AsidHazard = {
  id: 'sva-bind-error-keeps-pin',
  title: 'a bind that fails keeps the ASID of the process pinned',
  citation:
    'arm_smmu_alloc_shared_cd(), Linux 6.1: every error goes through out_put_context, which calls arm64_mm_context_put() and mmdrop()',
  story:
    'bind pins the ASID of a process and takes a reference to it, then finds no ASID for the domain that has this number, or no memory. It returns the error and keeps both: the process never goes, and its ASID is never given to another one.',
  expected: [{ monitor: 'safety', rule: 'leak' }],
  parts: { sva: PinnedSva },
};

/** The table that nobody frees. */
export const domainFinaliseKeepsTable: AsidHazard = {
  id: 'domain-finalise-keeps-table',
  title: 'a domain for which there is no ASID leaves its page table behind',
  citation:
    'arm_smmu_domain_finalise(), Linux 6.1: free_io_pgtable_ops() when finalise_stage_fn(), which allocates the ASID, fails',
  story:
    'The page table of a domain is made before its ASID is allocated. When there is no ASID, the domain is freed and its top-level table is forgotten.',
  expected: [{ monitor: 'safety', rule: 'leak' }],
  parts: { driver: KeptTableDriver },
};
