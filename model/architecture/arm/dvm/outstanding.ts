import type { Store } from '../../../../engine/store.ts';
import type { TlbInvalidation } from '../commands/invalidation.ts';

/** Most TLBIs that can be outstanding in the whole system: each has a number below, and a bit in a mask. */
export const SLOTS = 12;

/** In the mask of a CPU, where the bits of its broadcast TLBIs begin; below are those of its local ones. */
const BROADCAST = 16;
const ALL = (1 << SLOTS) - 1;

/**
 * The TLBIs that CPUs have executed and no DSB of theirs has completed yet (Arm ARM D8.17.8 R_YNJCP, R_PSMWS): one table
 * for the whole system, in the store. Each TLBI has one of the slots, and what it covers is doomed by the bit of that slot,
 * in every TLB that hears it.
 *
 * A CPU takes the lowest free slot of a range of its own, and one of another CPU only if it has none left: so the slots do
 * not tell in which order the TLBIs of different CPUs came, which nothing depends on. A TLBI that its CPU executes again
 * before the DSB keeps its slot, for the same DSB completes both.
 */
export class OutstandingTlbis {
  readonly #store: Store;
  readonly #cpus: number;
  /** For each slot: number of its command, 0 if it is free. */
  readonly #slots: number;
  /** For each CPU: its slots, local and broadcast. */
  readonly #masks: number;
  readonly #commands: TlbInvalidation[] = [];
  readonly #ids = new Map<TlbInvalidation, number>();

  /** @param cpus number of CPUs: at most `SLOTS`. */
  constructor(store: Store, cpus: number) {
    if (cpus > SLOTS) throw new RangeError(`there are at most ${SLOTS} CPUs`);
    this.#store = store;
    this.#cpus = cpus;
    this.#slots = store.reserve(SLOTS, 'outstanding TLBIs');
    store.mean(this.#slots, SLOTS, (id) => JSON.stringify(this.#commands[id - 1]));
    this.#masks = store.reserve(cpus, 'outstanding TLBIs of a CPU');
  }

  /**
   * A CPU executes a TLBI.
   *
   * @param command the same command is always the same object (`invalidationOf`).
   * @param broadcast the inner-shareable form.
   * @returns its slot.
   * @throws RangeError if all slots are taken (`makeRoom`).
   */
  issue(cpu: number, command: TlbInvalidation, broadcast: boolean): number {
    const store = this.#store;
    const id = this.#id(command);
    const mask = store.get(this.#masks + cpu);
    const own = mask >>> (broadcast ? BROADCAST : 0);
    for (let slot = 0; slot < SLOTS; slot++)
      if (((own >>> slot) & 1) !== 0 && store.get(this.#slots + slot) === id) return slot;
    const slot = this.#freeSlot(cpu);
    if (slot === -1) throw new RangeError(`more than ${SLOTS} TLBIs outstanding`);
    store.set(this.#slots + slot, id);
    store.set(this.#masks + cpu, mask | (1 << (slot + (broadcast ? BROADCAST : 0))));
    return slot;
  }

  /**
   * Sees to it that there is a slot for one more TLBI of a CPU. If all are taken, one completes early: a TLBI may complete
   * at any time after it was executed (R_YNJCP), so that nothing is kept that must be gone.
   *
   * @returns the bit of the slot whose TLBI has completed, or 0.
   */
  makeRoom(cpu: number): number {
    if (this.#freeSlot(cpu) !== -1) return 0;
    const bit = 1 << this.#firstSlot(cpu);
    this.#store.set(this.#slots + this.#firstSlot(cpu), 0);
    for (let owner = 0; owner < this.#cpus; owner++) {
      const mask = this.#store.get(this.#masks + owner);
      this.#store.set(this.#masks + owner, mask & ~(bit | (bit << BROADCAST)));
    }
    return bit;
  }

  /**
   * A CPU executes a DSB: its TLBIs before have completed wherever they have an effect. Their slots are free.
   *
   * @param shareable DSB ISH, which completes all of them; DSB NSH completes the local ones.
   * @returns a bit (`1 << slot`) for each.
   */
  complete(cpu: number, shareable: boolean): number {
    const mask = this.#store.get(this.#masks + cpu);
    if (mask === 0) return 0;
    const done = (mask | (shareable ? mask >>> BROADCAST : 0)) & ALL;
    for (let slot = 0; slot < SLOTS; slot++) if (((done >>> slot) & 1) !== 0) this.#store.set(this.#slots + slot, 0);
    this.#store.set(this.#masks + cpu, shareable ? 0 : mask & ~ALL);
    return done;
  }

  /** The outstanding TLBI that has a slot. */
  commandAt(slot: number): TlbInvalidation {
    const command = this.#commands[this.#store.get(this.#slots + slot) - 1];
    if (command === undefined) throw new RangeError(`slot ${slot} is free`);
    return command;
  }

  #firstSlot(cpu: number): number {
    return cpu * Math.floor(SLOTS / this.#cpus);
  }

  /** -1 if there is none. */
  #freeSlot(cpu: number): number {
    const first = this.#firstSlot(cpu);
    for (let at = 0; at < SLOTS; at++) {
      const slot = (first + at) % SLOTS;
      if (this.#store.get(this.#slots + slot) === 0) return slot;
    }
    return -1;
  }

  #id(command: TlbInvalidation): number {
    let id = this.#ids.get(command);
    if (id === undefined) {
      id = this.#commands.push(command);
      this.#ids.set(command, id);
    }
    return id;
  }
}
