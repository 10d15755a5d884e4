import type { Store } from '../../../engine/store.ts';
import type { ConfigGraph, ConfigPlace, ConfigVersion, ConfigWord } from './config-graph.ts';
import { both, type HoldTable } from './holds.ts';
import { coversConfig, type Command, type ConfigInvalidation, type ConfigTarget } from './invalidation.ts';
import type { PhysicalMemory } from './memory.ts';
import type { PendingCommands } from './pending.ts';

/** One mix of versions of the words of a structure that hardware may be using. */
export interface ConfigMix {
  /** Low and high lane of each word. */
  readonly lanes: readonly number[];
  /** State (`HoldTable`) of the mix: it goes as soon as one of its words does. */
  readonly state: number;
}

/** A valid pointer to a structure. */
export interface ConfigPointer {
  readonly target: ConfigTarget;
  readonly address: number;
  /** State of the pointer, and the structure that it was read from (undefined: a register). */
  readonly state: number;
  readonly from: ConfigPlace | undefined;
}

/**
 * The configuration caches, as full as any hardware may have them: every version of every word of a reachable structure
 * that has been in memory since the last completed invalidation of it (IHI 0070 §3.21.3).
 */
export class ConfigCache {
  readonly #store: Store;
  readonly #graph: ConfigGraph;
  readonly #holds: HoldTable;
  readonly #memory: PhysicalMemory;
  readonly #pending: PendingCommands;

  constructor(store: Store, graph: ConfigGraph, holds: HoldTable, memory: PhysicalMemory, pending: PendingCommands) {
    this.#store = store;
    this.#graph = graph;
    this.#holds = holds;
    this.#memory = memory;
    this.#pending = pending;
  }

  /** State of the best pointer that leads to a place now, 0 for none. */
  reachable(place: ConfigPlace): number {
    return this.#store.get(place.reachable);
  }

  /** True if a fetch of a place is possible and would be aborted. */
  aborts(place: ConfigPlace): boolean {
    return this.reachable(place) !== 0 && !this.#memory.present(place.address);
  }

  /**
   * The places of one kind for one stream (or span), with the pointers that lead to them now: places without a pointer
   * are no longer fetched, the others are read.
   *
   * @param covers which places the pointers are all of.
   */
  reach(pointers: readonly ConfigPointer[], covers: (place: ConfigPlace) => boolean): void {
    const states = new Map<ConfigPlace, number>();
    for (const { target, address, state, from } of pointers) {
      const place = this.#graph.place(target, address);
      const inherited = this.#inherit(state, from, place);
      states.set(place, later(states.get(place) ?? 0, inherited));
    }
    for (const place of this.#graph.places) {
      if (!covers(place)) continue;
      const state = states.get(place) ?? 0;
      this.#store.set(place.reachable, state);
      if (state !== 0) this.#read(place, state);
    }
  }

  /** The word has been written: true if hardware may now hold something new. */
  reread(word: ConfigWord): boolean {
    const state = this.reachable(word.place);
    if (state === 0) return false;
    return this.#holds.raise(this.#current(word).cell, state);
  }

  /** Every mix of versions of a place's words that is held. */
  mixes(place: ConfigPlace): ConfigMix[] {
    let mixes: ConfigMix[] = [{ lanes: [], state: 1 }];
    for (const word of place.words) {
      const longer: ConfigMix[] = [];
      for (const version of word.versions) {
        const held = this.#holds.state(version.cell);
        if (held === 0) continue;
        for (const { lanes, state } of mixes)
          longer.push({ lanes: [...lanes, version.low, version.high], state: both(state, held) });
      }
      mixes = longer;
    }
    return mixes;
  }

  /**
   * An invalidation has been issued: what it covers is doomed. The caller then follows all pointers again, which revives
   * what a fetch that begins now would read.
   *
   * @returns how many versions it covers.
   */
  invalidate(command: ConfigInvalidation, sequence: number): number {
    let doomed = 0;
    for (const place of this.#graph.places) {
      if (!coversConfig(command, place)) continue;
      for (const word of place.words)
        for (const { cell } of word.versions) if (this.#holds.doom(cell, sequence)) doomed++;
    }
    return doomed;
  }

  /** All invalidations before `sequence` have completed: what is still doomed by them goes. True if anything went. */
  complete(sequence: number): boolean {
    let gone = false;
    for (const place of this.#graph.places)
      for (const word of place.words)
        for (const { cell } of word.versions) if (this.#holds.complete(cell, sequence)) gone = true;
    return gone;
  }

  #read(place: ConfigPlace, state: number): void {
    // A fetch that is aborted leaves nothing behind (§3.21.3).
    if (!this.#memory.present(place.address)) return;
    for (const word of place.words) this.#holds.raise(this.#current(word).cell, state);
  }

  #current(word: ConfigWord): ConfigVersion {
    return this.#graph.version(word, this.#memory.low(word.pa), this.#memory.high(word.pa));
  }

  #inherit(state: number, from: ConfigPlace | undefined, to: ConfigPlace): number {
    if (from === undefined) return state;
    const covers = (command: Command): boolean =>
      command.kind === 'config' && coversConfig(command, from) && coversConfig(command, to);
    return this.#pending.inherit(state, covers);
  }
}

/** The better of two states: held fresh, else doomed by the later command. */
function later(first: number, second: number): number {
  return first === 1 || second === 1 ? 1 : Math.max(first, second);
}
