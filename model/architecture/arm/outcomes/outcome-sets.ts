import type { Store } from '../../../../engine/store.ts';
import { EVENT } from '../layout/event.ts';
import type { LookupConfig, LookupConfigs, TranslateConfig } from '../configuration/lookup-config.ts';
import type { HoldTable } from '../holds.ts';
import { ipaThrough } from '../translation/nested/combined-entries.ts';
import type { AddressHolds } from '../translation/tag.ts';
import { mayConflict } from './conflict.ts';
import { FAULT_MODE, type Outcome, type OutcomeSets, type OutcomeTable } from './outcome.ts';
import type { StageTwoOutcomes } from './stage-two-outcomes.ts';
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
  readonly stageTwo: StageTwoOutcomes;
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
  readonly #addOutcome = (outcome: Outcome): void => this.#add(outcome);

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
    const { outcomes, sets, outputPages, stageTwo } = this.#parts;
    this.#count = 0;
    for (const config of by) {
      if (config.kind === 'refusal') this.#add(config.outcome);
      else if (config.kind === 'translate') this.#addTranslations(config, address);
      else if (config.kind === 'stage2') {
        if (address.page < outputPages) stageTwo.direct(config, address, this.#addOutcome);
        else this.#add(config.beyond);
      } else this.#add(address.page < outputPages ? outcomes.bypass(address.va) : config.beyond);
    }
    return sets.intern(this.#ids, this.#count);
  }

  /** Hits of held entries, and the ends of walks that may be made now. */
  #addTranslations(config: TranslateConfig, address: InputAddress): void {
    const { holds, walks } = this.#parts;
    const { tag, global, faultMode, override } = config;
    const own = tag.holds[address.index];
    const shared = global.holds[address.index];
    if (own === undefined || shared === undefined) return;
    this.#leafCount = 0;
    for (const leaf of own.leaves) if (holds.state(leaf.cell) !== 0) this.#addLeaf(leaf, config, address);
    for (const leaf of shared.leaves) if (holds.state(leaf.cell) !== 0) this.#addLeaf(leaf, config, address);
    this.#addConflict(override);
    for (const reader of own.readers) if (walks.stateOf(reader.node) !== 0) this.#addWalk(reader, config);
    const start = startOf(config, address);
    if (start === undefined) this.#add(this.#parts.outcomes.fault(EVENT.F_TRANSLATION, faultMode, 0, override));
    else this.#addWalk(start, config);
    if (config.stage2 !== undefined) this.#addOutputs(config, own, shared, address);
  }

  #addLeaf(leaf: Leaf, { faultMode, override, stage2 }: TranslateConfig, address: InputAddress): void {
    this.#leaves[this.#leafCount++] = leaf;
    const mode = stage2 === undefined ? FAULT_MODE.ABORT_RECORD : stage2.faultMode;
    const key = ((address.index * 8 + faultMode) * 8 + mode) * 16 + override;
    let outcome = leaf.outcomes.get(key);
    if (outcome === undefined) {
      const pa = leaf.pa + (address.canonicalPage - leaf.page) * PAGE_BYTES;
      const { permissions, attributes, parts } = leaf;
      const part = parts && { first: parts.first.permissions, faultMode: mode, ipa: ipaThrough(parts, address) };
      outcome = this.#parts.outcomes.translation(pa, permissions, attributes, faultMode, override, part);
      leaf.outcomes.set(key, outcome);
    }
    this.#add(outcome);
  }

  /** The end of a walk that reads a descriptor now, where that is a fault. */
  #addWalk(reader: WalkReader, config: TranslateConfig): void {
    const { holds, stageTwo, walks } = this.#parts;
    if (reader.ipa === undefined) {
      this.#addFault(walks.resultOf(reader), config);
      return;
    }
    for (const fetch of reader.fetches)
      if (holds.state(fetch.cell) !== 0) this.#addFault(walks.resultOf(fetch), config);
    stageTwo.ofWalk(reader, config, this.#addOutcome);
  }

  #addFault(result: WalkResult, { faultMode, override }: TranslateConfig): void {
    const { event, fetchAddress, faults } = result;
    if (event === 0) return;
    const at = faultMode + 8 * override;
    let outcome = faults[at];
    if (outcome === undefined) {
      const { outcomes } = this.#parts;
      // Only the Translation-related faults obey CD.A, R and S (§5.5).
      const mode = event === EVENT.F_WALK_EABT ? undefined : faultMode;
      outcome = outcomes.fault(event, mode, event === EVENT.F_WALK_EABT ? fetchAddress : 0, override);
      faults[at] = outcome;
    }
    this.#add(outcome);
  }

  /** What stage 2 says to what stage 1 has found out. */
  #addOutputs(config: TranslateConfig, own: AddressHolds, shared: AddressHolds, address: InputAddress): void {
    const { holds, stageTwo } = this.#parts;
    this.#leafCount = 0;
    for (const { firstStage } of [own, shared])
      for (const leaf of firstStage) if (holds.state(leaf.cell) !== 0) this.#leaves[this.#leafCount++] = leaf;
    this.#addConflict(config.override);
    stageTwo.ofOutputs(own, config, address, this.#addOutcome);
    stageTwo.ofOutputs(shared, config, address, this.#addOutcome);
  }

  #addConflict(override: number): void {
    const { conflicts, nTHonoured, outcomes } = this.#parts;
    if (conflicts && this.#leafCount > 1 && mayConflict(this.#leaves, this.#leafCount, nTHonoured))
      this.#add(outcomes.fault(EVENT.F_TLB_CONFLICT, undefined, 0, override));
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
