import type { ConfigCache, ConfigPointer } from './config-cache.ts';
import type { ConfigGraph, ConfigPlace } from './config-graph.ts';
import { decodeContextDescriptor } from './context-descriptor.ts';
import type { SmmuFeatures } from './features.ts';
import type { ConfigTarget } from './invalidation.ts';
import { CD_TABLE_L1 } from './layout/cd.ts';
import { EVENT } from './layout/event.ts';
import { extract } from './layout/layout.ts';
import type { LookupConfig, LookupConfigs } from './lookup-config.ts';
import type { OutcomeTable } from './outcome.ts';
import type { StreamTableRegisters } from './registers.ts';
import {
  alignDown,
  decodeStreamEntry,
  l1CdAddress,
  linearCdAddress,
  selectSubstream,
  steFromL1,
  type StageOneEntry,
} from './stream-entry.ts';
import type { TagTable } from './tag.ts';
import type { IndexedUniverse, StreamContext } from './universe.ts';
import type { WalkGraph } from './walk-graph.ts';

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
}

/**
 * The walk of the configuration structures: from the stream table registers to CDs (IHI 0070 §3.3.1, §3.3.2), through
 * everything that is held or may be fetched.
 */
export class ConfigLookup {
  readonly #parts: LookupParts;
  /** CD indexes that the contexts of each stream may use. */
  readonly #indexes = new Map<number, readonly number[]>();

  constructor(parts: LookupParts) {
    this.#parts = parts;
    const { contexts, streamIds } = parts.universe;
    for (const streamId of streamIds) {
      const used = contexts.filter((context) => context.streamId === streamId);
      this.#indexes.set(streamId, [...new Set(used.map(({ substream }) => Math.max(0, substream)))]);
    }
  }

  /** Follows all pointers for one stream and reads what they lead to. */
  follow(streamId: number, registers: StreamTableRegisters): void {
    const { cache, graph, features } = this.#parts;
    const ofStream = (kind: ConfigTarget['kind']) => (place: ConfigPlace) =>
      place.kind === kind && place.streamId === streamId;
    cache.reach(this.#stePointers(streamId, registers), ofStream('STE'));
    const l1Pointers: ConfigPointer[] = [];
    const cdPointers: ConfigPointer[] = [];
    for (const place of graph.places) {
      if (!ofStream('STE')(place)) continue;
      for (const { lanes, state } of cache.mixes(place)) {
        const entry = decodeStreamEntry(features, lanes);
        // Only an STE that is fetched or cached while the SMMU is enabled is followed.
        if (entry.kind !== 'stage1' || !registers.enabled) continue;
        for (const index of this.#indexes.get(streamId) ?? []) {
          if (index >= 2 ** entry.cdMax) continue;
          const pointers = entry.split < 0 ? cdPointers : l1Pointers;
          pointers.push(cdPointer(entry, streamId, index, state, place));
        }
      }
    }
    cache.reach(l1Pointers, ofStream('L1CD'));
    if (registers.enabled) cdPointers.push(...this.#cdPointersOfL1(streamId));
    cache.reach(cdPointers, ofStream('CD'));
  }

  /** The configurations that a context may use now. */
  configsOf(context: StreamContext, registers: StreamTableRegisters): LookupConfig[] {
    const { cache, configs, features, graph, outcomes } = this.#parts;
    if (!registers.enabled) {
      const abort = outcomes.abort();
      return [registers.globalAbort ? configs.refusal(abort) : configs.bypass(abort)];
    }
    const found: LookupConfig[] = [];
    if (this.#badStreamId(context.streamId, registers))
      found.push(
        configs.refusal(registers.recordBadStreamId ? outcomes.fault(EVENT.C_BAD_STREAMID) : outcomes.abort()),
      );
    for (const place of graph.places) {
      if (place.streamId !== context.streamId && place.kind !== 'L1STD') continue;
      if (place.kind === 'L1STD' && inSpan(place, context.streamId) && cache.aborts(place))
        found.push(this.#fetchFault(EVENT.F_STE_FETCH, place));
      if (place.kind !== 'STE') continue;
      if (cache.aborts(place)) found.push(this.#fetchFault(EVENT.F_STE_FETCH, place));
      for (const { lanes } of cache.mixes(place)) {
        const entry = decodeStreamEntry(features, lanes);
        if (entry.kind === 'illegal') found.push(configs.refusal(outcomes.fault(EVENT.C_BAD_STE)));
        else if (entry.kind === 'abort') found.push(configs.refusal(outcomes.abort()));
        else if (entry.kind === 'notModelled') found.push(configs.refusal(outcomes.unpredictable()));
        else if (entry.kind === 'stage1') found.push(...this.#throughStageOne(context, entry));
        else if (context.substream >= 0) found.push(configs.refusal(outcomes.fault(EVENT.C_BAD_SUBSTREAMID)));
        else found.push(configs.bypass(outcomes.fault(EVENT.F_ADDR_SIZE)));
      }
    }
    return found;
  }

  #throughStageOne(context: StreamContext, entry: StageOneEntry): LookupConfig[] {
    const { cache, configs, features, graph, outcomes } = this.#parts;
    const choice = selectSubstream(entry, context.substream);
    if (choice.kind === 'event') return [configs.refusal(outcomes.fault(choice.event))];
    if (choice.kind === 'bypass') return [configs.bypass(outcomes.fault(EVENT.F_ADDR_SIZE))];
    const found: LookupConfig[] = [];
    for (const place of graph.places) {
      if (place.streamId !== context.streamId || !hasSubstream(place, choice.index)) continue;
      if (place.kind === 'L1CD' && entry.split >= 0) {
        if (cache.aborts(place)) found.push(this.#fetchFault(EVENT.F_CD_FETCH, place));
        for (const { lanes } of cache.mixes(place))
          if (this.#cdTableOf(lanes) === undefined)
            found.push(configs.refusal(outcomes.fault(EVENT.C_BAD_SUBSTREAMID)));
      }
      if (place.kind !== 'CD') continue;
      if (cache.aborts(place)) found.push(this.#fetchFault(EVENT.F_CD_FETCH, place));
      for (const { lanes } of cache.mixes(place)) {
        const descriptor = decodeContextDescriptor(features, entry, lanes);
        if (descriptor === undefined) found.push(configs.refusal(outcomes.fault(EVENT.C_BAD_CD)));
        else found.push(this.#translate(entry, descriptor));
      }
    }
    return found;
  }

  #translate(
    { vmid, override }: StageOneEntry,
    descriptor: NonNullable<ReturnType<typeof decodeContextDescriptor>>,
  ): LookupConfig {
    const { tags, walks, configs } = this.#parts;
    const { asid, aset, faultMode, tables, tbi } = descriptor;
    const tag = tags.tag(vmid, asid);
    const [table0, table1] = tables;
    return configs.translate({
      tag,
      global: tags.global(vmid, aset),
      faultMode,
      override,
      starts: [table0 && walks.start(tag, descriptor, table0), table1 && walks.start(tag, descriptor, table1)],
      tbi,
    });
  }

  #fetchFault(event: number, place: ConfigPlace): LookupConfig {
    const { configs, outcomes } = this.#parts;
    return configs.refusal(outcomes.fault(event, undefined, place.address));
  }

  /** Where the stream table leads for a StreamID, through the registers or L1STDs. */
  #stePointers(streamId: number, registers: StreamTableRegisters): ConfigPointer[] {
    const { cache, graph } = this.#parts;
    const target = { kind: 'STE', streamId, streams: 1, substream: 0, substreams: 1 } as const;
    const inTable = registers.enabled && streamId < 2 ** registers.log2Size;
    if (!registers.twoLevel) {
      cache.reach([], (place) => place.kind === 'L1STD' && inSpan(place, streamId));
      const base = alignDown(registers.base, 64 * 2 ** registers.log2Size);
      return inTable ? [{ target, address: base + 64 * streamId, state: 1, from: undefined }] : [];
    }
    const { split } = registers;
    const l1Index = Math.floor(streamId / 2 ** split);
    const l1Target = {
      kind: 'L1STD',
      streamId: l1Index * 2 ** split,
      streams: 2 ** split,
      substream: 0,
      substreams: 1,
    } as const;
    const l1Base = alignDown(registers.base, Math.max(64, 8 * 2 ** Math.max(0, registers.log2Size - split)));
    const l1Pointers = inTable ? [{ target: l1Target, address: l1Base + 8 * l1Index, state: 1, from: undefined }] : [];
    const ofSpan = (place: ConfigPlace): boolean => place.kind === 'L1STD' && inSpan(place, streamId);
    cache.reach(l1Pointers, ofSpan);
    const pointers: ConfigPointer[] = [];
    if (!registers.enabled) return pointers;
    for (const place of graph.places) {
      if (!ofSpan(place)) continue;
      for (const { lanes, state } of cache.mixes(place)) {
        const address = steFromL1(lanes[0] as number, lanes[1] as number, streamId, Math.log2(place.streams));
        if (address !== undefined) pointers.push({ target, address, state, from: place });
      }
    }
    return pointers;
  }

  /** Whether a lookup may end with C_BAD_STREAMID (§7.3.3). */
  #badStreamId(streamId: number, registers: StreamTableRegisters): boolean {
    const { cache, graph } = this.#parts;
    if (streamId >= 2 ** registers.log2Size) return true;
    if (!registers.twoLevel) return false;
    return graph.places.some(
      (place) =>
        place.kind === 'L1STD' &&
        inSpan(place, streamId) &&
        cache
          .mixes(place)
          .some(
            ({ lanes }) =>
              steFromL1(lanes[0] as number, lanes[1] as number, streamId, Math.log2(place.streams)) === undefined,
          ),
    );
  }

  #cdPointersOfL1(streamId: number): ConfigPointer[] {
    const { cache, graph } = this.#parts;
    const pointers: ConfigPointer[] = [];
    for (const place of graph.places) {
      if (place.kind !== 'L1CD' || place.streamId !== streamId) continue;
      for (const { lanes, state } of cache.mixes(place)) {
        const table = this.#cdTableOf(lanes);
        if (table === undefined) continue;
        for (const index of this.#indexes.get(streamId) ?? []) {
          if (!hasSubstream(place, index)) continue;
          const target = cdTarget(streamId, index);
          // The table is aligned to 4 KiB; the address bits that 64 KiB tables do not need are zero by software's duty.
          pointers.push({ target, address: table + 64 * (index - place.substream), state, from: place });
        }
      }
    }
    return pointers;
  }

  /** The CD table that an L1CD points to; undefined if it is invalid or out of range (§5.3, §3.4.3 note 3). */
  #cdTableOf(lanes: readonly number[]): number | undefined {
    const low = lanes[0] as number;
    const high = lanes[1] as number;
    if (extract(CD_TABLE_L1.fields.V, low, high) === 0) return undefined;
    const table = extract(CD_TABLE_L1.fields.L2Ptr, low, high);
    return table >= 2 ** this.#parts.features.oas ? undefined : table;
  }
}

function cdTarget(streamId: number, index: number): ConfigTarget {
  return { kind: 'CD', streamId, streams: 1, substream: index, substreams: 1 };
}

/** From an STE to a CD, or to the L1CD on the way to it. */
function cdPointer(
  entry: StageOneEntry,
  streamId: number,
  index: number,
  state: number,
  from: ConfigPlace,
): ConfigPointer {
  if (entry.split < 0)
    return { target: cdTarget(streamId, index), address: linearCdAddress(entry, index), state, from };
  const substreams = 2 ** entry.split;
  const substream = Math.floor(index / substreams) * substreams;
  const target = { kind: 'L1CD', streamId, streams: 1, substream, substreams } as const;
  return { target, address: l1CdAddress(entry, index), state, from };
}

function inSpan(place: ConfigPlace, streamId: number): boolean {
  return streamId >= place.streamId && streamId < place.streamId + place.streams;
}

function hasSubstream(place: ConfigPlace, index: number): boolean {
  return index >= place.substream && index < place.substream + place.substreams;
}
