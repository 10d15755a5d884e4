import { mixHigh, mixLow } from '../hash.ts';
import type { Node } from '../automaton.ts';
import type { Identities } from '../identities.ts';
import type { Store } from '../store.ts';

/** The fingerprint of a state, kept up to date from the undo log and the change of one agent's node. */
export class Fingerprint {
  low = 0;
  high = 0;

  /** Takes in what was written since `from` (an undo mark). */
  absorbWrites(store: Store, from: number): void {
    if (store.identities !== undefined) return this.#absorbNamed(store, store.identities, from);
    const { logCell, logOld, logNew, logLength } = store;
    let low = this.low;
    let high = this.high;
    for (let at = from; at < logLength; at++) {
      const cell = logCell[at] as number;
      const before = logOld[at] as number;
      const after = logNew[at] as number;
      if (before !== 0) {
        low ^= mixLow(cell, before);
        high ^= mixHigh(cell, before);
      }
      if (after !== 0) {
        low ^= mixLow(cell, after);
        high ^= mixHigh(cell, after);
      }
    }
    this.low = low;
    this.high = high;
  }

  /** The same where some cells or values stand for something else than their numbers. */
  #absorbNamed({ logCell, logOld, logNew, logLength }: Store, identities: Identities, from: number): void {
    for (let at = from; at < logLength; at++) {
      const cell = logCell[at] as number;
      const before = logOld[at] as number;
      const after = logNew[at] as number;
      this.low ^= identities.low(cell, before) ^ identities.low(cell, after);
      this.high ^= identities.high(cell, before) ^ identities.high(cell, after);
    }
  }

  /** Takes an agent's local state out, or in: the same operation. */
  toggleNode(node: Node): void {
    this.low ^= node.low;
    this.high ^= node.high;
  }
}
