import { step, type Step, type Task } from '../../../../engine/step.ts';
import { Mutex } from '../../../../engine/sync/lock.ts';
import { pasidCell } from '../attach.ts';
import type { IopfKernel } from '../kernel.ts';
import type { IopfDevice } from '../objects.ts';
import type { ProcessLife } from './life.ts';
import type { MmStruct, SvaDomain } from './objects.ts';

/** Bonds of devices and processes (`drivers/iommu/iommu-sva.c`, Linux 6.12). */
export class IommuSva {
  /** `iommu_sva_lock`. */
  readonly lock: Mutex;
  protected readonly kernel: IopfKernel;
  protected readonly life: ProcessLife;

  constructor(kernel: IopfKernel, life: ProcessLife) {
    this.kernel = kernel;
    this.life = life;
    this.lock = new Mutex(kernel.machine, 'iommu_sva_lock');
  }

  /**
   * `iommu_sva_bind_device()`: the handle of the bond, one more use of it if there is one; 0 if there is no PASID or no
   * memory. The caller holds a reference to `mm_users`.
   */
  *iommu_sva_bind_device(device: IopfDevice, mm: MmStruct): Task<number> {
    yield* this.lock.lock();
    const pasid = yield* this.life.pasids.iommu_alloc_mm_data(mm);
    const handle = pasid === 0 ? 0 : yield* this.bindLocked(device, mm, pasid);
    yield* this.lock.unlock();
    return handle;
  }

  protected *bindLocked(device: IopfDevice, mm: MmStruct, pasid: number): Task<number> {
    const bound = yield* this.iommu_attach_handle_get(device, pasid);
    if (bound !== 0) return bound;
    const found = yield* mm.domain.load();
    const domain = found === 0 ? yield* this.iommu_sva_domain_alloc(mm) : found;
    if (domain === 0) return 0;
    return yield* this.attach(device, mm, pasid, this.life.domains.at(domain));
  }

  /** `iommu_attach_handle_get()`: a bond of this device and process, used once more. */
  protected iommu_attach_handle_get(device: IopfDevice, pasid: number): Step<number> {
    return step(`iommu_attach_handle_get(${device.name}, ${pasid})`, () => {
      const handle = pasidCell(device, pasid).value;
      if (handle !== 0) this.life.users(handle).increment();
      return handle;
    });
  }

  /** `iommu_sva_domain_alloc()`. */
  protected *iommu_sva_domain_alloc(mm: MmStruct): Task<number> {
    const { domains } = this.life;
    const handle = yield* step(`iommu_sva_domain_alloc(${mm.name})`, () => {
      const allocated = this.kernel.failNth.shouldFail() ? 0 : domains.alloc();
      if (allocated === 0) return 0;
      domains.at(allocated).mm.value = mm.handle;
      mm.mm_count.increment();
      mm.domain.value = allocated;
      return allocated;
    });
    if (handle !== 0) yield* this.life.notifiers.mmu_notifier_register(mm, domains.at(handle));
    return handle;
  }

  /** The device gets the domain, which goes again if nobody else has it and that fails. */
  protected *attach(device: IopfDevice, mm: MmStruct, pasid: number, domain: SvaDomain): Task<number> {
    const attached = yield* this.kernel.attach.iommu_attach_device_pasid(device, pasid, mm.space);
    if (!attached) {
      yield* this.freeUnused(domain);
      return 0;
    }
    return yield* step(`${domain.name}.users++`, () => {
      const handle = pasidCell(device, pasid).value;
      domain.users.value++;
      this.life.users(handle).value = 1;
      return handle;
    });
  }

  /** `iommu_sva_unbind_device()`: with the last use of the bond the device does not reach the process any more. */
  *iommu_sva_unbind_device(device: IopfDevice, handle: number): Task {
    yield* this.lock.lock();
    const last = yield* this.putHandle(handle);
    if (last) yield* this.unbindLocked(device, handle);
    yield* this.lock.unlock();
  }

  /** `refcount_dec_and_test(&handle->users)`. */
  protected putHandle(handle: number): Step<boolean> {
    return step(`refcount_dec_and_test(handle${handle - 1}.users)`, () => this.life.users(handle).decrement());
  }

  protected *unbindLocked(device: IopfDevice, handle: number): Task {
    const { handles } = this.kernel;
    const bond = handles.at(handle);
    const space = yield* bond.space.load();
    const pasid = yield* bond.pasid.load();
    const domain = this.life.domains.at(yield* this.life.domainOf(handle));
    yield* this.detach(device, pasid, space);
    yield* this.putDomain(domain);
  }

  /** `iommu_detach_device_pasid()`; then the promise of unbind. */
  protected *detach(device: IopfDevice, pasid: number, space: number): Task {
    yield* this.kernel.attach.iommu_detach_device_pasid(device, pasid);
    yield* step(`unbound(${device.name}, ${pasid})`, () => {
      this.kernel.emit({ type: 'pasid.unbound', device: device.index, pasid, owner: space, by: space });
      return undefined;
    });
  }

  /** `--domain->users`. */
  protected *putDomain(domain: SvaDomain): Task {
    yield* step(`${domain.name}.users--`, () => {
      domain.users.value--;
      return undefined;
    });
    yield* this.freeUnused(domain);
  }

  protected *freeUnused(domain: SvaDomain): Task {
    const unused = yield* step(`${domain.name}.users = 0?`, () => domain.users.value === 0);
    if (unused) yield* this.iommu_domain_free(domain);
  }

  /** `iommu_domain_free()`: nobody finds the domain any more; it goes with its notifier. */
  protected *iommu_domain_free(domain: SvaDomain): Task {
    const mm = yield* step(`list_del(${domain.name})`, () => {
      const handle = domain.mm.value;
      this.life.mms.at(handle).domain.value = 0;
      return handle;
    });
    yield* this.life.mm.mmdrop(this.life.mms.at(mm));
    yield* this.life.notifiers.mmu_notifier_put(domain);
  }
}
