import { step, type Task } from '../../../engine/step.ts';
import { Mutex } from '../../../engine/sync/lock.ts';
import { Ioasid } from './ioasid.ts';
import type { IoasidParts } from './kernel.ts';
import { IntelSvm } from './svm.ts';
import { VfioOwners, type Owner } from './vfio.ts';

/**
 * What was proposed against the race of free and unbind, and holds (for what does not, see `CyclicIoasid`):
 *
 * - `deferred`: whoever uses a number hears of its free in an atomic notifier and cleans up in a work; the number stays pending;
 * - `mutex`: the notifier blocks, so free returns when everything is cleaned up. It cannot be called where nobody may sleep;
 * - `owner`: VFIO unbinds before it frees, always.
 */
export type FreeDesign = 'deferred' | 'mutex' | 'owner';

/** Every design. */
export const FREE_DESIGNS: readonly FreeDesign[] = ['deferred', 'mutex', 'owner'];

/** Whether numbers may be freed where nobody may sleep. */
export function freesAnywhere(design: FreeDesign): boolean {
  return design === 'deferred';
}

/** The parts of each design that differ from `deferred`. */
export const DESIGNS: Readonly<Record<FreeDesign, Partial<IoasidParts>>> = {
  deferred: {},
  mutex: {
    ioasid: class extends Ioasid {
      protected override makeLock(): Mutex {
        return new Mutex(this.kernel.machine, 'ioasid_allocator_lock');
      }

      /** The chain runs without the allocator's lock, which listeners take to drop their references. */
      override *ioasid_free(id: number, set = 0): Task {
        yield* this.acquire();
        const handle = yield* this.markPending(id, set);
        yield* this.release();
        if (handle === 0) return;
        const data = this.kernel.datas.at(handle);
        yield* this.notifyFree(data);
        yield* this.ioasid_put(data);
      }
    },
    svm: class extends IntelSvm {
      override *onFree(...[data]: Parameters<IntelSvm['onFree']>): Task {
        const { pasidMutex, svms, ioasid } = this.kernel;
        yield* pasidMutex.lock();
        const found = yield* this.lookUpAgain(data);
        if (found !== 0) yield* this.takeDown(svms.at(found), data);
        yield* pasidMutex.unlock();
        if (found !== 0) yield* ioasid.ioasid_put(data);
      }
    },
  },
  owner: {
    ioasid: class extends Ioasid {
      protected override *notifyFree(): Task {}
    },
    vfio: class extends VfioOwners {
      protected override *freeNumber(owner: Owner): Task<boolean> {
        const id = yield* owner.pasid.load();
        if (id === 0) return false;
        for (let device = 0; device < this.kernel.layout.devices; device++) yield* this.unbindLocked(owner, device);
        return yield* super.freeNumber(owner);
      }
    },
  },
};

/**
 * The fourth proposal: nobody hears anything of a free, and numbers are given out in a circle, so that one is not used again
 * soon. It only makes the race rare.
 */
export class CyclicIoasid extends Ioasid {
  protected override *notifyFree(): Task {}

  /** There are no references: a bond has the number only. */
  override *ioasid_get(id: number): Task<number> {
    yield* this.acquire();
    const found = yield* step(`xa_load(ioasid_xa, ${id})`, () => this.kernel.number(id).value);
    yield* this.release();
    return found;
  }

  override *ioasid_put(): Task {}

  protected override *freeData(): Task {}

  protected override pick(): number {
    return this.pickNext();
  }

  /** Linux 6.1: the number is free at once, whoever uses it. */
  override *ioasid_free(id: number, set = 0): Task {
    yield* this.acquire();
    const handle = yield* this.markPending(id, set);
    if (handle !== 0) yield* this.ioasid_do_free_locked(this.kernel.datas.at(handle));
    yield* this.release();
  }
}
