import { smp_mb } from '../../engine/memory-order/barriers.ts';
import { step, type Step, type Task } from '../../engine/step.ts';
import { sharedOwner } from './asid-xa.ts';
import type { Domain, Mm } from './objects.ts';
import { ArmSmmuSva } from './sva.ts';

/** What becomes of a private domain whose ASID a process wants to share: other ways than `ArmSmmuSva`, correct as well. */

/** The process is not shared: whoever came first keeps the number. */
export class RefusingSva extends ArmSmmuSva {
  override *arm_smmu_share_asid(domain: Domain, old: number): Task<boolean> {
    return yield* step(`refuse: ASID ${old} is ${domain.name}'s`, () => false);
  }
}

/**
 * The process gets a number of its own from the SMMU's allocator, so that nobody has to move (`arm_smmu_sva_domain_alloc()`,
 * Linux 6.11 and later). CPU invalidations mean another number then: each munmap needs commands. The process's `asid` is the
 * number that devices use; what the CPU uses does not matter here.
 */
export class OwnAsidSva extends ArmSmmuSva {
  override *arm_smmu_alloc_shared_cd(mm: Mm): Task<number> {
    const { context, asidLock, sharedCds } = this.kernel;
    // A reference to the process; that it pins the CPU's number, too, is not needed.
    if ((yield* context.arm64_mm_context_get(mm)) === 0) return 0;
    yield* asidLock.lock();
    const known = yield* mm.cd.load();
    if (known !== 0) yield* sharedCds.at(known).refs.get();
    const cd = known === 0 ? yield* this.insertOwnAsid(mm) : known;
    yield* asidLock.unlock();
    if (known !== 0 || cd === 0) yield* context.arm64_mm_context_put(mm);
    return cd;
  }

  /** Makes the context descriptor with the lowest free ASID. Returns its handle, 0 without memory or number. */
  protected insertOwnAsid(mm: Mm): Step<number> {
    return step(`xa_alloc(${mm.name})`, () => {
      const { kernel } = this;
      const handle = kernel.kzalloc(kernel.sharedCds);
      if (handle === 0) return 0;
      const asid = kernel.allocAsid(sharedOwner(handle));
      if (asid === 0) {
        kernel.sharedCds.free(handle);
        return 0;
      }
      const cd = kernel.sharedCds.at(handle);
      cd.refs.value = 1;
      cd.asid.value = asid;
      cd.mm.value = mm.handle;
      mm.cd.value = handle;
      mm.asid.value = asid;
      mm.invs.value = 1 << asid;
      kernel.emit({ type: 'tag.assign', kind: 'asid', tag: asid, space: mm.id.value });
      // As in `insertSharedCd`.
      smp_mb(kernel.machine);
      return handle;
    });
  }
}

/**
 * The domain's devices are refused while it changes over: no context descriptor has the old number when it is flushed,
 * and none has the new one before unmap knows of it. One number is enough at any time.
 */
export class BlockingSva extends ArmSmmuSva {
  override *arm_smmu_share_asid(domain: Domain, old: number): Task<boolean> {
    const asid = yield* this.allocNewAsid(domain);
    if (asid === 0) return false;
    const config = this.kernel.configWriter;
    const devices = yield* this.block(domain);
    const masters = this.kernel.mastersOf(devices);
    for (const master of masters) yield* config.arm_smmu_write_entry(config.cd(master, 0), config.noCd());
    if (devices !== 0) yield* this.kernel.tlb.arm_smmu_tlb_inv_asid(old);
    yield* this.replaceAsid(domain, old, asid);
    for (const master of masters)
      yield* config.arm_smmu_write_entry(config.cd(master, 0), config.spaceCd(domain, asid, true));
    yield* this.unblock(devices);
    return true;
  }

  /** From now on the domain's devices may be refused. Returns them. */
  protected block(domain: Domain): Step<number> {
    return step(`load ${domain.devices.name}`, () => {
      const devices = domain.devices.value;
      const to = domain.id.value;
      for (const { streamId: stream } of this.kernel.mastersOf(devices))
        this.kernel.emit({ type: 'attach.begin', stream, substream: 0, to, hitless: false });
      return devices;
    });
  }

  /** The domain has the new ASID and no other. */
  protected replaceAsid(domain: Domain, old: number, asid: number): Step<undefined> {
    return step(`${domain.name}.asid := ${asid}, xa_erase(ASID ${old})`, () => {
      this.assignNewAsid(domain, asid);
      if (domain.invs.value !== 0) domain.invs.value = 1 << asid;
      this.eraseOldAsid(domain, old);
      smp_mb(this.kernel.machine);
      return undefined;
    });
  }

  /** The devices translate again. */
  protected unblock(devices: number): Step<undefined> {
    return step('the devices may go on', () => {
      for (const { streamId: stream } of this.kernel.mastersOf(devices))
        this.kernel.emit({ type: 'attach.end', stream, substream: 0 });
      return undefined;
    });
  }
}
