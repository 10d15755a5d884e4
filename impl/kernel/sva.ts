import { smp_mb } from '../../engine/memory-order/barriers.ts';
import { step, type Step, type Task } from '../../engine/step.ts';
import { domainOwner, sharedHandle, sharedOwner } from './asid-xa.ts';
import { formatTags } from './format.ts';
import type { Kernel } from './kernel.ts';
import type { Domain, Master, Mm, SharedCd } from './objects.ts';

/** What `bindState` finds. */
const NO_DOMAIN = -1;

/**
 * Shared virtual addressing with ASIDs shared between CPU and SMMU (`arm-smmu-v3-sva.c`).
 *
 * A process keeps its CPU ASID on the SMMU, so a private domain that has this number must take another one while it
 * runs. Until every context descriptor with the old number is gone and the old number was flushed, both are in the
 * domain's invalidation set.
 */
export class ArmSmmuSva {
  protected readonly kernel: Kernel;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
  }

  /**
   * `arm_smmu_sva_bind()`: the device reaches the process by its PASID. The caller holds a user reference of the
   * process. Returns false if the device has no domain or no ASID or memory is left.
   */
  *arm_smmu_sva_bind(mm: Mm, master: Master): Task<boolean> {
    yield* master.group.lock();
    const refs = yield* this.bindState(mm, master);
    let bound = refs > 0;
    if (refs === 0) {
      const cd = yield* this.arm_smmu_alloc_shared_cd(mm);
      if (cd !== 0) {
        yield* this.arm_smmu_set_pasid(mm, master);
        bound = true;
      }
    }
    yield* master.group.unlock();
    return bound;
  }

  /**
   * `arm_smmu_sva_unbind()`: the device does not reach the process any more. Returns false if it was not bound.
   */
  *arm_smmu_sva_unbind(mm: Mm, master: Master): Task<boolean> {
    yield* master.group.lock();
    const refs = yield* this.dropBond(mm, master);
    if (refs === 1) {
      const cd = yield* this.arm_smmu_remove_pasid(mm, master);
      yield* this.arm_smmu_free_shared_cd(mm, this.kernel.sharedCds.at(cd));
    }
    yield* master.group.unlock();
    return refs > 0;
  }

  /**
   * `arm_smmu_alloc_shared_cd()`: pins the process's ASID and takes a reference to its context descriptor, making it
   * if this is the first. Look-up, reassignment and insertion are under one hold of `arm_smmu_asid_lock`. Returns the
   * descriptor's handle, 0 if there is no ASID or no memory.
   */
  *arm_smmu_alloc_shared_cd(mm: Mm): Task<number> {
    const asid = yield* this.kernel.context.arm64_mm_context_get(mm);
    if (asid === 0) return 0;
    yield* this.kernel.asidLock.lock();
    const owner = yield* this.kernel.asids.load(asid);
    const shared = sharedHandle(owner);
    if (shared !== 0) {
      const taken = yield* this.takeSharedCd(mm, this.kernel.sharedCds.at(shared));
      yield* this.kernel.asidLock.unlock();
      // The first bond holds the process and its ASID; this one needs no more.
      yield* this.kernel.context.arm64_mm_context_put(mm);
      return taken ? shared : 0;
    }
    const free = owner === 0 || (yield* this.arm_smmu_share_asid(this.kernel.domains.at(owner), asid));
    const cd = free ? yield* this.insertSharedCd(mm, asid) : 0;
    yield* this.kernel.asidLock.unlock();
    if (cd === 0) yield* this.out_put_context(mm);
    return cd;
  }

  /** Takes a reference to the descriptor that the process's ASID belongs to. */
  protected *takeSharedCd(_mm: Mm, cd: SharedCd): Task<boolean> {
    yield* cd.refs.get();
    return true;
  }

  /** The error path of `arm_smmu_alloc_shared_cd()`: the process is as it was before. */
  protected *out_put_context(mm: Mm): Task {
    yield* this.kernel.context.arm64_mm_context_put(mm);
  }

  /**
   * `arm_smmu_share_asid()`, the part that matters: moves a private domain from ASID `old` to a new one while its devices
   * run. `arm_smmu_asid_lock` is held. Returns false if no ASID is left.
   *
   * unmap takes no lock. If it reads the set before the new ASID is published, its change of the page table is older
   * than any walk under the new one; if it reads the set after `old` was dropped, nothing is cached under `old`.
   */
  *arm_smmu_share_asid(domain: Domain, old: number): Task<boolean> {
    const asid = yield* this.allocNewAsid(domain);
    if (asid === 0) return false;
    const devices = yield* this.publishNewAsid(domain, old, asid);
    yield* this.rewriteCtxDescs(devices, asid);
    if (devices !== 0) yield* this.kernel.tlb.arm_smmu_tlb_inv_asid(old);
    yield* this.dropOldAsid(domain, old, asid);
    return true;
  }

  /** `xa_alloc` of the domain's new ASID; 0 if none is left. */
  protected allocNewAsid(domain: Domain): Step<number> {
    return step(`xa_alloc(${domain.name})`, () => this.kernel.allocAsid(domainOwner(domain.handle)));
  }

  /**
   * The domain has two tags from now on, and every unmap knows before a context descriptor has the new one (`smp_mb` after
   * an invalidation set is published, as in `arm_smmu_install_new_domain_invs`). Returns the devices whose context descriptors have the old one.
   */
  protected publishNewAsid(domain: Domain, old: number, asid: number): Step<number> {
    return step(`${domain.name}.asid := ${asid}, invs ∪= ${formatTags(1 << asid)}`, () => {
      this.assignNewAsid(domain, asid);
      const devices = domain.devices.value;
      if (devices !== 0) domain.invs.value = (1 << old) | (1 << asid);
      smp_mb(this.kernel.machine);
      return devices;
    });
  }

  /** Gives each device the new ASID, one after the other, each with CFGI_CD and CMD_SYNC. */
  protected *rewriteCtxDescs(devices: number, asid: number): Task {
    const config = this.kernel.configWriter;
    for (const master of this.kernel.mastersOf(devices))
      yield* config.arm_smmu_write_entry(config.cd(master, 0), config.cdWithAsid(asid));
  }

  /** Nothing is cached under the old ASID any more, and no context descriptor has it. */
  protected dropOldAsid(domain: Domain, old: number, asid: number): Step<undefined> {
    return step(`${domain.name}.invs ∖= ${formatTags(1 << old)}, xa_erase(ASID ${old})`, () => {
      if (domain.invs.value !== 0) domain.invs.value = 1 << asid;
      this.eraseOldAsid(domain, old);
      return undefined;
    });
  }

  /** The domain's ASID changes; inside a step. */
  protected assignNewAsid(domain: Domain, asid: number): void {
    domain.asid.value = asid;
    this.kernel.emit({ type: 'tag.assign', kind: 'asid', tag: asid, space: domain.id.value });
  }

  /** `xa_erase` of a domain's old ASID; inside a step. */
  protected eraseOldAsid(domain: Domain, old: number): void {
    this.kernel.asids.store(old, 0);
    this.kernel.emit({ type: 'tag.release', kind: 'asid', tag: old, space: domain.id.value });
    this.kernel.emit({ type: 'tag.free', kind: 'asid', tag: old });
  }

  /** Makes the shared context descriptor and `xa_insert`s it. Returns its handle, 0 without memory. */
  protected insertSharedCd(mm: Mm, asid: number): Step<number> {
    return step(`xa_insert(ASID ${asid}, ${mm.name})`, () => {
      const handle = this.kernel.kzalloc(this.kernel.sharedCds);
      if (handle === 0) return 0;
      const cd = this.kernel.sharedCds.at(handle);
      cd.refs.value = 1;
      cd.asid.value = asid;
      cd.mm.value = mm.handle;
      mm.cd.value = handle;
      // munmap invalidates this ASID before any context descriptor can have it.
      mm.invs.value = 1 << asid;
      this.kernel.asids.store(asid, sharedOwner(handle));
      this.kernel.emit({ type: 'tag.assign', kind: 'asid', tag: asid, space: mm.id.value });
      // mmu_notifier_register() takes all locks of the process: full order before arm_smmu_write_ctx_desc().
      smp_mb(this.kernel.machine);
      return handle;
    });
  }

  /** `arm_smmu_set_pasid()`: writes the device's context descriptor for the process. */
  protected *arm_smmu_set_pasid(mm: Mm, master: Master): Task {
    const asid = yield* step(`${mm.name}.bonds ∪= {${master.name}}`, () => {
      mm.bonds.value |= 1 << master.index;
      const { streamId: stream } = master;
      const to = mm.id.value;
      this.kernel.emit({ type: 'attach.begin', stream, substream: mm.pasid, to, hitless: false });
      return mm.asid.value;
    });
    const config = this.kernel.configWriter;
    yield* config.arm_smmu_write_entry(config.cd(master, mm.pasid), config.spaceCd(mm, asid, false));
    yield* step(`list_add(bond ${master.name}, ${mm.name})`, () => {
      this.bondOf(mm, master).value = 1;
      this.attachEnd(mm, master);
      return undefined;
    });
  }

  /**
   * `arm_smmu_remove_pasid()`: clears the device's context descriptor for the process; serialised with `mm_release` by
   * `arm_smmu_asid_lock`. Returns the handle of the shared descriptor.
   */
  protected *arm_smmu_remove_pasid(mm: Mm, master: Master): Task<number> {
    const config = this.kernel.configWriter;
    yield* this.kernel.asidLock.lock();
    yield* config.arm_smmu_write_entry(config.cd(master, mm.pasid), config.noCd(this.blockBegin(mm, master)));
    yield* this.arm_smmu_atc_inv_domain(mm);
    const cd = yield* step(`list_del(bond ${master.name}, ${mm.name})`, () => {
      mm.bonds.value &= ~(1 << master.index);
      this.bondOf(mm, master).value = 0;
      this.attachEnd(mm, master);
      return mm.cd.value;
    });
    yield* this.kernel.asidLock.unlock();
    return cd;
  }

  /**
   * `arm_smmu_free_shared_cd()`: drops a reference; with the last one the ASID is flushed, given back and unpinned. The
   * count, the flush and the erasure are under one hold of `arm_smmu_asid_lock`, so that nobody finds a descriptor whose
   * count is 0.
   */
  *arm_smmu_free_shared_cd(mm: Mm, cd: SharedCd): Task {
    yield* this.kernel.asidLock.lock();
    const last = yield* cd.refs.put();
    if (last) {
      yield* this.arm_smmu_flush_shared_asid(mm);
      yield* this.eraseSharedAsid(mm, cd);
    }
    yield* this.kernel.asidLock.unlock();
    if (!last) return;
    yield* this.freeCd(cd);
    yield* this.kernel.context.arm64_mm_context_put(mm);
  }

  /** Flushes the ASID of a process that no context descriptor has any more, unless `mm_release` did. */
  protected *arm_smmu_flush_shared_asid(mm: Mm): Task {
    const asid = yield* step(`load ${mm.name}.cleared`, () => (mm.cleared.value === 1 ? 0 : mm.asid.value));
    if (asid !== 0) yield* this.kernel.tlb.arm_smmu_tlb_inv_asid(asid);
  }

  /** `xa_erase` of a shared ASID: munmap has nothing to invalidate from now on. */
  protected eraseSharedAsid(mm: Mm, cd: SharedCd): Step<undefined> {
    return step(`xa_erase(${cd.asid.name})`, () => {
      const asid = cd.asid.value;
      mm.cd.value = 0;
      mm.invs.value = 0;
      this.kernel.asids.store(asid, 0);
      this.kernel.emit({ type: 'tag.release', kind: 'asid', tag: asid, space: mm.id.value });
      this.kernel.emit({ type: 'tag.free', kind: 'asid', tag: asid });
      return undefined;
    });
  }

  /** `kfree` of a shared context descriptor. */
  protected freeCd(cd: SharedCd): Step<undefined> {
    return step('kfree(cd)', () => {
      this.kernel.sharedCds.free(cd.handle);
      return undefined;
    });
  }

  /**
   * `arm_smmu_mm_release()`: the process ends while devices may still run. Their context descriptors stay valid but
   * translate nothing, and its ASID is flushed.
   */
  *arm_smmu_mm_release(mm: Mm): Task {
    const config = this.kernel.configWriter;
    yield* this.kernel.asidLock.lock();
    const devices = yield* mm.bonds.load();
    for (const master of this.kernel.mastersOf(devices)) {
      const change = config.quietCd(this.blockBegin(mm, master));
      yield* config.arm_smmu_write_entry(config.cd(master, mm.pasid), change);
    }
    // Not only while a device is bound: an unbind may be on its way to the flush, and the tables go before it gets there.
    yield* this.kernel.tlb.arm_smmu_tlb_inv_context(mm);
    yield* this.arm_smmu_atc_inv_domain(mm);
    if (devices !== 0)
      yield* step(`${mm.name}.cleared := 1`, () => {
        mm.cleared.value = 1;
        for (const master of this.kernel.mastersOf(devices)) this.attachEnd(mm, master);
        return undefined;
      });
    yield* this.kernel.asidLock.unlock();
  }

  /** `arm_smmu_atc_inv_domain()`: what devices keep themselves of a process. Nothing here, where they have no cache. */
  protected *arm_smmu_atc_inv_domain(_mm: Mm): Task {
    // See above.
  }

  /** How often a process is bound to a device, -1 if the device has no domain. A bond in place is counted once more. */
  protected bindState(mm: Mm, master: Master): Step<number> {
    return step(`load bond ${master.name}, ${mm.name}`, () => {
      if (master.domain.value === 0) return NO_DOMAIN;
      const refs = this.bondOf(mm, master);
      if (refs.value > 0) refs.value += 1;
      return refs.value;
    });
  }

  /** Drops one use of a bond; returns how many there were. The last one is dropped by `arm_smmu_remove_pasid`. */
  protected dropBond(mm: Mm, master: Master): Step<number> {
    return step(`load bond ${master.name}, ${mm.name}`, () => {
      const refs = this.bondOf(mm, master);
      const before = refs.value;
      if (before > 1) refs.value = before - 1;
      return before;
    });
  }

  protected bondOf(mm: Mm, master: Master): Master['domain'] {
    const refs = master.bondRefs[mm.index];
    if (refs === undefined) throw new RangeError(`${mm.name} is no process of this world`);
    return refs;
  }

  /** Emits `attach.begin`, to nothing. */
  protected blockBegin(mm: Mm, master: Master): () => void {
    const { streamId: stream } = master;
    return () => this.kernel.emit({ type: 'attach.begin', stream, substream: mm.pasid, to: 'blocked', hitless: false });
  }

  /** Emits `attach.end`; inside a step. */
  protected attachEnd(mm: Mm, master: Master): void {
    this.kernel.emit({ type: 'attach.end', stream: master.streamId, substream: mm.pasid });
  }
}
