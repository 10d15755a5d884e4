import type { Store } from '../../../../engine/store.ts';
import type { ConfigGraph, ConfigPlace, ConfigVersion, ConfigWord, MixContent } from './config-graph.ts';
import { both, longerLived, type HoldTable } from '../holds.ts';
import { coversConfig, type Command, type ConfigInvalidation, type ConfigTarget } from '../commands/invalidation.ts';
import type { PhysicalMemory } from '../memory.ts';
import type { PendingCommands } from '../commands/pending.ts';

/** One mix of versions of the words of a structure that hardware may be using. */
export interface ConfigMix {
  readonly content: MixContent;
  /** State (`HoldTable`) of the mix: it goes as soon as one of its words does. */
  readonly state: number;
}

/** Most versions of one word, so that a mix of them has a small key. */
const VERSIONS_MAX = 1 << 10;

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
   * Sets which of some places pointers lead to now: places without a pointer are no longer fetched, the others are read.
   *
   * @param places all places that the pointers could lead to, filled up with new ones.
   */
  reach(places: readonly ConfigPlace[], pointers: readonly ConfigPointer[]): void {
    for (const place of places) place.nextState = 0;
    for (const { target, address, state, from } of pointers) {
      const place = this.#graph.place(target, address);
      place.nextState = longerLived(place.nextState, this.#inherit(state, from, place));
    }
    for (const place of places) {
      this.#store.set(place.reachable, place.nextState);
      if (place.nextState !== 0) this.#read(place, place.nextState);
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
    let key = 0;
    let state = 1;
    // Nearly always one version of each word is held.
    for (const { versions } of place.words) {
      let only = -1;
      for (let index = 0; index < versions.length; index++) {
        const held = this.#holds.state((versions[index] as ConfigVersion).cell);
        if (held === 0) continue;
        if (only !== -1) return this.#allMixes(place);
        only = index;
        state = both(state, held);
      }
      if (only === -1) return [];
      key = key * VERSIONS_MAX + only;
    }
    return [{ content: this.#content(place, key), state }];
  }

  #allMixes(place: ConfigPlace): ConfigMix[] {
    const mixes: ConfigMix[] = [];
    this.#extend(place, 0, 0, 1, mixes);
    return mixes;
  }

  /** Adds the mixes that begin with the versions chosen so far. */
  #extend(place: ConfigPlace, at: number, key: number, state: number, mixes: ConfigMix[]): void {
    const word = place.words[at];
    if (word === undefined) {
      mixes.push({ content: this.#content(place, key), state });
      return;
    }
    const { versions } = word;
    for (let index = 0; index < versions.length; index++) {
      const held = this.#holds.state((versions[index] as ConfigVersion).cell);
      if (held !== 0) this.#extend(place, at + 1, key * VERSIONS_MAX + index, both(state, held), mixes);
    }
  }

  #content(place: ConfigPlace, key: number): MixContent {
    let content = place.mixes.get(key);
    if (content === undefined) {
      const lanes: number[] = [];
      for (let at = place.words.length - 1, rest = key; at >= 0; at--, rest = Math.floor(rest / VERSIONS_MAX)) {
        const version = place.words[at]?.versions[rest % VERSIONS_MAX] as ConfigVersion;
        lanes.unshift(version.low, version.high);
      }
      content = { lanes, entry: undefined, configs: new Map() };
      place.mixes.set(key, content);
    }
    return content;
  }

  /**
   * An invalidation has been issued: what it covers is doomed. The caller then follows the pointers of the streams of
   * these places again, which revives what a fetch that begins now would read.
   *
   * @param touched told of each place of which something is doomed.
   * @returns how many versions it covers.
   */
  invalidate(command: ConfigInvalidation, sequence: number, touched: (place: ConfigPlace) => void): number {
    let doomed = 0;
    for (const place of this.#graph.places) {
      if (!coversConfig(command, place)) continue;
      const before = doomed;
      for (const word of place.words)
        for (const { cell } of word.versions) if (this.#holds.doom(cell, sequence)) doomed++;
      if (doomed > before) touched(place);
    }
    return doomed;
  }

  /**
   * All invalidations before `sequence` have completed: what is still doomed by them goes.
   *
   * @param touched told of each place of which something has gone.
   */
  complete(sequence: number, touched: (place: ConfigPlace) => void): void {
    for (const place of this.#graph.places) {
      let gone = false;
      for (const word of place.words)
        for (const { cell } of word.versions) if (this.#holds.complete(cell, sequence)) gone = true;
      if (gone) touched(place);
    }
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
