import { HarnessError } from '../../../engine/failure.ts';
import { step, type Step, type Task } from '../../../engine/step.ts';
import { domainOwner } from '../asid-xa.ts';
import type { NestedKernel } from './kernel.ts';
import { STAGE, type PagingDomain } from './objects.ts';

/** Life of paging domains: tables and tags. */
export class ArmSmmuDomains {
  protected readonly kernel: NestedKernel;

  constructor(kernel: NestedKernel) {
    this.kernel = kernel;
  }

  /** `arm_smmu_domain_finalise()`: gives a domain its ASID or VMID. False if there is none left. */
  *arm_smmu_domain_finalise(domain: PagingDomain): Task<boolean> {
    const { asidLock } = this.kernel;
    yield* asidLock.lock();
    const tag = yield* step(`alloc tag of ${domain.name}`, () => {
      const space = domain.id.value;
      const kind = domain.stage.value === STAGE.S1 ? 'asid' : 'vmid';
      const number = kind === 'asid' ? this.kernel.allocAsid(domainOwner(domain.handle)) : this.allocVmid(domain);
      if (kind === 'asid') domain.asid.value = number;
      else domain.vmid.value = number;
      if (number !== 0) this.kernel.emit({ type: 'tag.assign', kind, tag: number, space });
      return number;
    });
    yield* asidLock.unlock();
    return tag !== 0;
  }

  /** A VMID for a domain, inside a step; 0 if there is none, or no memory. */
  protected allocVmid(domain: PagingDomain): number {
    return this.kernel.failNth.shouldFail() ? 0 : this.kernel.vmids.alloc(domain.handle);
  }

  /** Top-level tables, inside a step; 0 if there is no memory. */
  allocPgd(stage: number): number {
    const { stage1, stage2 } = this.kernel;
    return stage === STAGE.S1 ? stage1.allocPage() : stage2.allocPgd();
  }

  /** The error path of an allocation: a domain that got no tag goes, with its tables. Inside a step. */
  abandon(domain: PagingDomain): void {
    this.#releasePgd(domain);
    this.kernel.paging.free(domain.handle);
  }

  /** `arm_smmu_domain_free_paging()`: no device is attached, and what was cached was flushed when the last one left. */
  *arm_smmu_domain_free_paging(domain: PagingDomain): Task {
    yield* this.free_io_pgtable_ops(domain);
    yield* this.kernel.asidLock.lock();
    yield* this.freeTag(domain);
    yield* this.kernel.asidLock.unlock();
    yield* step(`kfree(${domain.name})`, () => {
      this.kernel.paging.free(domain.handle);
      return undefined;
    });
  }

  /** `free_io_pgtable_ops()`: frees all tables of a domain. */
  free_io_pgtable_ops(domain: PagingDomain): Step<undefined> {
    return step(`free_io_pgtable_ops(${domain.name})`, () => {
      const { stage1, stage2 } = this.kernel;
      if (domain.stage.value === STAGE.S1) stage1.freeTablesBelow(domain.pgd.value >>> 0, stage1.startLevel);
      else stage2.freeTablesBelow(domain.pgd.value >>> 0, stage2.startLevel);
      this.#releasePgd(domain);
      return undefined;
    });
  }

  /** `xa_erase()` of the ASID or `ida_free()` of the VMID: the number may be given to somebody else. */
  *freeTag(domain: PagingDomain): Task {
    yield* step(`free tag of ${domain.name}`, () => {
      const { asids, vmids } = this.kernel;
      const space = domain.id.value;
      const kind = domain.stage.value === STAGE.S1 ? 'asid' : 'vmid';
      const tag = kind === 'asid' ? domain.asid.value : domain.vmid.value;
      if (tag === 0) throw new HarnessError(`${domain.name} has no tag`);
      if (kind === 'asid') asids.store(tag, 0);
      else vmids.free(tag);
      this.kernel.emit({ type: 'tag.release', kind, tag, space });
      this.kernel.emit({ type: 'tag.free', kind, tag });
      return undefined;
    });
  }

  #releasePgd(domain: PagingDomain): void {
    const { stage1, stage2 } = this.kernel;
    if (domain.stage.value === STAGE.S1) stage1.releasePage(domain.pgd.value >>> 0);
    else stage2.releasePgd(domain);
  }
}
