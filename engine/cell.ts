import type { StoreBuffers } from './memory-order/store-buffers.ts';
import { step, type Step } from './step.ts';
import type { CellFormat, Store } from './store.ts';
import type { Machine, NamesAgents } from './machine.ts';

/** Whose memory a cell is: asked on every access, so that use after free is noticed at the access. */
export interface Lifetime {
  /** Fails the run if the object is not live. */
  check(machine: Machine, field: string): void;
  /** True while the object is live. */
  isLive(): boolean;
}

/** How a cell is watched over and shown. */
interface CellOptions {
  readonly lifetime?: Lifetime;
  /** How a value is shown; default: as a decimal number. */
  readonly format?: CellFormat;
  /** Bookkeeping that a report does not show. */
  readonly internal?: boolean;
  /** That the value names agents, and how. */
  readonly names?: NamesAgents;
  /** Stores go through the CPU's store buffer, if the machine has any; else they are in memory at once on every machine. */
  readonly buffered?: boolean;
}

/**
 * One shared 32-bit variable: `const asid = yield* domain.asid.load()`. Loads and stores are atomic, and ordered unless the
 * cell is `buffered` and the machine has store buffers.
 */
export class Cell {
  readonly name: string;
  readonly #machine: Machine;
  readonly #store: Store;
  readonly #cell: number;
  readonly #lifetime: Lifetime | undefined;
  readonly #format: CellFormat;
  readonly #buffers: StoreBuffers | undefined;

  constructor(machine: Machine, name: string, options: CellOptions = {}) {
    this.name = name;
    this.#machine = machine;
    this.#store = machine.store;
    this.#format = options.format ?? ((_offset, value) => String(value));
    this.#cell = machine.store.reserve(1, name, options.internal === true ? undefined : this.#format);
    this.#lifetime = options.lifetime;
    this.#buffers = options.buffered === true ? machine.buffers : undefined;
    if (options.names !== undefined) machine.nameAgents(options.names, this.#cell, 1);
  }

  /** The value, inside a step or during set-up. */
  get value(): number {
    this.#lifetime?.check(this.#machine, this.name);
    return this.#buffers === undefined ? this.#store.get(this.#cell) : this.#buffers.load(this.#cell);
  }

  set value(value: number) {
    this.#lifetime?.check(this.#machine, this.name);
    if (this.#buffers === undefined) this.#store.set(this.#cell, value);
    else this.#buffers.store(this.#cell, value);
  }

  /** `smp_store_release` inside a step: everything that the CPU stored before reaches memory first. */
  release(value: number): void {
    this.#lifetime?.check(this.#machine, this.name);
    if (this.#buffers === undefined) this.#store.set(this.#cell, value);
    else this.#buffers.storeRelease(this.#cell, value);
  }

  /** The store of an atomic read-modify-write inside a step: it is in memory at once. */
  exchange(value: number): void {
    this.#lifetime?.check(this.#machine, this.name);
    this.#buffers?.settle(this.#cell);
    this.#store.set(this.#cell, value);
  }

  /**
   * The value in memory for a `Waitable`, which is asked between steps and so is no agent's access: `dead` when the object is gone.
   * A lock or completion reads as ready then, and the waiter's own step reports the use after free.
   */
  peek(dead: number): number {
    return this.#lifetime === undefined || this.#lifetime.isLive() ? this.#store.get(this.#cell) : dead;
  }

  /** READ_ONCE as one step. */
  load(): Step<number> {
    return step(
      `load ${this.name}`,
      () => this.value,
      (value) => this.#format(0, value),
    );
  }

  /** WRITE_ONCE as one step. */
  store(value: number): Step<undefined> {
    return step(`${this.name} := ${value}`, () => {
      this.value = value;
      return undefined;
    });
  }

  /** Compare and exchange as one step, fully ordered; returns the value before. */
  cmpxchg(expected: number, value: number): Step<number> {
    return step(`cmpxchg ${this.name} ${expected} → ${value}`, () => {
      this.#buffers?.drain();
      const before = this.value;
      if (before === expected) this.exchange(value);
      return before;
    });
  }
}
