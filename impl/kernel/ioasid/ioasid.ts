import { Cell } from '../../../engine/cell.ts';
import { step, type Step, type Task } from '../../../engine/step.ts';
import { Mutex, SpinLock } from '../../../engine/sync/lock.ts';
import { DEFAULT } from './allocators.ts';
import type { IoasidKernel } from './kernel.ts';
import { STATE, type IoasidData, type IoasidSet } from './objects.ts';

/**
 * The allocator of PASID numbers: sets with a quota, and numbers with references. A number that its owner frees is "free
 * pending" until the last reference is dropped: nobody can take a new one, and nobody else can have the number.
 *
 * The allocator's lock is a spinlock, since numbers may be freed in any context (an SRCU callback of an mmu notifier, for one),
 * so what hears of a free must not sleep either.
 */
export class Ioasid {
  protected readonly kernel: IoasidKernel;
  /** `ioasid_allocator_lock`. */
  protected readonly lock: SpinLock | Mutex;
  /** `kfree_rcu()` of the data of a number: those who have found it may still look at it. */
  readonly #kfree: number;
  /** Numbers that have been given out before, for a witness. */
  readonly #used: Cell;
  readonly #last: Cell;

  constructor(kernel: IoasidKernel) {
    this.kernel = kernel;
    this.lock = this.makeLock();
    this.#used = new Cell(kernel.machine, 'numbers used', { internal: true });
    this.#last = new Cell(kernel.machine, 'number taken last', { internal: true });
    this.#kfree = kernel.rcu.onGracePeriod((handle) => this.kfree(handle));
  }

  /**
   * `ioasid_set_alloc()`: a set takes its quota from what is left. Returns its handle; 0 if there is not enough.
   *
   * @param token by which it is found: whose it is.
   */
  *ioasid_set_alloc(token: number): Task<number> {
    yield* this.acquire();
    const set = yield* step('kzalloc(set)', () => {
      const { available, layout, sets, failNth } = this.kernel;
      if (available.value < layout.quota || failNth.shouldFail()) return 0;
      const handle = sets.alloc();
      if (handle === 0) return 0;
      available.value -= layout.quota;
      const { quota, open } = sets.at(handle);
      quota.value = layout.quota;
      open.value = 1;
      this.kernel.ioasidSets.added(handle, token);
      return handle;
    });
    yield* this.release();
    return set;
  }

  /** `ioasid_set_put()`: its owner does not need a set any more. It goes with its last number. */
  *ioasid_set_put(set: IoasidSet): Task {
    yield* this.acquire();
    yield* step(`${set.name}.open := 0`, () => {
      if (set.count.value > 0) this.kernel.note('set closed with numbers');
      set.open.value = 0;
      this.kernel.ioasidSets.closed(set.handle);
      this.dropSet(set);
      return undefined;
    });
    yield* this.release();
  }

  /** `ioasid_alloc()`: a number for the owner of a set; 0 if the quota or the numbers are used up, or memory is. */
  *ioasid_alloc(set: IoasidSet, owner: number): Task<number> {
    yield* this.acquire();
    const given = yield* this.kernel.allocators.alloc();
    const handle = given === 0 ? 0 : yield* this.takeNumber(set, owner, given);
    const id = handle === 0 ? 0 : yield* this.storeInSet(set, this.kernel.datas.at(handle));
    if (id !== 0) yield* this.kernel.notify.alloc(this.kernel.datas.at(handle));
    yield* this.release();
    return id;
  }

  /**
   * `xa_alloc(ioasid_xa)`. Returns the handle of the number's data.
   *
   * @param given the number that a custom allocator has given; `DEFAULT` if there is none.
   */
  protected takeNumber(set: IoasidSet, owner: number, given: number): Step<number> {
    return step('xa_alloc(ioasid_xa)', () => {
      const { datas, failNth } = this.kernel;
      const id = given === DEFAULT ? this.pick() : given;
      if (set.count.value >= set.quota.value) this.kernel.note('quota used up');
      const handle = id === 0 || set.count.value >= set.quota.value || failNth.shouldFail() ? 0 : datas.alloc();
      if (handle === 0) {
        if (given !== DEFAULT) this.kernel.allocators.notTaken(given);
        return 0;
      }
      const data = datas.at(handle);
      data.id.value = id;
      data.set.value = set.handle;
      data.owner.value = owner;
      data.refs.value = 1;
      data.state.value = STATE.ACTIVE;
      this.kernel.number(id).value = handle;
      if ((this.#used.value & (1 << id)) !== 0) this.kernel.note('number used again');
      this.#used.value |= 1 << id;
      this.#last.value = id;
      this.kernel.emit({ type: 'pasid.alloc', pasid: id, owner });
      return handle;
    });
  }

  /** Which number comes next, by the policy: 0 for none. */
  protected pick(): number {
    return this.kernel.layout.policy === 'cyclic' ? this.pickNext() : this.pickLowest();
  }

  /** The lowest that is free (`xa_alloc()`). */
  protected pickLowest(): number {
    return Math.max(
      0,
      this.kernel.numbers.findIndex((cell, id) => id > 0 && cell.value === 0),
    );
  }

  /** The first that is free after the one that was given out last (`xa_alloc_cyclic()`). */
  protected pickNext(): number {
    const count = this.kernel.numbers.length - 1;
    const last = this.#last.value;
    const order = Array.from({ length: count }, (_, at) => 1 + ((last + at) % count));
    const next = order.find((id) => this.kernel.number(id).value === 0) ?? 0;
    if (next > 0 && next <= last) this.kernel.note('numbers went round');
    return next;
  }

  /** `xa_store(set->xa)`, which may fail: then the number goes back, and the caller gets none. */
  protected storeInSet(set: IoasidSet, data: IoasidData): Step<number> {
    return step(`xa_store(${set.name}.xa)`, () => {
      const id = data.id.value;
      if (this.kernel.failNth.shouldFail()) {
        this.giveBack(data);
        return this.afterFailedStore(id);
      }
      set.count.value++;
      this.kernel.emit({ type: 'pasid.quota', numbers: set.count.value, quota: set.quota.value });
      return id;
    });
  }

  /**
   * An owner has its number, inside a step. Where others free what is in its set, the number is its own while the lock is
   * held, and need not be when it looks at it; so nothing is promised then.
   */
  returned(id: number, owner: number): void {
    if (this.kernel.layout.sets !== true) this.kernel.emit({ type: 'pasid.returned', pasid: id, owner });
  }

  /** What is returned when no memory was left. */
  protected afterFailedStore(_id: number): number {
    return 0;
  }

  /** A number that nobody has heard of goes back; inside a step. */
  protected giveBack(data: IoasidData): void {
    const id = data.id.value;
    this.kernel.number(id).value = 0;
    this.kernel.allocators.free(id);
    this.kernel.emit({ type: 'pasid.reclaim', pasid: id });
    this.kernel.datas.free(data.handle);
  }

  /**
   * `ioasid_get()`: a reference to an active number. Returns the handle of its data; 0 if it is not there, or going.
   *
   * @param set handle of the set that it must belong to; 0: any.
   */
  *ioasid_get(id: number, set = 0): Task<number> {
    yield* this.acquire();
    const handle = yield* step(`ioasid_get(${id})`, () => {
      const found = this.kernel.number(id).value;
      if (found === 0) return 0;
      const data = this.kernel.datas.at(found);
      if (data.state.value !== STATE.ACTIVE || !this.belongs(data, set)) return 0;
      data.refs.increment();
      return found;
    });
    yield* this.release();
    return handle;
  }

  /** `ioasid_put()`: with the last reference the number is free. */
  *ioasid_put(data: IoasidData): Task {
    yield* this.acquire();
    const last = yield* data.refs.put();
    if (last) yield* this.ioasid_do_free_locked(data);
    yield* this.release();
  }

  /**
   * `ioasid_free()`: its owner does not need a number any more. Those who use it hear of it and drop their references when
   * they are done; the owner's goes now. A second free finds the number pending and does nothing.
   *
   * @param set handle of the set of who frees; 0: any.
   */
  *ioasid_free(id: number, set = 0): Task {
    yield* this.acquire();
    const handle = yield* this.markPending(id, set);
    if (handle !== 0) {
      const data = this.kernel.datas.at(handle);
      yield* this.notifyFree(data);
      if (yield* data.refs.put()) yield* this.ioasid_do_free_locked(data);
    }
    yield* this.release();
  }

  /** From active to free pending. Returns the handle of the number's data; 0 if it is not active. */
  protected markPending(id: number, set: number): Step<number> {
    return step(`ioasid_free(${id})`, () => {
      const found = this.kernel.number(id).value;
      const data = found === 0 ? undefined : this.kernel.datas.at(found);
      if (data === undefined || !this.mayFree(data, set)) {
        if (set !== 0) this.kernel.note('free of a number that has gone');
        return 0;
      }
      data.state.value = STATE.FREE_PENDING;
      if (data.refs.value > 1) this.kernel.note('freed while bound');
      this.kernel.spids.forget(data);
      const by = set === 0 || data.set.value === set ? data.owner.value : -1;
      this.kernel.emit({ type: 'pasid.freed', pasid: id, by });
      return found;
    });
  }

  /** Inside a step. */
  protected mayFree(data: IoasidData, set: number): boolean {
    return data.state.value === STATE.ACTIVE && this.belongs(data, set);
  }

  /** Inside a step. */
  protected belongs(data: IoasidData, set: number): boolean {
    return set === 0 || data.set.value === set;
  }

  /** The chain of FREE: KVM, so that the guest does not use the number any more, then the IOMMU. It must not sleep. */
  protected *notifyFree(data: IoasidData): Task {
    yield* this.kernel.notify.free(data);
  }

  /** `ioasid_do_free_locked()`: the number goes back to the pool. */
  protected *ioasid_do_free_locked(data: IoasidData): Task {
    yield* step(`xa_erase(ioasid_xa, ${data.name})`, () => {
      this.reclaim(data);
      return undefined;
    });
    yield* this.freeData(data);
  }

  /** Inside a step. */
  protected reclaim(data: IoasidData): void {
    const id = data.id.value;
    this.kernel.number(id).value = 0;
    const set = this.kernel.sets.at(data.set.value);
    set.count.value--;
    this.kernel.allocators.free(id);
    this.kernel.emit({ type: 'pasid.reclaim', pasid: id });
    this.dropSet(set);
  }

  /** `kfree_rcu()`. */
  protected *freeData(data: IoasidData): Task {
    yield* this.kernel.rcu.call(this.#kfree, data.handle);
  }

  protected *kfree(handle: number): Task {
    yield* step(`kfree(ioasid${handle - 1})`, () => {
      this.kernel.datas.free(handle);
      return undefined;
    });
  }

  /** A set that is closed and has no number any more gives its quota back; inside a step. */
  protected dropSet(set: IoasidSet): void {
    if (set.open.value === 1 || set.count.value > 0 || set.users.value > 0) return;
    this.kernel.available.value += set.quota.value;
    this.kernel.ioasidSets.tell(set, 0);
    this.kernel.sets.free(set.handle);
  }

  /** Inside the allocator's lock: for the routines of sets. */
  *locked(routine: () => Task<number>): Task<number> {
    yield* this.acquire();
    const result = yield* routine();
    yield* this.release();
    return result;
  }

  /** A set may go, since one that looked at it does not any more; inside a step. */
  unused(set: IoasidSet): void {
    this.dropSet(set);
  }

  /** `ioasid_find()`: whose a number is, looked up without a lock; -1 for nobody's. */
  *ioasid_find(id: number): Task<number> {
    const { rcu, datas } = this.kernel;
    yield* rcu.readLock();
    const found = yield* this.kernel.number(id).load();
    const owner =
      found === 0
        ? -1
        : yield* step(`${datas.at(found).name}->private`, () => {
            this.kernel.note('number looked up');
            return datas.at(found).owner.value;
          });
    yield* rcu.readUnlock();
    return owner;
  }

  /** Called once, when the allocator is made. */
  protected makeLock(): SpinLock | Mutex {
    return new SpinLock(this.kernel.machine, 'ioasid_allocator_lock');
  }

  protected *acquire(): Task {
    yield* this.lock.lock();
  }

  protected *release(): Task {
    yield* this.lock.unlock();
  }
}
