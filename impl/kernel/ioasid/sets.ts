import { Cell } from '../../../engine/cell.ts';
import { step, type Step, type Task } from '../../../engine/step.ts';
import type { IoasidKernel } from './kernel.ts';
import type { IoasidSet } from './objects.ts';

/**
 * What is done to sets of numbers by those who know their token only: their quota is adjusted, all their numbers are freed,
 * the set goes or stays. Who finds a set is one of its users until he puts it.
 */
export class IoasidSets {
  protected readonly kernel: IoasidKernel;
  /** `ioasid_sets`, by token: handle of the open set; 0: none. */
  protected readonly tokens: readonly Cell[];

  constructor(kernel: IoasidKernel) {
    this.kernel = kernel;
    const format = (_at: number, handle: number): string => (handle === 0 ? 'none' : `set${handle - 1}`);
    this.tokens = Array.from(
      { length: kernel.layout.sets === true ? kernel.layout.owners : 0 },
      (_, token) => new Cell(kernel.machine, `ioasid_sets[${token}]`, { format }),
    );
  }

  /** A set is there; inside a step. */
  added(handle: number, token: number): void {
    const cell = this.tokens[token];
    if (cell === undefined) return;
    cell.value = handle;
    const set = this.kernel.sets.at(handle);
    this.tell(set, set.quota.value);
  }

  /** A set is not to be found any more; inside a step. */
  closed(handle: number): void {
    const cell = this.tokens.find((candidate) => candidate.value === handle);
    if (cell !== undefined) cell.value = 0;
  }

  /** What a set has of the numbers, and what is left; inside a step. */
  tell(set: IoasidSet, quota: number): void {
    if (this.tokens.length === 0) return;
    this.kernel.emit({ type: 'pasid.set', set: set.handle, quota, available: this.kernel.available.value });
  }

  /** `ioasid_find_mm_set()`: the open set of a token, which has one user more; 0: none. */
  *find(token: number): Task<number> {
    return yield* this.kernel.ioasid.locked(() => this.#findLocked(token));
  }

  *#findLocked(token: number): Task<number> {
    const cell = this.tokens[token] as Cell;
    return yield* step(`xa_load ${cell.name}`, () => {
      if (cell.value !== 0) this.use(this.kernel.sets.at(cell.value));
      return cell.value;
    });
  }

  /** Inside a step. */
  protected use(set: IoasidSet): void {
    set.users.value++;
  }

  /** A user of a set is done with it. */
  *put(set: IoasidSet): Task {
    yield* this.kernel.ioasid.locked(() => this.#putLocked(set));
  }

  *#putLocked(set: IoasidSet): Task<number> {
    return yield* step(`put ${set.name}`, () => {
      this.unuse(set);
      return 0;
    });
  }

  /** Inside a step. */
  protected unuse(set: IoasidSet): void {
    set.users.value--;
    this.kernel.ioasid.unused(set);
  }

  /** `ioasid_free_all_in_set()`: every number is freed, and the set stays. False if there is none. */
  *free_all(token: number): Task<boolean> {
    const handle = yield* this.find(token);
    if (handle === 0) return false;
    const set = this.kernel.sets.at(handle);
    const numbers = yield* this.numbersOf(set);
    for (let id = 1; id <= this.kernel.layout.pasids; id++)
      if ((numbers & (1 << id)) !== 0) yield* this.kernel.ioasid.ioasid_free(id, handle);
    yield* this.put(set);
    return true;
  }

  /** `xa_for_each(&set->xa)`, as a bit set. */
  protected numbersOf(set: IoasidSet): Step<number> {
    return step(`numbers of ${set.name}`, () => {
      const { numbers, datas } = this.kernel;
      return numbers.reduce(
        (found, cell, id) =>
          cell.value !== 0 && datas.at(cell.value).set.value === set.handle ? found | (1 << id) : found,
        0,
      );
    });
  }

  /** `ioasid_adjust_set()`: not below what the set has, nor above what is available. */
  *adjust(token: number, quota: number): Task<boolean> {
    const handle = yield* this.find(token);
    if (handle === 0) return false;
    const set = this.kernel.sets.at(handle);
    const done = yield* this.kernel.ioasid.locked(() => this.adjustLocked(set, quota));
    yield* this.put(set);
    return done !== 0;
  }

  protected *adjustLocked(set: IoasidSet, quota: number): Task<number> {
    return yield* step(`${set.name}.quota := ${quota}`, () => {
      const more = quota - set.quota.value;
      if (this.isTooSmall(set, quota) || more > this.kernel.available.value) {
        this.kernel.note('adjustment refused');
        return 0;
      }
      this.kernel.note('quota adjusted');
      this.setQuota(set, quota, this.kernel.available.value - more);
      return 1;
    });
  }

  /** Inside a step. */
  protected isTooSmall(set: IoasidSet, quota: number): boolean {
    return quota < set.count.value;
  }

  /** Inside a step. */
  protected setQuota(set: IoasidSet, quota: number, available: number): void {
    set.quota.value = quota;
    this.kernel.available.value = available;
    this.tell(set, quota);
    this.kernel.emit({ type: 'pasid.quota', numbers: set.count.value, quota });
  }
}
