import { Cell } from '../../../engine/cell.ts';
import { step, type Step, type Task } from '../../../engine/step.ts';
import { Mutex } from '../../../engine/sync/lock.ts';
import type { IoasidKernel } from './kernel.ts';

/** An owner of numbers: a file descriptor with a set, and at most one number. */
export interface Owner {
  readonly index: number;
  readonly lock: Mutex;
  /** Handle of its set; 0 while it is closed. */
  readonly set: Cell;
  /** Its number; 0 for none. */
  readonly pasid: Cell;
  /** For each device, by which number it was bound last, and the bond; 0: none. */
  readonly bonds: readonly { readonly pasid: Cell; readonly bond: Cell }[];
}

/** A callback has a number and a set in one argument. */
const SET_UNIT = 256;

/** Owners of PASIDs: virtual machines by way of VFIO. What an owner does is serialised by its own lock. */
export class VfioOwners {
  protected readonly kernel: IoasidKernel;
  protected readonly owners: readonly Owner[];
  /** `ioasid_free()` in an SRCU callback. */
  readonly #callback: number;

  constructor(kernel: IoasidKernel) {
    this.kernel = kernel;
    const { machine, layout } = kernel;
    this.owners = Array.from({ length: layout.owners }, (_, index) => ({
      index,
      lock: new Mutex(machine, `VM${index}.lock`),
      set: new Cell(machine, `VM${index}.set`),
      pasid: new Cell(machine, `VM${index}.pasid`),
      bonds: Array.from({ length: layout.devices }, (_each, device) => ({
        pasid: new Cell(machine, `VM${index}.dev${device}.pasid`),
        bond: new Cell(machine, `VM${index}.dev${device}.bond`, { internal: true }),
      })),
    }));
    this.#callback = kernel.rcu.onGracePeriod((id) => this.freeLater(id));
  }

  /** The file is opened: a set for its numbers. False if it is open, or no numbers are left for a set. */
  *open(index: number): Task<boolean> {
    const owner = this.owner(index);
    yield* owner.lock.lock();
    const closed = yield* step(`VM${index} closed?`, () => owner.set.value === 0);
    const set = closed ? yield* this.kernel.ioasid.ioasid_set_alloc(index) : 0;
    if (set !== 0) yield* owner.set.store(set);
    yield* owner.lock.unlock();
    return set !== 0;
  }

  /** The file is closed: its number is freed, whatever is bound, and its set goes. */
  *close(index: number): Task<boolean> {
    const owner = this.owner(index);
    yield* owner.lock.lock();
    const set = yield* owner.set.load();
    if (set !== 0) {
      yield* this.freeNumber(owner);
      yield* this.kernel.ioasid.ioasid_set_put(this.kernel.sets.at(set));
      yield* owner.set.store(0);
    }
    yield* owner.lock.unlock();
    return set !== 0;
  }

  /** VFIO_IOMMU_ALLOC_PASID. */
  *alloc(index: number): Task<boolean> {
    const owner = this.owner(index);
    yield* owner.lock.lock();
    const set = yield* step(`set of VM${index}`, () => (owner.pasid.value === 0 ? owner.set.value : 0));
    const id = set === 0 ? 0 : yield* this.kernel.ioasid.ioasid_alloc(this.kernel.sets.at(set), index);
    if (id !== 0)
      yield* step(`VM${index}.pasid := ${id}`, () => {
        owner.pasid.value = id;
        this.kernel.ioasid.returned(id, index);
        return undefined;
      });
    yield* owner.lock.unlock();
    return id !== 0;
  }

  /** VFIO_IOMMU_FREE_PASID. */
  *free(index: number): Task<boolean> {
    const owner = this.owner(index);
    yield* owner.lock.lock();
    const freed = yield* this.freeNumber(owner);
    yield* owner.lock.unlock();
    return freed;
  }

  /** The same where an mmu notifier goes: the number is freed in an SRCU callback. */
  *freeByCallback(index: number): Task<boolean> {
    const owner = this.owner(index);
    yield* owner.lock.lock();
    const id = yield* this.forget(owner);
    if (id !== 0) yield* this.kernel.rcu.call(this.#callback, id + SET_UNIT * (yield* this.setOf(owner)));
    yield* owner.lock.unlock();
    return id !== 0;
  }

  /** A device is bound to the owner's number. */
  *bind(index: number, device: number): Task<boolean> {
    const owner = this.owner(index);
    yield* owner.lock.lock();
    const id = yield* owner.pasid.load();
    const bond = id === 0 ? 0 : yield* this.kernel.svm.bind_gpasid(id, device, yield* this.setOf(owner));
    if (bond !== 0) yield* this.remember(owner, device, id, bond);
    yield* owner.lock.unlock();
    return bond !== 0;
  }

  /** … and unbound from the number that it was bound by, whether or not that was freed since. */
  *unbind(index: number, device: number): Task<boolean> {
    const owner = this.owner(index);
    yield* owner.lock.lock();
    const unbound = yield* this.unbindLocked(owner, device);
    yield* owner.lock.unlock();
    return unbound;
  }

  protected *unbindLocked(owner: Owner, device: number): Task<boolean> {
    const { pasid, bond } = this.bondOf(owner, device);
    const id = yield* pasid.load();
    if (id === 0) return false;
    const handle = yield* bond.load();
    yield* this.remember(owner, device, 0, 0);
    return yield* this.kernel.svm.unbind_gpasid(id, device, handle, owner.index);
  }

  protected remember(owner: Owner, device: number, id: number, handle: number): Step<undefined> {
    const { pasid, bond } = this.bondOf(owner, device);
    return step(`${pasid.name} := ${id}`, () => {
      pasid.value = id;
      bond.value = handle;
      return undefined;
    });
  }

  protected bondOf(owner: Owner, device: number): Owner['bonds'][number] {
    const found = owner.bonds[device];
    if (found === undefined) throw new RangeError(`there is no dev${device}`);
    return found;
  }

  /** A driver looks up whose a number is. */
  *find(index: number): Task<boolean> {
    const id = yield* this.owner(index).pasid.load();
    return id !== 0 && (yield* this.kernel.ioasid.ioasid_find(id)) >= 0;
  }

  /** The owner's number is freed; false if it has none. The owner's lock is held. */
  protected *freeNumber(owner: Owner): Task<boolean> {
    const id = yield* this.forget(owner);
    if (id !== 0) yield* this.kernel.ioasid.ioasid_free(id, yield* this.setOf(owner));
    return id !== 0;
  }

  protected *forget(owner: Owner): Task<number> {
    return yield* step(`VM${owner.index}.pasid := none`, () => {
      const id = owner.pasid.value;
      owner.pasid.value = 0;
      return id;
    });
  }

  /**
   * The owner's set, where others free its numbers too: then what the owner knows may be somebody else's by now. Else its
   * numbers are its own until it frees them, and 0 says that nobody need look.
   */
  protected *setOf(owner: Owner): Task<number> {
    return this.kernel.layout.sets === true ? yield* owner.set.load() : 0;
  }

  /** A guest PASID leads to the owner's number. */
  *attachSpid(index: number, spid: number): Task<boolean> {
    const owner = this.owner(index);
    yield* owner.lock.lock();
    const set = yield* owner.set.load();
    const id = yield* owner.pasid.load();
    const done = set !== 0 && id !== 0 && (yield* this.kernel.spids.attach(id, this.kernel.sets.at(set), spid));
    yield* owner.lock.unlock();
    return done;
  }

  protected *freeLater(code: number): Task {
    yield* step('callback', () => {
      this.kernel.note('freed in softirq');
      return undefined;
    });
    yield* this.kernel.ioasid.ioasid_free(code % SET_UNIT, Math.floor(code / SET_UNIT));
  }

  protected owner(index: number): Owner {
    const owner = this.owners[index];
    if (owner === undefined) throw new RangeError(`there is no VM${index}`);
    return owner;
  }
}
