import { HarnessError, type Failure } from './failure.ts';
import type { StoreBuffers } from './memory-order/store-buffers.ts';
import { Store } from './store.ts';

/**
 * How cells name agents, for renamings (`agentSymmetry`): one cell for `each` agent in the order of their numbers; the
 * `owner`'s number plus 1; the `set` of agents, a bit each.
 */
export type NamesAgents = 'each' | 'owner' | 'set';

/** In what kind of context an agent runs: only `process` may sleep, and only while it holds no spinlock. */
export type Context = 'process' | 'softirq' | 'atomic';

/** Most agents of one world (threads, devices, daemons). */
export const AGENTS_MAX = 16;
/** Most different things that a world counts. */
const TALLIES_MAX = 128;

/**
 * What software runs on: the store, who is running, and where failures go. The engine sets `current` before each step.
 */
export class Machine {
  readonly store: Store;
  /** Index of the agent whose step is running; -1 outside steps and during set-up. */
  current = -1;
  /** The first failure of this run. */
  failure: Failure | undefined;
  /** Name and context of each agent, set by the engine when a program is loaded. */
  agents: readonly { readonly name: string; readonly context: Context }[] = [];

  /** What happened how often: see `tally`. */
  readonly tallies = new Float64Array(TALLIES_MAX);
  /** Tallies of the step being recorded, when one is. */
  talliesOfStep: number[] | undefined;

  /** Cells that name agents. */
  readonly agentCells: { readonly kind: NamesAgents; readonly base: number; readonly length: number }[] = [];

  /**
   * The store buffers of a weakly ordered machine, set before anything else is laid out; undefined: every store is in
   * memory at once (sequential consistency).
   */
  buffers: StoreBuffers | undefined;

  /** Depth of atomic sections (spinlocks, RCU readers) for each agent. */
  readonly #preemptCount: number;

  constructor(store: Store = new Store()) {
    this.store = store;
    this.#preemptCount = store.reserve(AGENTS_MAX, 'preempt_count');
    this.nameAgents('each', this.#preemptCount, AGENTS_MAX);
  }

  /** Says at layout time that cells name agents. */
  nameAgents(kind: NamesAgents, base: number, length: number): void {
    this.agentCells.push({ kind, base, length });
  }

  /**
   * Counts that something happened, for statistics and witnesses. It is not part of the state: nothing that runs may
   * depend on it. `index` 0 … 127 is the world's own choice.
   */
  tally(index: number): void {
    this.tallies[index] = (this.tallies[index] as number) + 1;
    this.talliesOfStep?.push(index);
  }

  /** Reports a failure; the first one of a run counts. */
  fail(failure: Failure): void {
    this.failure ??= failure;
  }

  /** Name of an agent for a message. */
  agentName(agent: number): string {
    return this.agents[agent]?.name ?? 'set-up';
  }

  /** Enters an atomic section (`preempt_disable`, `spin_lock`). Inside a step. */
  enterAtomic(): void {
    this.#addPreempt(1);
  }

  /** Leaves an atomic section. Inside a step. */
  leaveAtomic(): void {
    this.#addPreempt(-1);
  }

  /** Says that the running step may sleep (kernel: `might_sleep()`): a failure in softirq or atomic context. */
  mightSleep(what: string): void {
    if (this.current < 0) return;
    const context = this.agents[this.current]?.context ?? 'process';
    const depth = this.store.get(this.#preemptCount + this.current);
    if (context === 'process' && depth === 0) return;
    const where =
      context === 'process' ? 'while it holds a spinlock or is in an RCU read section' : `in ${context} context`;
    this.fail({
      monitor: 'safety',
      rule: 'sleep-in-atomic',
      message: `${this.agentName(this.current)} may sleep (${what}) ${where}.`,
      data: { kind: what },
    });
  }

  #addPreempt(by: number): void {
    if (this.current < 0) return;
    if (this.current >= AGENTS_MAX) throw new HarnessError(`a world has at most ${AGENTS_MAX} agents`);
    const cell = this.#preemptCount + this.current;
    this.store.set(cell, this.store.get(cell) + by);
  }
}
