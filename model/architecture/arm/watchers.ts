import type { ConfigWord } from './configuration/config-graph.ts';
import type { WalkReader } from './translation/walk-node.ts';

/** What reads a 64-bit word of memory: walks of stage 1 and of stage 2, and fetches of configuration. */
export interface Watchers {
  readonly readers: WalkReader[];
  readonly stageTwo: WalkReader[];
  readonly words: ConfigWord[];
}

/** What reads each word that is ever read. It only grows. */
export class WatchedWords {
  readonly #byAddress = new Map<number, Watchers>();

  /** What reads the word at an address; undefined if nothing does. */
  at(pa: number): Watchers | undefined {
    return this.#byAddress.get(pa);
  }

  /** What reads the word at an address, to add to. */
  of(pa: number): Watchers {
    let watchers = this.#byAddress.get(pa);
    if (watchers === undefined) {
      watchers = { readers: [], stageTwo: [], words: [] };
      this.#byAddress.set(pa, watchers);
    }
    return watchers;
  }
}
