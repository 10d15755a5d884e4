import { Cell } from '../../../engine/cell.ts';
import { step, type Step, type Task } from '../../../engine/step.ts';
import type { IoasidKernel } from './kernel.ts';
import type { IntelSvmObject, IoasidData } from './objects.ts';

/**
 * The IOMMU driver's part (`intel_svm_bind_gpasid()`, `intel_svm_unbind_gpasid()` and the listener of the series): a bond
 * holds a reference to its number. When the number is freed by its owner, the bond is taken down by a work, since that
 * sleeps; the work has a reference of its own, and looks the bond up again under the mutex.
 */
export class IntelSvm {
  protected readonly kernel: IoasidKernel;
  /** `pasid_private_array`, by number: handle of what is bound; 0: nothing. */
  protected readonly bound: readonly Cell[];
  /** `intel_svm_free_async_fn()`, as a work function. */
  readonly #work: number;

  constructor(kernel: IoasidKernel) {
    this.kernel = kernel;
    const format = (_at: number, handle: number): string => (handle === 0 ? 'none' : `svm${handle - 1}`);
    this.bound = Array.from(
      { length: kernel.layout.pasids + 1 },
      (_, id) => new Cell(kernel.machine, `pasid_private_array[${id}]`, { format }),
    );
    this.#work = kernel.wq.work((handle) => this.free_async_fn(handle));
  }

  /**
   * `intel_svm_bind_gpasid()`: a device reaches the owner's space by a number. Returns the handle of the number's data, which
   * tells this bond from a later one by the same number; 0 if it cannot.
   *
   * @param set handle of the set that the number must belong to; 0: any.
   */
  *bind_gpasid(id: number, device: number, set = 0): Task<number> {
    const { ioasid, pasidMutex, datas } = this.kernel;
    yield* pasidMutex.lock();
    const handle = (yield* this.isPresent(device)) ? yield* ioasid.ioasid_get(id, set) : 0;
    let bound = 0;
    let dropped = 0;
    const svm = handle === 0 ? 0 : yield* this.findOrAlloc(id, handle, device);
    if (svm > 0) {
      if (yield* this.setEntry(this.kernel.svms.at(svm), datas.at(handle), device)) bound = handle;
      else dropped = yield* this.dropDevice(this.kernel.svms.at(svm), id, device, -1);
    }
    yield* pasidMutex.unlock();
    if (dropped !== 0) yield* ioasid.ioasid_put(datas.at(dropped));
    return bound;
  }

  /**
   * The bond of a number, with the reference that the caller has taken: a new one keeps it, an old one has its own. Returns
   * its handle, 0 without memory or if the device is bound already; then the reference is dropped.
   */
  protected *findOrAlloc(id: number, data: number, device: number): Task<number> {
    const { svms, datas, failNth, ioasid } = this.kernel;
    const cell = this.cell(id);
    const found = yield* cell.load();
    if (found !== 0) {
      const fresh = yield* step(
        `dev${device} in svm${found - 1}?`,
        () => (svms.at(found).devices.value & (1 << device)) === 0,
      );
      yield* ioasid.ioasid_put(datas.at(data));
      return fresh ? found : 0;
    }
    const made = yield* step('kzalloc(svm)', () => {
      const handle = failNth.shouldFail() ? 0 : svms.alloc();
      if (handle === 0) return 0;
      svms.at(handle).data.value = data;
      cell.value = handle;
      return handle;
    });
    if (made === 0) yield* ioasid.ioasid_put(datas.at(data));
    return made;
  }

  /** The PASID entry, when those below the IOMMU are ready for it; then KVM hears of it. False if the number is going. */
  protected *setEntry(svm: IntelSvmObject, data: IoasidData, device: number): Task<boolean> {
    const { notify } = this.kernel;
    yield* notify.binding(data, device);
    yield* this.writeEntry(svm, data, device);
    return yield* notify.bind(data);
  }

  protected *writeEntry(svm: IntelSvmObject, data: IoasidData, device: number): Task {
    const { tables } = this.kernel;
    if (tables !== undefined) yield* tables.setup(device, yield* data.id.load(), yield* data.owner.load());
    yield* step(
      tables === undefined ? `PASID entry(dev${device}) := ${data.name}` : `dev${device} joins ${svm.name}`,
      () => {
        svm.devices.value |= 1 << device;
        if (tables === undefined) this.kernel.port.writeEntry(device, data.id.value, data.owner.value);
        return undefined;
      },
    );
  }

  /**
   * `intel_svm_unbind_gpasid()`. False if the device is not bound any more: a free may have come first.
   *
   * @param bond what `bind_gpasid` returned.
   * @param by the owner who asks.
   */
  *unbind_gpasid(id: number, device: number, bond: number, by: number): Task<boolean> {
    const { pasidMutex, svms, datas, ioasid } = this.kernel;
    yield* pasidMutex.lock();
    const found = yield* this.boundTo(id, device, bond);
    const dropped = found === 0 ? 0 : yield* this.dropDevice(svms.at(found), id, device, by);
    yield* pasidMutex.unlock();
    if (dropped !== 0) yield* ioasid.ioasid_put(datas.at(dropped));
    return found !== 0;
  }

  /** A device leaves a bond. Returns the handle of the data whose reference is to be dropped; 0 if others are bound. */
  protected *dropDevice(svm: IntelSvmObject, id: number, device: number, by: number): Task<number> {
    const { datas, notify } = this.kernel;
    const data = datas.at(yield* svm.data.load());
    const last = yield* step('last device?', () => svm.devices.value === 1 << device);
    if (last) yield* notify.unbind(data);
    yield* this.tear_down_entry(id, device);
    yield* notify.unbound(data, device);
    yield* this.removeDevice(svm, id, device);
    yield* step(`dev${device} is unbound`, () => {
      const owner = data.owner.value;
      this.kernel.emit({ type: 'pasid.unbound', pasid: id, device, owner, by: by < 0 ? owner : by });
      return undefined;
    });
    return last ? data.handle : 0;
  }

  /** What a device is bound by, if it is still the bond that is meant; else 0. */
  protected boundTo(id: number, device: number, bond: number): Step<number> {
    const { svms } = this.kernel;
    const cell = this.cell(id);
    return step(`dev${device} bound by PASID ${id}?`, () => {
      const found = cell.value;
      if (found === 0 || !this.isMeant(svms.at(found), bond)) return 0;
      return (svms.at(found).devices.value & (1 << device)) === 0 ? 0 : found;
    });
  }

  /** Inside a step. */
  protected isMeant(svm: IntelSvmObject, bond: number): boolean {
    return svm.data.value === bond;
  }

  /** `intel_pasid_tear_down_entry()`, then the drain of page requests: nothing of the entry is left. */
  protected *tear_down_entry(id: number, device: number): Task {
    const { tables } = this.kernel;
    if (tables !== undefined) return yield* tables.tearDown(device, id);
    yield* step(`PASID entry(dev${device}, ${id}) := 0`, () => {
      this.kernel.port.writeEntry(device, id, -1);
      return undefined;
    });
    yield* this.flush(id, device);
  }

  /** PASID cache, TLB, device-TLB, page requests. Sleeps. */
  protected *flush(id: number, device: number): Task {
    yield* step(`flush(dev${device}, ${id})`, () => {
      this.kernel.machine.mightSleep('qi_submit_sync');
      this.kernel.port.flush(device, id);
      return undefined;
    });
  }

  /** The device leaves the bond, which goes with the last one. */
  protected removeDevice(svm: IntelSvmObject, id: number, device: number): Step<undefined> {
    return step(`dev${device} leaves ${svm.name}`, () => {
      svm.devices.value &= ~(1 << device);
      if (svm.devices.value !== 0) return undefined;
      this.cell(id).value = 0;
      this.kernel.svms.free(svm.handle);
      return undefined;
    });
  }

  /** The listener of FREE, in atomic context: whatever is bound is taken down by a work, which has its own reference. */
  *onFree(data: IoasidData): Task {
    const bound = yield* step(`bond of ${data.name}?`, () => {
      const found = this.cell(data.id.value).value;
      if (found === 0 || this.kernel.svms.at(found).data.value !== data.handle) return false;
      data.refs.increment();
      return true;
    });
    if (bound) yield* this.queueWork(data);
  }

  protected queueWork(data: IoasidData): Step<boolean> {
    return this.kernel.wq.queue(this.#work, data.handle);
  }

  /** `intel_svm_free_async_fn()`: the bond may have gone by itself meanwhile. */
  protected *free_async_fn(handle: number): Task {
    const { pasidMutex, datas, ioasid } = this.kernel;
    const data = datas.at(handle);
    yield* pasidMutex.lock();
    const svm = yield* this.lookUpAgain(data);
    if (svm !== 0) yield* this.takeDown(this.kernel.svms.at(svm), data);
    yield* pasidMutex.unlock();
    if (svm !== 0) yield* ioasid.ioasid_put(data);
    yield* ioasid.ioasid_put(data);
  }

  protected lookUpAgain(data: IoasidData): Step<number> {
    return step(`bond of ${data.name}?`, () => {
      const found = this.cell(data.id.value).value;
      if (found !== 0 && this.kernel.svms.at(found).data.value === data.handle) return found;
      this.kernel.note('unbind met a free');
      return 0;
    });
  }

  /** Every device leaves the bond, which goes. The caller drops the bond's reference. */
  protected *takeDown(svm: IntelSvmObject, data: IoasidData): Task {
    const devices = yield* svm.devices.load();
    const id = yield* data.id.load();
    for (let device = 0; device < this.kernel.layout.devices; device++) {
      if ((devices & (1 << device)) === 0) continue;
      yield* this.tear_down_entry(id, device);
      yield* this.removeDevice(svm, id, device);
    }
  }

  /** Whether devices are bound by a number; inside a step. */
  isBound(data: IoasidData): boolean {
    const found = this.cell(data.id.value).value;
    if (found === 0 || this.kernel.svms.at(found).data.value !== data.handle) return false;
    return this.kernel.svms.at(found).devices.value !== 0;
  }

  protected *isPresent(device: number): Task<boolean> {
    return yield* this.kernel.hotplug.isPresent(device);
  }

  /** A device goes: it leaves what it is bound by. `pasid_mutex` is held. Returns data whose references are to be dropped. */
  *leaveAll(device: number): Task<readonly number[]> {
    const dropped: number[] = [];
    for (let id = 1; id <= this.kernel.layout.pasids; id++) {
      const found = yield* this.anyBond(id, device);
      if (found !== 0) dropped.push(yield* this.dropDevice(this.kernel.svms.at(found), id, device, -1));
    }
    return dropped.filter((handle) => handle !== 0);
  }

  protected anyBond(id: number, device: number): Step<number> {
    return step(`dev${device} bound by PASID ${id}?`, () => {
      const found = this.cell(id).value;
      return found !== 0 && (this.kernel.svms.at(found).devices.value & (1 << device)) !== 0 ? found : 0;
    });
  }

  protected cell(id: number): Cell {
    const cell = this.bound[id];
    if (cell === undefined) throw new RangeError(`there is no PASID ${id}`);
    return cell;
  }
}
