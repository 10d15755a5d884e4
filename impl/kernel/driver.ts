import { smp_mb } from '../../engine/memory-order/barriers.ts';
import { step, type Step, type Task } from '../../engine/step.ts';
import { domainOwner } from './asid-xa.ts';
import type { SmmuPort } from '../platform/index.ts';
import type { Kernel } from './kernel.ts';
import type { Domain, Master } from './objects.ts';

/** What a device is attached to, when somebody looks under the group's mutex. */
const BUSY = -1;

/** Private domains of the SMMUv3 driver: allocation of ASIDs, attach and detach. */
export class ArmSmmuDriver {
  protected readonly kernel: Kernel;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
  }

  /** Whether the SMMU is to take part in broadcast TLB maintenance: asked once, at boot, of its driver. */
  takesBroadcasts(_port: SmmuPort): boolean {
    return this.kernel.config.btm === true;
  }

  /** Whether contexts are of EL2-E2H, as the CPUs are in a kernel that runs at EL2: asked once, at boot. It is not one here. */
  runsAtEl2(_port: SmmuPort): boolean {
    return false;
  }

  /**
   * `arm_smmu_attach_dev()`: what a device does without a substream goes through `domain` from now on. A device that is
   * attached elsewhere changes over. Returns false if it is attached here already or a process is bound to it.
   */
  *arm_smmu_attach_dev(domain: Domain, master: Master): Task<boolean> {
    yield* master.group.lock();
    const old = yield* this.attachedDomain(master);
    if (old === BUSY || old === domain.handle) {
      yield* master.group.unlock();
      return false;
    }
    yield* this.kernel.asidLock.lock();
    yield* this.attachLocked(domain, old, master);
    yield* this.kernel.asidLock.unlock();
    yield* master.group.unlock();
    return true;
  }

  /**
   * `arm_smmu_detach_dev()`: the device's accesses bypass the SMMU or are aborted, as configured. Returns false if it has
   * no domain or a process is bound to it.
   */
  *arm_smmu_detach_dev(master: Master): Task<boolean> {
    yield* master.group.lock();
    const old = yield* this.attachedDomain(master);
    if (old === BUSY || old === 0) {
      yield* master.group.unlock();
      return false;
    }
    yield* this.kernel.asidLock.lock();
    yield* this.detachLocked(old, master);
    yield* this.kernel.asidLock.unlock();
    yield* master.group.unlock();
    return true;
  }

  /** The order of an attach: published in the invalidation set, then in the CD, then in the STE; the old one last. */
  protected *attachLocked(domain: Domain, old: number, master: Master): Task {
    const asid = yield* this.arm_smmu_attach_prepare(domain, master);
    yield* this.arm_smmu_install_ctx_desc(domain, asid, master);
    yield* this.arm_smmu_install_ste_for_dev(master);
    yield* this.arm_smmu_attach_commit(domain, old, master);
  }

  /** The order of a detach: STE, CD, and when nobody uses the tag any more, what is cached under it. */
  protected *detachLocked(old: number, master: Master): Task {
    const config = this.kernel.configWriter;
    yield* config.arm_smmu_write_entry(config.ste(master), config.detachedSte(this.detachBegin(master)));
    yield* config.arm_smmu_write_entry(config.cd(master, 0), config.noCd());
    yield* this.arm_smmu_detach_commit(old, master);
  }

  /** Emits `attach.begin` of a detach. */
  protected detachBegin(master: Master): () => void {
    const to = this.kernel.config.bypass ? 'bypass' : 'blocked';
    // Turning stage 1 into bypass changes one used word only, so nothing is refused meanwhile.
    return () =>
      this.kernel.emit({ type: 'attach.begin', stream: master.streamId, substream: 0, to, hitless: to === 'bypass' });
  }

  /**
   * `arm_smmu_attach_prepare()`: from now on unmap invalidates the domain's ASID and `arm_smmu_share_asid` rewrites the
   * device's context descriptor. Both must know before the device can walk: `smp_mb` after the set is published, in
   * `arm_smmu_install_new_domain_invs`. Returns the ASID.
   */
  arm_smmu_attach_prepare(domain: Domain, master: Master): Step<number> {
    return step(`${domain.name}.invs ∪= {${domain.name}.asid}`, () => {
      this.attachBegin(domain, master);
      const asid = this.publish(domain, master);
      smp_mb(this.kernel.machine);
      return asid;
    });
  }

  /** Writes the context descriptor of substream 0. */
  *arm_smmu_install_ctx_desc(domain: Domain, asid: number, master: Master): Task {
    const config = this.kernel.configWriter;
    yield* config.arm_smmu_write_entry(config.cd(master, 0), config.spaceCd(domain, asid, true));
  }

  /** `arm_smmu_install_ste_for_dev()`: the device translates by its context descriptors. */
  *arm_smmu_install_ste_for_dev(master: Master): Task {
    const config = this.kernel.configWriter;
    yield* config.arm_smmu_write_entry(config.ste(master), config.stage1Ste(master));
  }

  /** `arm_smmu_attach_commit()`: the device translates by the domain; the one it came from lets go of it. */
  *arm_smmu_attach_commit(domain: Domain, old: number, master: Master): Task {
    if (old !== 0) yield* this.arm_smmu_install_old_domain_invs(this.kernel.domains.at(old), master);
    yield* step(`${master.name}.domain := ${domain.name}`, () => {
      if (old === 0) this.attachEnd(master);
      else this.withdraw(this.kernel.domains.at(old), master);
      master.domain.value = domain.handle;
      return undefined;
    });
  }

  /** The device is detached, and its domain lets go of it. */
  *arm_smmu_detach_commit(old: number, master: Master): Task {
    const domain = this.kernel.domains.at(old);
    yield* this.arm_smmu_install_old_domain_invs(domain, master);
    yield* step(`${master.name}.domain := none`, () => {
      this.withdraw(domain, master);
      master.domain.value = 0;
      return undefined;
    });
  }

  /**
   * `arm_smmu_install_old_domain_invs()`: a device does not use its old domain any more. When it was the last one, the
   * ASID will be in no invalidation set and nobody will invalidate it when a page goes; so it is flushed first.
   */
  protected *arm_smmu_install_old_domain_invs(domain: Domain, master: Master): Task {
    const unused = yield* step(`load ${domain.devices.name}`, () => {
      this.attachEnd(master);
      return domain.devices.value === 1 << master.index ? domain.asid.value : 0;
    });
    if (unused !== 0) yield* this.arm_smmu_inv_flush_iotlb_tag(unused);
  }

  /** `arm_smmu_inv_flush_iotlb_tag()`: flushes an ASID that no device uses any more, and waits. */
  protected *arm_smmu_inv_flush_iotlb_tag(asid: number): Task {
    yield* this.kernel.tlb.arm_smmu_tlb_inv_asid(asid);
  }

  /** `arm_smmu_domain_finalise_s1()`: gives a domain its ASID. False if there is none left. */
  *arm_smmu_domain_finalise_s1(domain: Domain): Task<boolean> {
    const { asidLock } = this.kernel;
    yield* asidLock.lock();
    const asid = yield* step(`xa_alloc(${domain.name})`, () => {
      const number = this.kernel.allocAsid(domainOwner(domain.handle));
      domain.asid.value = number;
      if (number !== 0) this.kernel.emit({ type: 'tag.assign', kind: 'asid', tag: number, space: domain.id.value });
      return number;
    });
    yield* asidLock.unlock();
    return asid !== 0;
  }

  /** The error path of `arm_smmu_domain_finalise()`: a domain that got no ASID goes, with its page table. Inside a step. */
  abandonDomain(domain: Domain): void {
    this.kernel.pgtable.releasePage(domain.pgd.value >>> 0);
    this.kernel.domains.free(domain.handle);
  }

  /**
   * `arm_smmu_domain_free()`: gives the page table and the ASID back. No device is attached, so nothing is cached. The
   * lock keeps `arm_smmu_share_asid` from working on a domain that goes.
   */
  *arm_smmu_domain_free(domain: Domain): Task {
    yield* this.free_io_pgtable_ops(domain);
    yield* this.kernel.asidLock.lock();
    yield* this.arm_smmu_domain_free_asid(domain);
    yield* this.kernel.asidLock.unlock();
    yield* step(`kfree(${domain.name})`, () => {
      this.kernel.domains.free(domain.handle);
      return undefined;
    });
  }

  /** `free_io_pgtable_ops()`: frees all tables of a domain. */
  free_io_pgtable_ops(domain: Domain): Step<undefined> {
    return step(`free_io_pgtable_ops(${domain.name})`, () => {
      const { pgtable } = this.kernel;
      const pgd = domain.pgd.value >>> 0;
      pgtable.freeTablesBelow(pgd, pgtable.startLevel);
      pgtable.releasePage(pgd);
      return undefined;
    });
  }

  /** `arm_smmu_free_asid()`: the number may be given to somebody else. */
  *arm_smmu_domain_free_asid(domain: Domain): Task {
    yield* step(`xa_erase(${domain.name}.asid)`, () => {
      const asid = domain.asid.value;
      this.kernel.asids.store(asid, 0);
      this.kernel.emit({ type: 'tag.release', kind: 'asid', tag: asid, space: domain.id.value });
      this.kernel.emit({ type: 'tag.free', kind: 'asid', tag: asid });
      return undefined;
    });
  }

  /** Handle of the domain a device is attached to, 0 for none, -1 while processes are bound to the device. */
  protected attachedDomain(master: Master): Step<number> {
    return step(`load ${master.name}.domain`, () =>
      master.bondRefs.some((refs) => refs.value > 0) ? BUSY : master.domain.value,
    );
  }

  /** Emits `attach.begin`; inside a step. Bypass changes into translation without an access being refused. */
  protected attachBegin(domain: Domain, master: Master): void {
    const hitless = this.kernel.config.bypass && master.domain.value === 0;
    const to = domain.id.value;
    this.kernel.emit({ type: 'attach.begin', stream: master.streamId, substream: 0, to, hitless });
  }

  /** Emits `attach.end`; inside a step. */
  protected attachEnd(master: Master): void {
    this.kernel.emit({ type: 'attach.end', stream: master.streamId, substream: 0 });
  }

  /** Adds a device and the ASID to a domain's sets; inside a step. Returns the ASID. */
  protected publish(domain: Domain, master: Master): number {
    const asid = domain.asid.value;
    domain.devices.value |= 1 << master.index;
    domain.invs.value |= 1 << asid;
    return asid;
  }

  /** Removes a device from a domain's sets; inside a step. The last one takes the ASID with it. */
  protected withdraw(domain: Domain, master: Master): void {
    domain.devices.value &= ~(1 << master.index);
    if (domain.devices.value === 0) domain.invs.value = 0;
  }
}
