import type { ConfigWord } from './configuration/config-graph.ts';
import type { WalkReader } from './translation/walk-node.ts';

/** What reads a 64-bit word of memory: walks of stage 1 and of stage 2, and fetches of configuration. */
export interface Watchers {
  readonly readers: WalkReader[];
  readonly stageTwo: WalkReader[];
  readonly words: ConfigWord[];
}

/** What reads each word that is ever read. It only grows. */
export class WatchTable {
  readonly #byAddress = new Map<number, Watchers>();

  /** What reads the word at an address; undefined if nothing does. */
  find(pa: number): Watchers | undefined {
    return this.#byAddress.get(pa);
  }

  /** The word at an address may be read by a walk of a stage. */
  addReader(pa: number, stage: 1 | 2, reader: WalkReader): void {
    const { readers, stageTwo } = this.#at(pa);
    (stage === 1 ? readers : stageTwo).push(reader);
  }

  /** The word at an address is a part of a configuration structure. */
  addWord(pa: number, word: ConfigWord): void {
    this.#at(pa).words.push(word);
  }

  #at(pa: number): Watchers {
    let watchers = this.#byAddress.get(pa);
    if (watchers === undefined) {
      watchers = { readers: [], stageTwo: [], words: [] };
      this.#byAddress.set(pa, watchers);
    }
    return watchers;
  }
}
