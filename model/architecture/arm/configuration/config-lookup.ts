import type { Store } from '../../../../engine/store.ts';
import type { ConfigCache, ConfigPointer } from './config-cache.ts';
import type { ConfigGraph, ConfigPlace, MixContent } from './config-graph.ts';
import { decodeContextDescriptor } from './context-descriptor.ts';
import type { SmmuFeatures } from '../layout/features.ts';
import type { ConfigTarget } from '../commands/invalidation.ts';
import { CD_TABLE_L1 } from '../layout/cd.ts';
import { EVENT } from '../layout/event.ts';
import { extract } from '../layout/layout.ts';
import type { LookupConfig, LookupConfigs } from './lookup-config.ts';
import type { OutcomeTable } from '../outcomes/outcome.ts';
import type { StageTwoOutcomes } from '../outcomes/stage-two-outcomes.ts';
import { NestedFetches } from './nested-fetches.ts';
import { StageTwoStarts } from './stage-two-starts.ts';
import type { StreamTableRegisters } from '../registers.ts';
import {
  decodeStreamEntry,
  l1CdAddress,
  linearCdAddress,
  selectSubstream,
  type El2Entry,
  type StageOneEntry,
  type StageTwoOnlyEntry,
  type StreamEntry,
} from './stream-entry.ts';
import { StreamTable } from './stream-table.ts';
import type { StageTwo } from '../translation/stage2/stage-two.ts';
import type { TagTable } from '../translation/tag.ts';
import type { IndexedUniverse, StreamContext } from '../universe.ts';
import type { WalkGraph } from '../translation/walk-graph.ts';

/** What the lookup of configurations needs of the rest of the model. */
export interface LookupParts {
  readonly features: SmmuFeatures;
  readonly universe: IndexedUniverse;
  readonly graph: ConfigGraph;
  readonly cache: ConfigCache;
  readonly walks: WalkGraph;
  readonly tags: TagTable;
  readonly configs: LookupConfigs;
  readonly outcomes: OutcomeTable;
  /** CR2.E2H. */
  readonly e2h: () => boolean;
  readonly store: Store;
  readonly stageTwo: StageTwo;
  readonly stageTwoOutcomes: StageTwoOutcomes;
}

/**
 * The walk of the configuration structures: from the stream table registers to CDs (IHI 0070 §3.3.1, §3.3.2), through
 * everything that is held or may be fetched.
 */
export class ConfigLookup {
  readonly #parts: LookupParts;
  readonly #streamTable: StreamTable;
  readonly #nested: NestedFetches;
  readonly #starts: StageTwoStarts;
  /** CD indexes that the contexts of each stream may use. */
  readonly #indexes = new Map<number, readonly number[]>();

  constructor(parts: LookupParts) {
    this.#parts = parts;
    this.#streamTable = new StreamTable(parts.graph, parts.cache);
    this.#nested = new NestedFetches(parts);
    const { contexts, streamIds } = parts.universe;
    this.#starts = new StageTwoStarts(parts.store, parts.stageTwo, streamIds);
    for (const streamId of streamIds) {
      const used = contexts.filter((context) => context.streamId === streamId);
      this.#indexes.set(streamId, [...new Set(used.map(({ substream }) => Math.max(0, substream)))]);
    }
  }

  /** Follows all pointers for one stream and reads what they lead to. */
  follow(streamId: number, registers: StreamTableRegisters): void {
    const { cache, graph } = this.#parts;
    const { entries, l1Descriptors, descriptors } = graph.stream(streamId);
    cache.reach(entries, this.#streamTable.follow(streamId, registers));
    // Only an STE that is fetched or cached while the SMMU is enabled is followed.
    const held = registers.enabled ? this.#entriesOf(entries) : [];
    this.#starts.set(streamId, held);
    const l1Pointers: ConfigPointer[] = [];
    const pointers: ConfigPointer[] = [];
    for (const { entry, state, place } of held) {
      if (entry.kind !== 'stage1') continue;
      for (const index of this.#indexes.get(streamId) ?? []) {
        if (index >= 2 ** entry.cdMax) continue;
        const list = entry.split < 0 ? pointers : l1Pointers;
        const pointer = cdPointer(entry, index, state, place);
        if (entry.stage2 === undefined) list.push(pointer);
        else list.push(...this.#nested.through(entry, pointer));
      }
    }
    cache.reach(l1Descriptors, l1Pointers);
    if (registers.enabled) for (const place of l1Descriptors) this.#throughL1(place, held, pointers);
    cache.reach(descriptors, pointers);
  }

  /** The STEs of some places that are held. */
  #entriesOf(places: readonly ConfigPlace[]): HeldEntry[] {
    const held: HeldEntry[] = [];
    for (const place of places)
      for (const { content, state } of this.#parts.cache.mixes(place))
        held.push({ entry: this.#decode(content), state, place });
    return held;
  }

  /**
   * The configurations that a context may use now.
   *
   * @param through if given it takes them, each with the STE that it was found through, if one could be fetched.
   */
  configsOf(
    context: StreamContext,
    registers: StreamTableRegisters,
    through?: (config: LookupConfig, entry: MixContent | undefined) => void,
  ): LookupConfig[] {
    const { cache, configs, graph, outcomes } = this.#parts;
    if (!registers.enabled) {
      const abort = outcomes.abort();
      return [registers.globalAbort ? configs.refusal(abort) : configs.bypass(abort)];
    }
    const { streamId } = context;
    const found: LookupConfig[] = [];
    if (this.#streamTable.badStreamId(streamId, registers)) {
      const outcome = registers.recordBadStreamId ? outcomes.fault(EVENT.C_BAD_STREAMID) : outcomes.abort();
      found.push(configs.refusal(outcome));
    }
    for (const place of this.#streamTable.l1Of(streamId))
      if (cache.aborts(place)) found.push(this.#fetchFault(EVENT.F_STE_FETCH, place));
    for (const place of graph.stream(streamId).entries) {
      if (cache.aborts(place)) found.push(this.#fetchFault(EVENT.F_STE_FETCH, place));
      if (through !== undefined) for (const config of found.splice(0)) through(config, undefined);
      for (const { content } of cache.mixes(place)) {
        this.#throughEntry(context, this.#decode(content), found);
        if (through !== undefined) for (const config of found.splice(0)) through(config, content);
      }
    }
    if (through !== undefined) for (const config of found.splice(0)) through(config, undefined);
    return found;
  }

  /** What an STE says now. */
  #decode(content: MixContent): Exclude<StreamEntry, El2Entry> {
    const { features, e2h } = this.#parts;
    content.entry ??= decodeStreamEntry(features, content.lanes);
    const { entry } = content;
    if (entry.kind !== 'el2') return entry;
    return e2h() ? entry.e2h : entry.plain;
  }

  /** Accesses go to stage 2 with their input address, or to memory if there is no stage 2. */
  #bypassStageOne({ stage2, override }: StageOneEntry | StageTwoOnlyEntry): LookupConfig {
    const { configs, outcomes, stageTwo } = this.#parts;
    const beyond = outcomes.fault(EVENT.F_ADDR_SIZE);
    return stage2 === undefined ? configs.bypass(beyond) : configs.stageTwo(stageTwo.use(stage2), override, beyond);
  }

  #throughEntry(context: StreamContext, entry: Exclude<StreamEntry, El2Entry>, found: LookupConfig[]): void {
    const { configs, features, outcomes } = this.#parts;
    switch (entry.kind) {
      case 'illegal':
        found.push(configs.refusal(outcomes.fault(EVENT.C_BAD_STE)));
        return;
      case 'abort':
        found.push(configs.refusal(outcomes.abort()));
        return;
      case 'bypass':
        if (context.substream >= 0) found.push(configs.refusal(outcomes.fault(EVENT.C_BAD_SUBSTREAMID)));
        else found.push(configs.bypass(outcomes.fault(EVENT.F_ADDR_SIZE)));
        return;
      case 'stage2':
        if (context.substream >= 0) found.push(configs.refusal(outcomes.fault(EVENT.C_BAD_SUBSTREAMID)));
        else found.push(this.#bypassStageOne(entry));
        return;
      case 'stage1':
        // An IPA beyond the IPA size may be found out before stage 2 is asked (§3.4.3 note 2).
        if (entry.contextPtr >= 2 ** features.oas) found.push(configs.refusal(outcomes.fault(EVENT.C_BAD_STE)));
        this.#throughStageOne(context, entry, found);
    }
  }

  #throughStageOne(context: StreamContext, entry: StageOneEntry, found: LookupConfig[]): void {
    const { cache, configs, graph, outcomes } = this.#parts;
    const choice = selectSubstream(entry, context.substream);
    if (choice.kind === 'event') {
      found.push(configs.refusal(outcomes.fault(choice.event)));
      return;
    }
    if (choice.kind === 'bypass') {
      found.push(this.#bypassStageOne(entry));
      return;
    }
    const { l1Descriptors, descriptors } = graph.stream(context.streamId);
    const { index } = choice;
    if (entry.stage2 !== undefined)
      this.#nested.addFaults(entry, entry.split < 0 ? linearCdAddress(entry, index) : l1CdAddress(entry, index), found);
    if (entry.split >= 0)
      for (const place of l1Descriptors) {
        if (!hasSubstream(place, index)) continue;
        if (cache.aborts(place)) found.push(this.#fetchFault(EVENT.F_CD_FETCH, place));
        for (const { content } of cache.mixes(place)) this.#throughL1Descriptor(entry, place, content, index, found);
      }
    for (const place of descriptors) {
      if (!hasSubstream(place, index)) continue;
      if (cache.aborts(place)) found.push(this.#fetchFault(EVENT.F_CD_FETCH, place));
      for (const { content } of cache.mixes(place)) {
        let config = content.configs.get(entry);
        if (config === undefined) {
          config = this.#throughDescriptor(entry, content);
          content.configs.set(entry, config);
        }
        found.push(config);
      }
    }
  }

  /** The ends of a lookup at an L1CD. */
  #throughL1Descriptor(
    entry: StageOneEntry,
    place: ConfigPlace,
    { lanes }: MixContent,
    index: number,
    found: LookupConfig[],
  ): void {
    const { configs, features, outcomes } = this.#parts;
    const table = cdTableOf(lanes);
    // An IPA beyond the IPA size may be found out before stage 2 is asked (§3.4.3 note 4).
    if (table === undefined || table >= 2 ** features.oas)
      found.push(configs.refusal(outcomes.fault(EVENT.C_BAD_SUBSTREAMID)));
    if (table !== undefined) this.#nested.addFaults(entry, table + 64 * (index - place.substream), found);
  }

  #throughDescriptor(entry: StageOneEntry, { lanes }: MixContent): LookupConfig {
    const { features, stageTwo, tags, universe, walks, configs, outcomes } = this.#parts;
    const descriptor = decodeContextDescriptor(features, entry, lanes);
    if (descriptor === undefined) return configs.refusal(outcomes.fault(EVENT.C_BAD_CD));
    const { asid, aset, faultMode, tables } = descriptor;
    const tag = tags.tag(entry.vmid, asid);
    const [table0, table1] = tables;
    const stage2 = entry.stage2 && stageTwo.use(entry.stage2);
    const under = { tag, aset, addresses: universe.addresses, space: stage2?.space };
    return configs.translate({
      tag,
      global: tags.global(entry.vmid, aset),
      faultMode,
      override: entry.override,
      starts: [table0 && walks.start(under, table0), table1 && walks.start(under, table1)],
      stage2,
    });
  }

  #fetchFault(event: number, place: ConfigPlace): LookupConfig {
    const { configs, outcomes } = this.#parts;
    return configs.refusal(outcomes.fault(event, undefined, place.address));
  }

  /** Adds the pointers to CDs that an L1CD has. */
  #throughL1(place: ConfigPlace, held: readonly HeldEntry[], pointers: ConfigPointer[]): void {
    const { cache, features } = this.#parts;
    const readers = held.filter(isTwoLevel);
    const nested = readers.filter(({ entry }) => entry.stage2 !== undefined);
    for (const { content, state } of cache.mixes(place)) {
      const table = cdTableOf(content.lanes);
      if (table === undefined) continue;
      for (const index of this.#indexes.get(place.streamId) ?? []) {
        if (!hasSubstream(place, index)) continue;
        // The table is aligned to 4 KiB; the address bits that 64 KiB tables do not need are zero by software's duty.
        const address = table + 64 * (index - place.substream);
        const pointer = { target: cdTarget(place.streamId, index), address, state, from: place };
        // It holds a physical address, unless only STEs with stage 2 are there to read it.
        if (nested.length < readers.length || readers.length === 0)
          if (table < 2 ** features.oas) pointers.push(pointer);
        for (const { entry } of nested) pointers.push(...this.#nested.through(entry, pointer));
      }
    }
  }
}

/** An STE that may be in use. */
export interface HeldEntry {
  readonly entry: StreamEntry;
  readonly state: number;
  readonly place: ConfigPlace;
}

function isTwoLevel(held: HeldEntry): held is HeldEntry & { readonly entry: StageOneEntry } {
  return held.entry.kind === 'stage1' && held.entry.split >= 0;
}

/** The CD table that an L1CD points to; undefined if it is invalid (§5.3). */
function cdTableOf(lanes: readonly number[]): number | undefined {
  const low = lanes[0] as number;
  const high = lanes[1] as number;
  if (extract(CD_TABLE_L1.fields.V, low, high) === 0) return undefined;
  return extract(CD_TABLE_L1.fields.L2Ptr, low, high);
}

function cdTarget(streamId: number, index: number): ConfigTarget {
  return { kind: 'CD', streamId, streams: 1, substream: index, substreams: 1 };
}

/** From an STE to a CD, or to the L1CD on the way to it. */
function cdPointer(entry: StageOneEntry, index: number, state: number, from: ConfigPlace): ConfigPointer {
  const { streamId } = from;
  if (entry.split < 0)
    return { target: cdTarget(streamId, index), address: linearCdAddress(entry, index), state, from };
  const substreams = 2 ** entry.split;
  const substream = Math.floor(index / substreams) * substreams;
  const target = { kind: 'L1CD', streamId, streams: 1, substream, substreams } as const;
  return { target, address: l1CdAddress(entry, index), state, from };
}

function hasSubstream(place: ConfigPlace, index: number): boolean {
  return index >= place.substream && index < place.substream + place.substreams;
}
