import type { AgentSpec } from '../agent.ts';
import { HarnessError } from '../failure.ts';
import { AGENTS_MAX, type Machine } from '../machine.ts';

/** Most pending stores of one CPU. */
export const STORES_MAX = 4;

/** What orders a pending store behind those in front of it: nothing, a write barrier, or that it is a store-release. */
const PLAIN = 0;
const FENCED = 1;
const RELEASE = 2;

/** Cells of one pending store of one agent: where and how (`place`), and the value's two lanes. */
const STORE_CELLS = 3;
/** Distance of two pending stores of an agent: each of their cells stands in a row of those of all agents. */
const STRIDE = STORE_CELLS * AGENTS_MAX;

/** How a pending store is written down: the cell, whether it is a word of two cells, and its mark. Never 0. */
function placeOf(cell: number, wide: boolean, mark: number): number {
  return (cell << 3) | (mark << 1) | (wide ? 1 : 0);
}
const cellOf = (place: number): number => place >>> 3;
const markOf = (place: number): number => (place >>> 1) & 3;
const isWide = (place: number): boolean => (place & 1) === 1;

/** A store that has not reached memory. */
export interface PendingStore {
  readonly agent: number;
  readonly cell: number;
  readonly low: number;
  /** Undefined for a store of one cell. */
  readonly high: number | undefined;
}

/**
 * The store buffers of a weakly ordered machine, one for each CPU: a store waits there, seen only by its own CPU, until it
 * reaches memory.
 *
 * Modelled is the reordering of stores with later stores and with later loads. Stores of one CPU to one location reach
 * memory in program order, those to different locations in any order, unless a write barrier stands between them or the
 * later one is a store-release; there is one memory, so a store that reaches it is seen by all others at once. This is
 * SPARC's PSO, and of what Armv8 permits (Arm ARM, B2.3: external visibility, barrier-ordered-before, other-multi-copy
 * atomicity) a part: loads are neither reordered nor speculated, so load buffering is not seen and `smp_rmb` has nothing
 * to do; and the buffer is bounded.
 *
 * Everything is kept in the store of the machine: undone, hashed, part of footprints. Which pending store comes next is
 * the scheduler's choice, a step of a daemon (`drains`). A barrier that waits for the buffer does not block: it empties
 * the buffer within its own step. That loses nothing, since each state in which only some of these stores have arrived
 * is reached by the daemons' steps as well, and it spares a switch to the daemon in every schedule.
 */
export class StoreBuffers {
  /** Most pending stores of a CPU; one more makes the oldest reach memory. */
  readonly entries: number;
  /**
   * Writes a word of two cells that reaches memory; by default just that. Physical memory puts itself here, to tell
   * devices of the write.
   */
  commitWord: (cell: number, low: number, high: number) => void;
  readonly #machine: Machine;
  /** For each agent: number of pending stores, and 1 if a write barrier came after the last of them. */
  readonly #lengths: number;
  readonly #fences: number;
  /** A cell of each agent for each part of each pending store. */
  readonly #stores: number;
  /** Bit set of the agents that have a buffer, chosen when a program is loaded. */
  #cpus = 0;

  /** @param entries 1 … `STORES_MAX`. */
  constructor(machine: Machine, entries: number) {
    if (!(entries >= 1 && entries <= STORES_MAX)) throw new RangeError(`a store buffer has 1 to ${STORES_MAX} entries`);
    this.#machine = machine;
    this.entries = entries;
    const { store } = machine;
    this.#lengths = store.reserve(AGENTS_MAX, 'pending stores');
    this.#fences = store.reserve(AGENTS_MAX, 'write barrier');
    this.#stores = store.reserve(entries * STRIDE, 'store buffer');
    for (let row = this.#lengths; row < this.#stores + entries * STRIDE; row += AGENTS_MAX)
      machine.nameAgents('each', row, AGENTS_MAX);
    this.commitWord = (cell, low, high) => {
      store.set(cell, low);
      store.set(cell + 1, high);
    };
  }

  /**
   * Gives each CPU of a program its buffer. All other agents, and set-up, store straight to memory.
   *
   * @throws HarnessError if the daemons that drain the buffers would be too many agents.
   */
  assign(agents: readonly AgentSpec[], isCpu: (agent: AgentSpec) => boolean): void {
    const cpus = agents.filter((agent) => isCpu(agent)).length;
    if (agents.length + cpus * this.entries > AGENTS_MAX)
      throw new HarnessError(
        `${agents.length} agents, of which ${cpus} with ${this.entries} pending stores each, are more than ${AGENTS_MAX} with the daemons`,
      );
    this.#cpus = agents.reduce((set, agent, index) => (isCpu(agent) ? set | (1 << index) : set), 0);
  }

  /** True if the running agent has a buffer. */
  get #buffered(): boolean {
    const { current } = this.#machine;
    return current >= 0 && ((this.#cpus >>> current) & 1) === 1;
  }

  /** What the running agent loads from a cell: the newest of its own pending stores to it, else memory. */
  load(cell: number): number {
    const { store, current } = this.#machine;
    if (!this.#buffered) return store.get(cell);
    for (let at = store.get(this.#lengths + current) - 1; at >= 0; at--) {
      const place = store.get(this.#place(current, at));
      if (cellOf(place) === cell) return store.get(this.#low(current, at));
      if (isWide(place) && cellOf(place) + 1 === cell) return store.get(this.#high(current, at));
    }
    return store.get(cell);
  }

  /** A plain store of one cell. */
  store(cell: number, value: number): void {
    if (this.#buffered) this.#append({ cell, wide: false, mark: PLAIN }, value, 0);
    else this.#machine.store.set(cell, value);
  }

  /** A plain store of the word in `cell` and the one after it. */
  storeWord(cell: number, low: number, high: number): void {
    if (this.#buffered) this.#append({ cell, wide: true, mark: PLAIN }, low, high);
    else this.commitWord(cell, low, high);
  }

  /** `smp_store_release` of one cell: it reaches memory after every store before it. */
  storeRelease(cell: number, value: number): void {
    if (this.#buffered) this.#append({ cell, wide: false, mark: RELEASE }, value, 0);
    else this.#machine.store.set(cell, value);
  }

  /** A write barrier: no later store of the running agent reaches memory before an earlier one. */
  orderStores(): void {
    const { store, current } = this.#machine;
    if (this.#buffered && store.get(this.#lengths + current) > 0) store.set(this.#fences + current, 1);
  }

  /** Every store of the running agent reaches memory now, in program order. */
  drain(): void {
    const { store, current } = this.#machine;
    if (this.#buffered) while (store.get(this.#lengths + current) > 0) this.#commit(current, 0);
  }

  /**
   * To be called before an access that acts on memory at once (an atomic read-modify-write, a register of a device): those
   * of the running agent's stores that must be in memory first are. They are the ones to the same location, and the ones
   * that a write barrier orders before.
   *
   * @param cell the location; -1: none that software stores to.
   */
  settle(cell: number): void {
    if (!this.#buffered) return;
    const { store, current } = this.#machine;
    if (store.get(this.#fences + current) === 1) this.drain();
    for (let at = store.get(this.#lengths + current) - 1; at >= 0; at--) {
      const place = store.get(this.#place(current, at));
      if (cellOf(place) !== cell && markOf(place) !== FENCED) continue;
      const through = cellOf(place) === cell ? at : at - 1;
      for (let count = 0; count <= through; count++) this.#commit(current, 0);
      return;
    }
  }

  /** Whether the store at a position of a buffer (0: the oldest) may be the next to reach memory. Pure. */
  canDrain(agent: number, at: number): boolean {
    const { store } = this.#machine;
    if (store.get(this.#lengths + agent) <= at) return false;
    const own = store.get(this.#place(agent, at));
    if (at > 0 && markOf(own) !== PLAIN) return false;
    for (let earlier = 0; earlier < at; earlier++) {
      const place = store.get(this.#place(agent, earlier));
      if (cellOf(place) === cellOf(own) || markOf(place) === FENCED) return false;
    }
    return true;
  }

  /** Makes the store at a position reach memory. Returns its cell. */
  drainAt(agent: number, at: number): number {
    return this.#commit(agent, at);
  }

  /** All pending stores, oldest first: for reports. */
  pending(): PendingStore[] {
    const { store } = this.#machine;
    const stores: PendingStore[] = [];
    for (let agent = 0; agent < AGENTS_MAX; agent++)
      for (let at = 0; at < store.get(this.#lengths + agent); at++) {
        const place = store.get(this.#place(agent, at));
        const low = store.get(this.#low(agent, at));
        const high = isWide(place) ? store.get(this.#high(agent, at)) : undefined;
        stores.push({ agent, cell: cellOf(place), low, high });
      }
    return stores;
  }

  #append(
    to: { readonly cell: number; readonly wide: boolean; readonly mark: number },
    low: number,
    high: number,
  ): void {
    const { store, current } = this.#machine;
    const lengths = this.#lengths + current;
    if (store.get(lengths) === this.entries) this.#commit(current, 0);
    const at = store.get(lengths);
    const fenced = store.get(this.#fences + current) === 1;
    // The first store of a buffer has nothing to be ordered behind: states that differ in its mark are one.
    const mark = at === 0 ? PLAIN : fenced ? FENCED : to.mark;
    store.set(this.#place(current, at), placeOf(to.cell, to.wide, mark));
    store.set(this.#low(current, at), low);
    store.set(this.#high(current, at), high);
    store.set(lengths, at + 1);
    store.set(this.#fences + current, 0);
  }

  /** Moves one store to memory and closes the gap. */
  #commit(agent: number, at: number): number {
    const { store } = this.#machine;
    const place = store.get(this.#place(agent, at));
    const low = store.get(this.#low(agent, at));
    const high = store.get(this.#high(agent, at));
    const length = store.get(this.#lengths + agent) - 1;
    for (const lane of [this.#place(agent, 0), this.#low(agent, 0), this.#high(agent, 0)])
      for (let from = at; from <= length; from++) {
        const next = from === length ? 0 : store.get(lane + (from + 1) * STRIDE);
        store.set(lane + from * STRIDE, next);
      }
    store.set(this.#lengths + agent, length);
    if (length === 0) store.set(this.#fences + agent, 0);
    else if (at === 0) {
      const first = store.get(this.#place(agent, 0));
      store.set(this.#place(agent, 0), placeOf(cellOf(first), isWide(first), PLAIN));
    }
    if (isWide(place)) this.commitWord(cellOf(place), low, high);
    else store.set(cellOf(place), low);
    return cellOf(place);
  }

  #place(agent: number, at: number): number {
    return this.#stores + at * STRIDE + agent;
  }

  #low(agent: number, at: number): number {
    return this.#stores + at * STRIDE + AGENTS_MAX + agent;
  }

  #high(agent: number, at: number): number {
    return this.#stores + at * STRIDE + 2 * AGENTS_MAX + agent;
  }
}
