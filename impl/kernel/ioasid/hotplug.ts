import { Cell } from '../../../engine/cell.ts';
import { Mutex } from '../../../engine/sync/lock.ts';
import { step, type Step, type Task } from '../../../engine/step.ts';
import type { IoasidKernel } from './kernel.ts';

/** Devices that come and go: what is bound to a device that goes is unbound, and nothing is bound to it any more. */
export class Hotplug {
  protected readonly kernel: IoasidKernel;
  /** Bit set of the devices that have gone. */
  protected readonly gone: Cell | undefined;
  /** `device_lock()`: a device comes and goes one after the other. */
  readonly #locks: readonly Mutex[];

  constructor(kernel: IoasidKernel) {
    this.kernel = kernel;
    const format = (_at: number, set: number): string =>
      `{${[0, 1].filter((at) => (set & (1 << at)) !== 0).join(', ')}}`;
    const { hotplug, devices } = kernel.layout;
    this.#locks = Array.from(
      { length: hotplug === true ? devices : 0 },
      (_, device) => new Mutex(kernel.machine, `dev${device}.lock`),
    );
    if (hotplug === true) this.gone = new Cell(kernel.machine, 'devices that have gone', { format });
  }

  /** `iommu_release_device()`. False if it has gone. Its driver stops its work before, and does not listen any more. */
  *remove(device: number): Task<boolean> {
    const { pasidMutex, chains, ioasid, datas } = this.kernel;
    const lock = this.#lock(device);
    yield* lock.lock();
    yield* pasidMutex.lock();
    const here = yield* this.go(device);
    const dropped = here ? yield* this.leaveBonds(device) : [];
    if (here) yield* this.removed(device, dropped.length);
    yield* pasidMutex.unlock();
    for (const handle of dropped) yield* ioasid.ioasid_put(datas.at(handle));
    if (here && chains !== undefined) yield* chains.unregister(chains.placeOfDevice(device));
    yield* lock.unlock();
    return here;
  }

  protected *leaveBonds(device: number): Task<readonly number[]> {
    return yield* this.kernel.svm.leaveAll(device);
  }

  protected go(device: number): Step<boolean> {
    return step(`dev${device} goes`, () => {
      const gone = this.#gone();
      if ((gone.value & (1 << device)) !== 0) return false;
      gone.value |= 1 << device;
      return true;
    });
  }

  protected removed(device: number, bonds: number): Step<undefined> {
    return step(`dev${device} has gone`, () => {
      if (bonds > 0) this.kernel.note('removed while bound');
      this.kernel.emit({ type: 'pasid.removed', device, on: true });
      return undefined;
    });
  }

  /** `iommu_probe_device()`. False if it is there. */
  *probe(device: number): Task<boolean> {
    const { pasidMutex, chains } = this.kernel;
    const lock = this.#lock(device);
    yield* lock.lock();
    yield* pasidMutex.lock();
    const came = yield* this.come(device);
    yield* pasidMutex.unlock();
    if (came && chains !== undefined) yield* chains.register(chains.placeOfDevice(device));
    yield* lock.unlock();
    return came;
  }

  protected come(device: number): Step<boolean> {
    return step(`dev${device} comes`, () => {
      const gone = this.#gone();
      if ((gone.value & (1 << device)) === 0) return false;
      gone.value &= ~(1 << device);
      this.kernel.emit({ type: 'pasid.removed', device, on: false });
      return true;
    });
  }

  /** Whether a device may be bound. `pasid_mutex` is held. */
  *isPresent(device: number): Task<boolean> {
    const { gone } = this;
    return gone === undefined || (yield* step(`dev${device} there?`, () => (gone.value & (1 << device)) === 0));
  }

  #lock(device: number): Mutex {
    const lock = this.#locks[device];
    if (lock === undefined) throw new RangeError(`dev${device} does not come or go`);
    return lock;
  }

  #gone(): Cell {
    if (this.gone === undefined) throw new RangeError('devices do not go');
    return this.gone;
  }
}
