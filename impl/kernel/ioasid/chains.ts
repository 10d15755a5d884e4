import { Cell } from '../../../engine/cell.ts';
import { ObjectPool } from '../../../engine/object.ts';
import { step, type Step, type Task } from '../../../engine/step.ts';
import type { PasidNotice } from '../../../model/contract/events.ts';
import type { IoasidKernel } from './kernel.ts';
import { Notifications } from './notify.ts';
import { listenerFields, STATE, type IoasidData, type IoasidListener } from './objects.ts';

/** Registrations that a run can make. */
const LISTENERS = 10;

/**
 * Atomic notifier chains: KVM of each virtual machine on the chain of its set, the IOMMU driver and the drivers of devices on
 * the global one. A place for each listener, in the order of priorities, so that what is called first is a matter of places
 * and not of who came first.
 *
 * A chain is read under RCU, and changed under `pasid_mutex`: binding and unbinding hold that too, so who is registered
 * between two of them has missed nothing when he has been told of what is there.
 */
export class NotifierChains extends Notifications {
  /** By place, the handle of the listener; 0: none. KVM of each owner, then devices. */
  protected readonly places: readonly Cell[];
  protected readonly listeners: ObjectPool<IoasidListener>;

  constructor(kernel: IoasidKernel) {
    super(kernel);
    const { machine, layout } = kernel;
    this.listeners = new ObjectPool(machine, 'nb', LISTENERS, listenerFields);
    const format = (_at: number, handle: number): string => (handle === 0 ? 'none' : `nb${handle - 1}`);
    this.places = Array.from({ length: layout.owners + layout.devices }, (_, place) => {
      const whose = place < layout.owners ? `KVM of VM${place}` : `dev${place - layout.owners}`;
      return new Cell(machine, `listener(${whose})`, { format });
    });
  }

  /** The place of a virtual machine's KVM. */
  placeOfKvm(owner: number): number {
    return owner;
  }

  /** … and that of a device's driver. */
  placeOfDevice(device: number): number {
    return this.kernel.layout.owners + device;
  }

  /**
   * `ioasid_register_notifier()`: from now on, and of what is there already. False if it is registered, or without memory.
   */
  *register(place: number): Task<boolean> {
    const { pasidMutex } = this.kernel;
    yield* pasidMutex.lock();
    const handle = yield* this.newListener(place);
    if (handle !== 0) {
      yield* this.enter(place, handle);
      yield* this.replay(place);
    }
    yield* pasidMutex.unlock();
    return handle !== 0;
  }

  protected newListener(place: number): Step<number> {
    return step('kzalloc(nb)', () => {
      if (this.place(place).value !== 0 || this.kernel.failNth.shouldFail()) return 0;
      const handle = this.listeners.alloc();
      if (handle !== 0) this.listeners.at(handle).place.value = place;
      return handle;
    });
  }

  protected enter(place: number, handle: number): Step<undefined> {
    const cell = this.place(place);
    return step(`${cell.name} := nb${handle - 1}`, () => {
      cell.value = handle;
      this.tellListens(place, true);
      return undefined;
    });
  }

  /** ALLOC and BIND of what there is. A number that is going is left out: its FREE has been sent. */
  protected *replay(place: number): Task {
    const { layout, ioasid } = this.kernel;
    if (place >= layout.owners) return;
    for (let id = 1; id <= layout.pasids; id++) yield* ioasid.locked(() => this.#replayOf(id, place));
  }

  *#replayOf(id: number, owner: number): Task<number> {
    return yield* step(`replay PASID ${id}`, () => {
      const handle = this.kernel.number(id).value;
      if (handle === 0) return 0;
      const data = this.kernel.datas.at(handle);
      if (data.owner.value !== owner || !this.isReplayed(data)) return 0;
      this.kernel.note('registered late');
      this.kernel.kvm.hear(data);
      if (this.kernel.svm.isBound(data)) this.kernel.kvm.translate(data);
      return 1;
    });
  }

  /** Inside a step, under the lock of the allocator. */
  protected isReplayed(data: IoasidData): boolean {
    return data.state.value === STATE.ACTIVE;
  }

  /** `ioasid_unregister_notifier()`: nobody is called when it returns. False if it is not registered. Sleeps. */
  *unregister(place: number): Task<boolean> {
    const { pasidMutex } = this.kernel;
    yield* pasidMutex.lock();
    const handle = yield* this.place(place).load();
    if (handle !== 0) yield* this.go(place);
    yield* pasidMutex.unlock();
    if (handle === 0) return false;
    yield* this.waitForCalls(place);
    yield* step(`kfree(nb${handle - 1})`, () => {
      this.listeners.free(handle);
      return undefined;
    });
    return true;
  }

  /** A listener stops what it does with numbers, and then does not hear any more when it should have. */
  protected *go(place: number): Task {
    yield* this.quiesce(place);
    yield* this.leave(place);
  }

  protected leave(place: number): Step<undefined> {
    const cell = this.place(place);
    return step(`${cell.name} := none`, () => {
      cell.value = 0;
      this.tellListens(place, false);
      return undefined;
    });
  }

  /** Who will not hear any more must not go on with what he has heard. */
  protected *quiesce(place: number): Task {
    const { layout, kvm, drivers } = this.kernel;
    yield* step('forget what was heard', () => {
      if (place < layout.owners) kvm.forget(place);
      else drivers.stop(place - layout.owners);
      return undefined;
    });
  }

  /** Until nobody calls the listener that has left a place. */
  protected *waitForCalls(_place: number): Task {
    yield* this.kernel.rcu.synchronize();
  }

  override *alloc(data: IoasidData): Task {
    yield* this.call('ALLOC', data, yield* this.kvmOf(data));
  }

  override *binding(data: IoasidData, device: number): Task {
    yield* this.begin('BIND', data);
    yield* this.call('BIND', data, this.placeOfDevice(device));
  }

  override *bind(data: IoasidData): Task<boolean> {
    yield* this.call('BIND', data, yield* this.kvmOf(data));
    return true;
  }

  override *unbind(data: IoasidData): Task {
    yield* this.begin('UNBIND', data);
    yield* this.call('UNBIND', data, yield* this.kvmOf(data));
  }

  override *unbound(data: IoasidData, device: number): Task {
    yield* this.call('UNBIND', data, this.placeOfDevice(device));
  }

  override *free(data: IoasidData): Task {
    yield* this.begin('FREE', data);
    yield* this.freeUp(data);
    yield* step(`IOMMU(FREE, ${data.name})`, () => {
      this.kernel.emit({ type: 'pasid.told', notice: 'FREE', pasid: data.id.value, rank: 1 });
      return undefined;
    });
    yield* this.kernel.svm.onFree(data);
    yield* this.freeDown(data);
  }

  /** FREE for those above the IOMMU. */
  protected *freeUp(data: IoasidData): Task {
    yield* this.call('FREE', data, yield* this.kvmOf(data));
  }

  /** FREE for those below it. */
  protected *freeDown(data: IoasidData): Task {
    for (let device = 0; device < this.kernel.layout.devices; device++)
      yield* this.call('FREE', data, this.placeOfDevice(device));
  }

  protected kvmOf(data: IoasidData): Step<number> {
    return step(`chain of ${data.name}`, () => this.placeOfKvm(data.owner.value));
  }

  protected begin(notice: PasidNotice, data: IoasidData): Step<undefined> {
    return step(`${notice} of ${data.name}`, () => {
      this.kernel.emit({ type: 'pasid.notice', notice, pasid: data.id.value });
      return undefined;
    });
  }

  /** One listener is called, if there is one. */
  protected *call(notice: PasidNotice, data: IoasidData, place: number): Task {
    const { rcu } = this.kernel;
    yield* rcu.readLock();
    const handle = yield* this.place(place).load();
    if (handle !== 0)
      yield* step(`nb${handle - 1}(${notice}, ${data.name})`, () => {
        this.hears(notice, data, this.listeners.at(handle).place.value);
        if (this.place(place).value !== handle) this.kernel.note('unregistered while called');
        return undefined;
      });
    yield* rcu.readUnlock();
  }

  /** Inside a step. */
  protected hears(notice: PasidNotice, data: IoasidData, place: number): void {
    const { layout, kvm, drivers, emit } = this.kernel;
    const isKvm = place < layout.owners;
    emit({ type: 'pasid.told', notice, pasid: data.id.value, rank: isKvm ? 0 : 2 });
    if (!isKvm) return drivers.hears(notice, data, place - layout.owners);
    if (notice === 'ALLOC') return kvm.hear(data);
    if (notice === 'BIND') return kvm.translate(data);
    kvm.translateNoMore(data);
    if (notice === 'FREE') kvm.hearNoMore(data);
  }

  /** Inside a step. */
  protected tellListens(place: number, on: boolean): void {
    if (place < this.kernel.layout.owners) this.kernel.emit({ type: 'pasid.listens', owner: place, on });
  }

  protected place(place: number): Cell {
    const cell = this.places[place];
    if (cell === undefined) throw new RangeError(`the chains have no place ${place}`);
    return cell;
  }
}
