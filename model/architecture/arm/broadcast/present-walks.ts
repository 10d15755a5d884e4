import type { HoldTable } from '../holds.ts';
import type { Translation } from '../translation/translation.ts';
import type { CombinedFetch, Leaf, WalkNode, WalkReader, WalkResult } from '../translation/walk-node.ts';

/** What walks from the configuration in use find in memory now, whatever is held. */
export class PresentWalks {
  readonly #translation: Translation;
  readonly #holds: HoldTable;

  constructor(translation: Translation, holds: HoldTable) {
    this.#translation = translation;
    this.#holds = holds;
  }

  /** Whether a walk makes an entry. */
  make(leaf: Leaf): boolean {
    const { parts, producers } = leaf;
    if (parts !== undefined) return this.make(parts.first) && this.make(parts.second);
    return producers.some((reader) => this.#reach(reader) && this.#resultOf(reader).leaves.includes(leaf));
  }

  /** Whether a walk reads a descriptor. */
  #reach(reader: WalkReader): boolean {
    return (!isFetch(reader) || this.make(reader.through)) && this.#pass(reader.node);
  }

  /** Whether a walk comes through a table. */
  #pass(node: WalkNode): boolean {
    if (node.start) return this.#holds.state(node.cell) !== 0;
    if (this.#lead(node)) return true;
    return this.#translation.walks.servedByTwin(node) && this.#lead(node.twin);
  }

  /** Whether a descriptor that a walk reads leads to a table. */
  #lead(node: WalkNode): boolean {
    return node.producers.some((reader) => this.#reach(reader) && this.#resultOf(reader).node === node);
  }

  #resultOf(reader: WalkReader): WalkResult {
    const { walks, stageTwo } = this.#translation;
    return (reader.node.stage === 2 ? stageTwo.walks : walks).resultOf(reader);
  }
}

function isFetch(reader: WalkReader): reader is CombinedFetch {
  return 'through' in reader;
}
