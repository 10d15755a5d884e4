import type { Store } from '../../../../engine/store.ts';
import { EVENT } from '../layout/event.ts';
import type { LookupConfig, LookupConfigs, TranslateConfig } from '../configuration/lookup-config.ts';
import type { HoldTable } from '../holds.ts';
import type { FaultMode, Outcome, OutcomeSets, OutcomeTable } from './outcome.ts';
import { ADDRESS_PAGES, PAGE_BYTES, type IndexedUniverse, type InputAddress } from '../universe.ts';
import type { WalkGraph } from '../translation/walk-graph.ts';
import type { Leaf, WalkReader, WalkResult } from '../translation/walk-node.ts';

/** What outcomes are computed from. */
export interface OutcomeParts {
  readonly store: Store;
  readonly universe: IndexedUniverse;
  readonly holds: HoldTable;
  readonly walks: WalkGraph;
  readonly configs: LookupConfigs;
  readonly outcomes: OutcomeTable;
  readonly sets: OutcomeSets;
  /** Pages of 4 KiB within the output address size. */
  readonly outputPages: number;
  /** Overlapping entries of different size may be reported as a conflict (IDR3.BBML < 2). */
  readonly conflicts: boolean;
  readonly nTHonoured: boolean;
}

/** Most outcomes of one slot at one time. */
const OUTCOMES_MAX = 256;

/** The set of permitted outcomes of each slot, kept in the store and computed again when something it rests on changed. */
export class SlotOutcomes {
  readonly #parts: OutcomeParts;
  readonly #cells: number;
  readonly #ids = new Int32Array(OUTCOMES_MAX);
  #count = 0;
  /** The entries that match, up to `#leafCount`. */
  readonly #leaves: Leaf[] = [];
  #leafCount = 0;

  constructor(parts: OutcomeParts) {
    this.#parts = parts;
    const { store, universe, sets } = parts;
    this.#cells = store.reserve(universe.slots.length, 'permitted outcomes');
    store.mean(this.#cells, universe.slots.length, (set) => sets.content(set));
  }

  /** Id of the outcome set of a slot (see `OutcomeSets`). */
  setOf(slot: number): number {
    return this.#parts.store.get(this.#cells + slot);
  }

  /**
   * Computes the outcomes of a slot.
   *
   * @param configSet the configurations that its context may use.
   * @returns whether the set has changed.
   */
  update(slot: number, configSet: number): boolean {
    const { configs, universe } = this.#parts;
    const address = universe.addressOf[slot] as InputAddress;
    return this.put(slot, this.compute(address, configs.at(configSet)));
  }

  /** Sets the outcomes of a slot; true if they have changed. */
  put(slot: number, set: number): boolean {
    const { store } = this.#parts;
    const cell = this.#cells + slot;
    if (store.get(cell) === set) return false;
    store.set(cell, set);
    return true;
  }

  /** The set of outcomes of an address by some configurations. */
  compute(address: InputAddress, by: readonly LookupConfig[]): number {
    const { outcomes, sets, outputPages } = this.#parts;
    this.#count = 0;
    for (const config of by) {
      if (config.kind === 'refusal') this.#add(config.outcome);
      else if (config.kind === 'translate') this.#addTranslations(config, address);
      else this.#add(address.page < outputPages ? outcomes.bypass(address.va) : config.beyond);
    }
    return sets.intern(this.#ids, this.#count);
  }

  /** Hits of held entries, and the ends of walks that may be made now. */
  #addTranslations(config: TranslateConfig, address: InputAddress): void {
    const { holds, walks } = this.#parts;
    const { tag, global, faultMode } = config;
    const own = tag.holds[address.index];
    const shared = global.holds[address.index];
    if (own === undefined || shared === undefined) return;
    this.#leafCount = 0;
    for (const leaf of own.leaves) if (holds.state(leaf.cell) !== 0) this.#addLeaf(leaf, config, address);
    for (const leaf of shared.leaves) if (holds.state(leaf.cell) !== 0) this.#addLeaf(leaf, config, address);
    if (this.#parts.conflicts && this.#leafCount > 1 && this.#conflict())
      this.#add(this.#parts.outcomes.fault(EVENT.F_TLB_CONFLICT));
    for (const reader of own.readers)
      if (walks.stateOf(reader.node) !== 0) this.#addFault(walks.resultOf(reader), faultMode);
    const start = startOf(config, address);
    if (start === undefined) this.#add(this.#parts.outcomes.fault(EVENT.F_TRANSLATION, faultMode));
    else this.#addFault(walks.resultOf(start), faultMode);
  }

  #addLeaf(leaf: Leaf, { faultMode, override }: TranslateConfig, address: InputAddress): void {
    this.#leaves[this.#leafCount++] = leaf;
    const key = (address.index * 8 + faultMode) * 16 + override;
    let outcome = leaf.outcomes.get(key);
    if (outcome === undefined) {
      const pa = leaf.pa + (address.canonicalPage - leaf.page) * PAGE_BYTES;
      outcome = this.#parts.outcomes.translation(pa, leaf.permissions, leaf.attributes, faultMode, override);
      leaf.outcomes.set(key, outcome);
    }
    this.#add(outcome);
  }

  #addFault(result: WalkResult, faultMode: FaultMode): void {
    const { event, fetchAddress, faults } = result;
    if (event === 0) return;
    let outcome = faults[faultMode];
    if (outcome === undefined) {
      const { outcomes } = this.#parts;
      // Only the Translation-related faults obey CD.A, R and S (§5.5).
      outcome =
        event === EVENT.F_WALK_EABT ? outcomes.fault(event, undefined, fetchAddress) : outcomes.fault(event, faultMode);
      faults[faultMode] = outcome;
    }
    this.#add(outcome);
  }

  /**
   * Whether two of the entries that match may be reported as a conflict (§3.21.1, Arm ARM D8.17.1): they differ in size,
   * output address or memory attributes, or one is global and the other is not. Entries from one contiguous run differ
   * in none of these.
   */
  #conflict(): boolean {
    for (let at = 1; at < this.#leafCount; at++)
      for (let other = 0; other < at; other++)
        if (this.#mayConflict(this.#leaves[at] as Leaf, this.#leaves[other] as Leaf)) return true;
    return false;
  }

  #mayConflict(first: Leaf, second: Leaf): boolean {
    if (first.pages !== second.pages) return !(this.#parts.nTHonoured && (first.nT || second.nT));
    return (
      first.pa !== second.pa ||
      first.attributes !== second.attributes ||
      (first.global === undefined) !== (second.global === undefined)
    );
  }

  /** Inserts into the ascending list. */
  #add({ id }: Outcome): void {
    const ids = this.#ids;
    let at = this.#count;
    while (at > 0 && (ids[at - 1] as number) > id) at--;
    if (at > 0 && ids[at - 1] === id) return;
    if (this.#count === OUTCOMES_MAX) throw new RangeError(`more than ${OUTCOMES_MAX} outcomes of one slot`);
    ids.copyWithin(at + 1, at, this.#count);
    ids[at] = id;
    this.#count++;
  }
}

/** The first descriptor that a walk by a CD reads; undefined where the input range, TBI or EPDx refuses the address. */
function startOf({ starts }: TranslateConfig, address: InputAddress): WalkReader | undefined {
  return starts[address.region]?.readerOf[address.index];
}

/** Pages of 4 KiB in an address space of some bits. */
export function pagesOf(bits: number): number {
  return Math.min(2 ** (bits - 12), ADDRESS_PAGES);
}
