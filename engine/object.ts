import { Cell, type Lifetime } from './cell.ts';
import type { CellFormat } from './store.ts';
import type { Machine } from './machine.ts';
import { Mutex, SpinLock } from './sync/lock.ts';
import { Refcount } from './sync/refcount.ts';

const FREE = 0;
const LIVE = 1;
const FREED = 2;

/** Builds the fields of one object of a pool. Every access to them checks that the object is live. */
export interface Slot {
  /** "arm_smmu_domain0" */
  readonly name: string;
  /** Handle of the object: 1 for the first of its pool. */
  readonly handle: number;
  cell(field: string, format?: CellFormat): Cell;
  /** A field whose stores go through the CPU's store buffer, if the machine has any. */
  buffered(field: string, format?: CellFormat): Cell;
  mutex(field: string): Mutex;
  spinlock(field: string): SpinLock;
  refcount(field: string): Refcount;
}

/**
 * Objects of one kind, with identity and life time. A freed object is not reused within a run, so an access to it is
 * always noticed as a use after free (as KASAN's quarantine, without its limit); the pool must be as large as the number of
 * allocations that a program can make.
 */
export class ObjectPool<V> {
  readonly kind: string;
  readonly capacity: number;
  readonly #machine: Machine;
  readonly #views: V[] = [];
  readonly #state: number;
  readonly #next: number;

  /** @param build lays out the fields of one object; called `capacity` times, at once. */
  constructor(machine: Machine, kind: string, capacity: number, build: (slot: Slot) => V) {
    this.kind = kind;
    this.capacity = capacity;
    this.#machine = machine;
    this.#state = machine.store.reserve(
      capacity,
      `${kind} state`,
      (slot, value) => `${kind}${slot} ${value === LIVE ? 'allocated' : value === FREED ? 'freed' : 'unused'}`,
    );
    this.#next = machine.store.reserve(1, `${kind} next`);
    for (let slot = 0; slot < capacity; slot++) this.#views.push(build(this.#slot(slot)));
  }

  /** Allocates an object inside a step. Returns its handle, or 0 when the pool is exhausted (as a failed kmalloc). */
  alloc(): number {
    const { store } = this.#machine;
    const slot = store.get(this.#next);
    if (slot === this.capacity) return 0;
    store.set(this.#next, slot + 1);
    store.set(this.#state + slot, LIVE);
    return slot + 1;
  }

  /** Frees an object inside a step. Freeing twice is a failure. */
  free(handle: number): void {
    const { store } = this.#machine;
    const cell = this.#state + this.#index(handle);
    if (store.get(cell) === LIVE) store.set(cell, FREED);
    else this.#fail('double-free', handle, `frees ${this.kind}${handle - 1}, which is not allocated`);
  }

  /** True if the object is allocated and not yet freed. */
  isLive(handle: number): boolean {
    return handle > 0 && this.#machine.store.get(this.#state + this.#index(handle)) === LIVE;
  }

  /** Handles of the live objects. */
  live(): number[] {
    const { store } = this.#machine;
    const allocated = store.get(this.#next);
    const handles: number[] = [];
    for (let slot = 0; slot < allocated; slot++) if (store.get(this.#state + slot) === LIVE) handles.push(slot + 1);
    return handles;
  }

  /** The fields of an object. Taking the view is not an access; using its fields is. */
  at(handle: number): V {
    return this.#views[this.#index(handle)] as V;
  }

  #index(handle: number): number {
    if (!(handle >= 1 && handle <= this.capacity)) throw new RangeError(`${this.kind}: ${handle} is no handle`);
    return handle - 1;
  }

  #fail(rule: string, handle: number, what: string): void {
    const agent = this.#machine.agentName(this.#machine.current);
    this.#machine.fail({
      monitor: 'safety',
      rule,
      message: `${agent} ${what}.`,
      data: { kind: this.kind, object: `${this.kind}${handle - 1}` },
    });
  }

  #slot(index: number): Slot {
    const machine = this.#machine;
    const name = `${this.kind}${index}`;
    const state = this.#state + index;
    const lifetime: Lifetime = {
      isLive: () => machine.store.get(state) === LIVE,
      check: (_machine, field) => {
        if (machine.store.get(state) === LIVE) return;
        const now = machine.store.get(state) === FREE ? 'never allocated' : 'already freed';
        this.#fail('use-after-free', index + 1, `uses ${field} of ${name}, which is ${now}`);
      },
    };
    return {
      name,
      handle: index + 1,
      cell: (field, format) => new Cell(machine, `${name}.${field}`, cellOptions(lifetime, format)),
      buffered: (field, format) =>
        new Cell(machine, `${name}.${field}`, { ...cellOptions(lifetime, format), buffered: true }),
      mutex: (field) => new Mutex(machine, `${name}.${field}`, lifetime),
      spinlock: (field) => new SpinLock(machine, `${name}.${field}`, lifetime),
      refcount: (field) => new Refcount(machine, `${name}.${field}`, lifetime),
    };
  }
}

function cellOptions(lifetime: Lifetime, format: CellFormat | undefined) {
  return format === undefined ? { lifetime } : { lifetime, format };
}
