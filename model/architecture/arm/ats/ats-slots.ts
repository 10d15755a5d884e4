import type { Store } from '../../../../engine/store.ts';
import type { LookupConfig, LookupConfigs, StageTwoConfig } from '../configuration/lookup-config.ts';
import type { SmmuFeatures } from '../layout/features.ts';
import type { HoldTable } from '../holds.ts';
import { EVENT } from '../layout/event.ts';
import type { DirectOutcome, Outcome, OutcomeSets, OutcomeTable, TranslatedOutcome } from '../outcomes/outcome.ts';
import type { SlotOutcomes } from '../outcomes/outcome-sets.ts';
import type { IpaPage } from '../translation/stage2/ipa-space.ts';
import type { StageTwo } from '../translation/stage2/stage-two.ts';
import type { IndexedUniverse, InputAddress, Slot, StreamContext } from '../universe.ts';
import type { Atc, AtcEntry } from './atc.ts';
import type { AtsConfig, AtsConfigs } from './ats-config.ts';
import {
  answerOf,
  completionOf,
  refusedCompletion,
  type Answer,
  type TranslationCompletion,
  type TranslationRequest,
} from './response.ts';
import { badRequestRecord, translatedOutcome } from './translated-access.ts';

/** What the outcomes of slots with ATS are computed from. */
export interface AtsParts {
  readonly store: Store;
  readonly features: SmmuFeatures;
  readonly universe: IndexedUniverse;
  readonly holds: HoldTable;
  readonly configs: LookupConfigs;
  readonly outcomes: OutcomeTable;
  readonly sets: OutcomeSets;
  readonly slots: SlotOutcomes;
  readonly atc: Atc;
  readonly atsConfigs: AtsConfigs;
  readonly stageTwo: StageTwo;
  /** The configurations of a context as they concern ATS, looked up again. */
  readonly lookup: (context: StreamContext) => readonly AtsConfig[];
}

/**
 * The outcomes of the slots whose device uses ATS: what the SMMU does with accesses that the device has not translated,
 * and what it does with those that the device makes by what its ATC may hold.
 */
export class AtsSlots {
  readonly #parts: AtsParts;
  /** Cell of each context: the set of its configurations as they concern ATS. */
  readonly #contextCells: number;
  /** Cell of each slot: the set of outcomes of accesses that are not translated. */
  readonly #directCells: number;

  constructor(parts: AtsParts) {
    this.#parts = parts;
    const { store, universe, atsConfigs, sets } = parts;
    const { contexts, slots } = universe;
    this.#contextCells = store.reserve(contexts.length, 'ATS configurations permitted');
    store.mean(this.#contextCells, contexts.length, (set) => atsConfigs.content(set));
    this.#directCells = store.reserve(slots.length, 'permitted outcomes without ATS');
    store.mean(this.#directCells, slots.length, (set) => sets.content(set));
  }

  /** Finds out how a context may be configured now; true if that has changed. */
  reconfigure(context: StreamContext): boolean {
    const { store, atc, atsConfigs, lookup } = this.#parts;
    if (!context.slots.some((slot) => atc.serves(slot))) return false;
    const cell = this.#contextCells + context.index;
    const set = atsConfigs.set(lookup(context));
    if (store.get(cell) === set) return false;
    store.set(cell, set);
    return true;
  }

  /**
   * Fills the ATC and computes the outcomes of a slot.
   *
   * @param configSet the configurations that its context may use.
   * @returns whether the outcomes have changed.
   */
  update(slot: number, configSet: number): boolean {
    const { store, slots, configs, sets, atc, universe } = this.#parts;
    const { streamId } = universe.slots[slot] as Slot;
    const address = universe.addressOf[slot] as InputAddress;
    const direct = slots.compute(address, configs.at(configSet));
    store.set(this.#directCells + slot, direct);
    if (!atc.enabled(streamId)) return slots.put(slot, direct);
    const configured = this.#configured(slot);
    this.#fill(slot, configured);
    for (const { address: ipa } of atc.held(slot)) this.demand(slot, ipa);
    const all = new Set(sets.at(direct).map(({ id }) => id));
    for (const entry of atc.held(slot)) for (const outcome of this.#outcomesOf(entry, configured)) all.add(outcome.id);
    const ids = [...all].sort((a, b) => a - b);
    return slots.put(slot, sets.intern(ids, ids.length));
  }

  /** Outcomes of an access that is not translated. */
  direct(slot: number): readonly DirectOutcome[] {
    const { store, sets } = this.#parts;
    return sets.at(store.get(this.#directCells + slot)) as readonly DirectOutcome[];
  }

  /** How a translation request for a slot may be completed now, each way once. */
  completions(slot: number, request: TranslationRequest): TranslationCompletion[] {
    const of = this.#parts.universe.slots[slot] as Slot;
    const pasid = of.substream >= 0;
    const configured = this.#configured(slot);
    const completions: TranslationCompletion[] = [];
    for (const { request: treatment } of configured)
      if (treatment !== 'translated' && treatment !== 'stage1')
        completions.push(refusedCompletion(treatment, () => badRequestRecord(of, request)));
    for (const answer of this.#answers(slot, configured)) completions.push(completionOf(answer, request, pasid));
    const seen = new Set<string>();
    return completions.filter((completion) => {
      const key = JSON.stringify(completion);
      return !seen.has(key) && seen.add(key);
    });
  }

  /** What may happen now to an access of a slot's context with an address that the device says is translated. */
  translated(slot: number, address: number): readonly TranslatedOutcome[] {
    const outcomes = new Set<TranslatedOutcome>();
    for (const config of this.#configured(slot))
      for (const end of this.#ends(config, address))
        outcomes.add(translatedOutcome(this.#parts.outcomes, address, EVERYTHING, end));
    return [...outcomes];
  }

  /** The held entries that give a slot an outcome now. */
  sources(slot: number, outcome: Outcome): AtcEntry[] {
    const configured = this.#configured(slot);
    return this.#parts.atc.held(slot).filter((entry) => this.#outcomesOf(entry, configured).includes(outcome));
  }

  /** The device may use an address for a slot, which may have to be translated by stage 2. */
  demand(slot: number, address: number): void {
    if (address === UNKNOWN_ADDRESS) return;
    for (const { second } of this.#configured(slot)) {
      if (second === undefined) continue;
      this.#parts.stageTwo.serve(pageOf(second, address), slot);
    }
  }

  #configured(slot: number): readonly AtsConfig[] {
    const { store, atsConfigs, universe } = this.#parts;
    const context = universe.contextOf[slot] as StreamContext;
    return atsConfigs.at(store.get(this.#contextCells + context.index));
  }

  /** The device requests whatever it can get. */
  #fill(slot: number, configured: readonly AtsConfig[]): void {
    const { atc, holds, universe, lookup } = this.#parts;
    const brought = this.#brought(slot, configured);
    if (brought.every(({ cell }) => holds.state(cell) === 1)) return;
    const behind = atc.lastBehindSync(slot);
    if (behind === undefined) {
      for (const entry of brought) atc.bring(entry);
      return;
    }
    // What the CMD_SYNC waits for has gone when the CMD_ATC_INV begins: what is brought without that stays.
    const context = universe.contextOf[slot] as StreamContext;
    const later = holds.without(behind.sync, () => this.#brought(slot, lookup(context)));
    for (const entry of brought)
      if (later.includes(entry)) atc.bring(entry);
      else atc.bringBefore(entry, behind.invalidation);
  }

  /** The entries that requests may bring. */
  #brought(slot: number, configured: readonly AtsConfig[]): AtcEntry[] {
    const { atc } = this.#parts;
    const entries: AtcEntry[] = [];
    for (const answer of this.#answers(slot, configured)) {
      if (answer.kind === 'granted') entries.push(atc.entry(slot, answer.address, answer.granted));
      else if (answer.kind === 'unpredictable') entries.push(atc.entry(slot, UNKNOWN_ADDRESS, EVERYTHING));
    }
    return entries;
  }

  /** How requests that are translated may be answered. */
  #answers(slot: number, configured: readonly AtsConfig[]): Answer[] {
    return [...this.#answersOf(slot, configured, 'translated'), ...this.#answersOf(slot, configured, 'stage1')];
  }

  #answersOf(slot: number, configured: readonly AtsConfig[], treatment: 'translated' | 'stage1'): Answer[] {
    const { slots, sets, universe } = this.#parts;
    const used: LookupConfig[] = [];
    for (const { request, config } of configured) if (request === treatment && config !== undefined) used.push(config);
    if (used.length === 0) return [];
    const found = sets.at(slots.compute(universe.addressOf[slot] as InputAddress, used)) as readonly DirectOutcome[];
    const pasid = (universe.slots[slot] as Slot).substream >= 0;
    return found.map((outcome) => answerOf(outcome, pasid, treatment === 'stage1'));
  }

  #outcomesOf({ address, granted }: AtcEntry, configured: readonly AtsConfig[]): Outcome[] {
    const { outcomes } = this.#parts;
    if (address === UNKNOWN_ADDRESS) return [outcomes.unpredictable()];
    return configured.flatMap((config) =>
      this.#ends(config, address).map((end) => translatedOutcome(outcomes, address, granted, end)),
    );
  }

  /** How accesses with a translated address end (§3.9.1.3). */
  #ends({ translated, second }: AtsConfig, address: number): readonly DirectOutcome[] {
    const { outcomes, features, sets, slots } = this.#parts;
    switch (translated) {
      case 'passed': {
        const limit = 2 ** features.oas;
        if (address < limit) return [outcomes.bypass(address)];
        // It is IMPLEMENTATION DEFINED whether the access is aborted or the address truncated (§3.9.1.1).
        return [outcomes.abort(), outcomes.bypass(address % limit)];
      }
      case 'aborted':
        return [outcomes.abort()];
      case 'forbidden':
        return [outcomes.fault(EVENT.F_TRANSL_FORBIDDEN)];
      case 'stage2':
        if (second === undefined) return [];
        return sets.at(slots.compute(pageOf(second, address), [second])) as readonly DirectOutcome[];
    }
  }
}

function pageOf({ stage2 }: StageTwoConfig, address: number): IpaPage {
  return stage2.space.pageAt(address);
}

/** Address of an entry that has come about in a way that the model leaves open. */
const UNKNOWN_ADDRESS = -1;
/** All bits of `PERMISSION`. */
const EVERYTHING = 0x3f;
