import { coversTlb, type TlbInvalidation } from '../commands/invalidation.ts';
import type { HoldTable } from '../holds.ts';
import type { Translation } from '../translation/translation.ts';
import type { Leaf } from '../translation/walk-node.ts';
import type { CoveredEntry, InvalidationCause, InvalidationListener } from './listener.ts';
import { PresentWalks } from './present-walks.ts';

/** Those who want to know what invalidations cover (`InvalidationListener`). */
export class Audience {
  readonly #translation: Translation;
  readonly #holds: HoldTable;
  readonly #present: PresentWalks;
  readonly #listeners: InvalidationListener[] = [];

  constructor(translation: Translation, holds: HoldTable) {
    this.#translation = translation;
    this.#holds = holds;
    this.#present = new PresentWalks(translation, holds);
  }

  add(listener: InvalidationListener): void {
    this.#listeners.push(listener);
  }

  /**
   * An invalidation is about to doom what it covers.
   *
   * @param binding false if the SMMU is permitted to ignore it.
   */
  tell(by: InvalidationCause['by'], command: TlbInvalidation, binding: boolean): void {
    if (this.#listeners.length === 0) return;
    // Of a broadcast: all that it matches, even what may opt out of it.
    const { broadcast, ...matching } = command;
    const cause = { by, command };
    const { walks, combined, stageTwo } = this.#translation;
    for (const leaves of [walks.leaves, combined.leaves, stageTwo.walks.leaves])
      for (const leaf of leaves) {
        if (this.#holds.state(leaf.cell) !== 1 || !coversTlb(matching, leaf)) continue;
        const required = binding && (broadcast === undefined || coversTlb(command, leaf));
        const entry = describe(leaf, this.#present.make(leaf), required);
        for (const listener of this.#listeners) listener(entry, cause);
      }
  }
}

function describe(leaf: Leaf, valid: boolean, required: boolean): CoveredEntry {
  const { vmid, asid, aset = 0, parts, page } = leaf;
  return { vmid, asid, aset, stage: parts === undefined ? leaf.stage : 'combined', page, valid, required };
}
