import type { Automaton, Node } from './automaton.ts';
import { HarnessError, type Failure } from './failure.ts';
import type { Footprint, Footprints } from './footprint.ts';
import { mixHigh, mixLow } from './hash.ts';
import type { Store } from './store.ts';
import type { System } from './system.ts';

/** What a step did, given what it read. */
interface Effect {
  readonly next: Node;
  readonly failure: Failure | undefined;
  /** Cells written, with the values before and after, side by side: replaying a step is mostly waiting for memory. */
  readonly writes: Int32Array;
  /** Change of the state's fingerprint by these writes. */
  readonly low: number;
  readonly high: number;
  readonly tallies: readonly number[] | undefined;
  /** Footprint to the cell, if footprints are wanted. */
  readonly footprint: Footprint | undefined;
}

/** A run of reads with the values found, and where other values were found. */
export interface Trail {
  /** Cell and value in turn, from `from` up to `to`, in memory that trails share. */
  readonly words: Int32Array;
  readonly from: number;
  readonly to: number;
  readonly effect: Effect;
  /** For a position, the trails that begin there with another value. */
  forks: Map<number, Forks> | undefined;
}

/** Trails by the values that they begin with. */
interface Forks {
  readonly values: number[];
  readonly trails: Trail[];
}

/** Words of the first piece of memory for trails; each further one is twice as large, up to the largest. */
const WORDS_MIN = 1 << 11;
const WORDS_MAX = 1 << 16;

/** Bounds memory. */
const EFFECTS_MAX = 400_000;

/**
 * Steps that are not computed twice.
 *
 * A step, together with the check after it, is a function of the cells that it reads. What a node's step has read is kept
 * as a trie over the values found, in the order of reading (which the values before determine), with the writes at the
 * leaves. When the same local state comes again and finds the same values, its writes are applied without running it.
 * This is what makes models affordable that do much in one step: a write to a page table which makes the architecture
 * walk again costs as much as comparing the words that those walks read.
 *
 * It is exact, and it is a check too: a step that reads other cells although it found the same values has state outside
 * the store, and is reported as a broken harness.
 */
export class StepMemo {
  /** Steps computed, and steps taken from the memo. */
  computed = 0;
  replayed = 0;
  readonly #system: System;
  readonly #store: Store;
  readonly #automaton: Automaton;
  /** Change of the fingerprint by the writes of the last step. */
  low = 0;
  high = 0;
  /** What the last step and its wait touched, if footprints are wanted. */
  footprint: Footprint | undefined;
  readonly #footprints: Footprints | undefined;
  readonly #effectsMax: number;
  #kept: Node[] = [];
  /** Where trails are put: arrays of their own would cost more than the steps that fill them. */
  #words = new Int32Array(0);
  #used = 0;

  /**
   * @param effectsMax effects kept before everything is forgotten.
   * @param footprints the table for the footprints of the steps, if they are wanted.
   */
  constructor(system: System, automaton: Automaton, effectsMax = EFFECTS_MAX, footprints?: Footprints) {
    this.#effectsMax = effectsMax;
    this.#footprints = footprints;
    this.#system = system;
    this.#store = system.machine.store;
    this.#automaton = automaton;
  }

  /** Runs or replays the pending step of a node, of which `machine.current` is the agent, and the check after it. */
  step(node: Node): Node {
    const effect = this.#find(node);
    if (effect === undefined) return this.#compute(node);
    this.replayed++;
    const { machine } = this.#system;
    this.#store.setMany(effect.writes);
    if (effect.failure !== undefined) machine.fail(effect.failure);
    const { tallies } = effect;
    if (tallies !== undefined) for (let at = 0; at < tallies.length; at++) machine.tally(tallies[at] as number);
    this.low = effect.low;
    this.high = effect.high;
    this.footprint = effect.footprint;
    return effect.next;
  }

  #find(node: Node): Effect | undefined {
    const state = this.#store.cells;
    let trail = node.trail;
    if (trail === undefined || node.trailEpoch !== this.#store.epoch) return undefined;
    for (;;) {
      const { words, from, to } = trail;
      let at = from;
      while (at < to && state[words[at] as number] === words[at + 1]) at += 2;
      if (at === to) return trail.effect;
      const fork = findFork(trail, at - from, state[words[at] as number] as number);
      if (fork === undefined) return undefined;
      trail = fork;
    }
  }

  #compute(node: Node): Node {
    const store = this.#store;
    const { machine, check } = this.#system;
    const { epoch } = store;
    const tallies: number[] = [];
    machine.talliesOfStep = tallies;
    store.startRecording(true);
    if (this.#footprints !== undefined) node.wait?.ready();
    const next = this.#automaton.next(node, node.run());
    check?.();
    store.stopRecording();
    machine.talliesOfStep = undefined;
    this.footprint = this.#footprints?.recorded(store);
    const effect = { ...effectOf(store, next, machine.failure, tallies), footprint: this.footprint };
    this.low = effect.low;
    this.high = effect.high;
    this.computed++;
    if (epoch === store.epoch) this.#keep(node, effect);
    return next;
  }

  #keep(node: Node, effect: Effect): void {
    if (this.#kept.length >= this.#effectsMax) {
      for (const full of this.#kept) full.trail = undefined;
      this.#kept = [];
    }
    this.#kept.push(node);
    const { reads, readValues, readCount, epoch } = this.#store;
    let trail = node.trail;
    if (trail === undefined || node.trailEpoch !== epoch) {
      node.trail = this.#trailFrom(0, effect);
      node.trailEpoch = epoch;
      return;
    }
    for (let base = 0; ;) {
      const { words, from, to } = trail;
      let at = from;
      let read = base;
      while (at < to && words[at] === reads[read] && words[at + 1] === readValues[read]) {
        at += 2;
        read++;
      }
      if (at === to || read >= readCount || words[at] !== reads[read]) throw notAFunction(node);
      const value = readValues[read] as number;
      const fork = findFork(trail, at - from, value);
      if (fork === undefined) {
        trail.forks ??= new Map();
        const forks = trail.forks.get(at - from) ?? { values: [], trails: [] };
        forks.values.push(value);
        forks.trails.push(this.#trailFrom(read, effect));
        trail.forks.set(at - from, forks);
        return;
      }
      trail = fork;
      base = read;
    }
  }

  /** What has been read, but for the first reads. */
  #trailFrom(first: number, effect: Effect): Trail {
    const { reads, readValues, readCount } = this.#store;
    const length = (readCount - first) * 2;
    if (this.#used + length > this.#words.length) {
      const size = Math.min(Math.max(this.#words.length * 2, WORDS_MIN), WORDS_MAX);
      this.#words = new Int32Array(Math.max(size, length));
      this.#used = 0;
    }
    const words = this.#words;
    const from = this.#used;
    let to = from;
    for (let at = first; at < readCount; at++) {
      words[to++] = reads[at] as number;
      words[to++] = readValues[at] as number;
    }
    this.#used = to;
    return { words, from, to, effect, forks: undefined };
  }
}

/** True if the steps of a system are memoised. */
export function isMemoised(system: System): boolean {
  return system.memoise ?? system.check !== undefined;
}

/** The memo of a system, if it wants one; see there for `footprints`. */
export function memoOf(system: System, automaton: Automaton, footprints?: Footprints): StepMemo | undefined {
  if (!isMemoised(system)) return undefined;
  return new StepMemo(system, automaton, undefined, footprints);
}

function findFork(trail: Trail, at: number, value: number): Trail | undefined {
  const forks = trail.forks?.get(at);
  if (forks === undefined) return undefined;
  const index = forks.values.indexOf(value);
  return index < 0 ? undefined : forks.trails[index];
}

/** What the step just recorded has done: the cells of its footprint that have changed. */
function effectOf(
  store: Store,
  next: Node,
  failure: Failure | undefined,
  tallies: number[],
): Omit<Effect, 'footprint'> {
  const { cells: state, reads, readValues, readCount, identities } = store;
  let count = 0;
  for (let at = 0; at < readCount; at++) if (state[reads[at] as number] !== readValues[at]) count++;
  const writes = new Int32Array(count * 3);
  let low = 0;
  let high = 0;
  for (let at = 0, index = 0; index < writes.length; at++) {
    const cell = reads[at] as number;
    const before = readValues[at] as number;
    const after = state[cell] as number;
    if (before === after) continue;
    writes[index++] = cell;
    writes[index++] = before;
    writes[index++] = after;
    if (identities === undefined) {
      low ^= (before === 0 ? 0 : mixLow(cell, before)) ^ (after === 0 ? 0 : mixLow(cell, after));
      high ^= (before === 0 ? 0 : mixHigh(cell, before)) ^ (after === 0 ? 0 : mixHigh(cell, after));
    } else {
      low ^= identities.low(cell, before) ^ identities.low(cell, after);
      high ^= identities.high(cell, before) ^ identities.high(cell, after);
    }
  }
  return { next, failure, writes, low, high, tallies: tallies.length === 0 ? undefined : tallies };
}

function notAFunction(node: Node): HarnessError {
  return new HarnessError(
    `the step "${node.step?.label ?? ''}" does not read the same cells when it finds the same values: it depends on more than the store`,
  );
}
