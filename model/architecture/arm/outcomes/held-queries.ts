import type { ConfigCache } from '../configuration/config-cache.ts';
import type { ConfigGraph, ConfigPlace } from '../configuration/config-graph.ts';
import type { HoldTable } from '../holds.ts';
import { coversConfig, coversTlb, type Command, type TlbTarget } from '../commands/invalidation.ts';
import { EVENT } from '../layout/event.ts';
import type { LookupConfig, StageTwoConfig, TranslateConfig } from '../configuration/lookup-config.ts';
import { alignDown } from '../configuration/align.ts';
import { describeFetch, describeLeaf, describeNode, hex } from './describe.ts';
import type { Outcome } from './outcome.ts';
import { pathTo, pathToLeaf, StageTwoSources } from './stage-two-sources.ts';
import { PAGE_BYTES, type IndexedUniverse, type InputAddress, type StreamContext } from '../universe.ts';
import { isEl2 } from '../translation/stream-world.ts';
import type { Translation } from '../translation/translation.ts';
import type { Leaf, WalkNode } from '../translation/walk-node.ts';

/** Something that hardware may hold, in words and in numbers. */
export interface HeldDescription {
  readonly kind: 'translation' | 'table' | 'start' | 'L1STD' | 'STE' | 'L1CD' | 'CD' | 'configuration' | 'ATC';
  /** One line, such as "(ASID 5, 0x1000 → 0x40002000), from the descriptor at 0x41003008". */
  readonly text: string;
  /** The ASID that tags it; -1 for a global entry or a structure without one. */
  readonly asid: number;
  /** The VMID that tags it; not given for structures. */
  readonly vmid?: number;
  /** Address of the descriptor or structure that it was read from; -1 if it is configuration in use. */
  readonly readFrom: number;
  /** An invalidation that covers it has been issued and has not completed. */
  readonly doomed: boolean;
}

/** Why an outcome is permitted. */
export interface OutcomeSource {
  /** The held translation, or the descriptor or structure whose present value leads to the outcome. */
  readonly text: string;
  /** Addresses read on the way, from the stream table to the descriptor, as far as known. */
  readonly readFrom: readonly number[];
}

/** What the queries read. */
export interface QueryParts {
  readonly universe: IndexedUniverse;
  readonly translation: Translation;
  readonly graph: ConfigGraph;
  readonly cache: ConfigCache;
  readonly holds: HoldTable;
  readonly configsOf: (context: StreamContext) => readonly LookupConfig[];
}

/** Questions of monitors and reports about what may be held. None changes anything. */
export class HeldQueries {
  readonly #parts: QueryParts;
  readonly #stageTwo: StageTwoSources;

  constructor(parts: QueryParts) {
    this.#parts = parts;
    this.#stageTwo = new StageTwoSources(parts);
  }

  /** See `SmmuV3.tableHeld`. */
  tableHeld(pa: number, size: number): HeldDescription | undefined {
    const { translation, graph, cache, holds } = this.#parts;
    const { walks, stageTwo, combined } = translation;
    const overlaps = (start: number, bytes: number): boolean => start < pa + size && pa < start + bytes;
    // With stage 2 the tables of stage 1 are known by IPAs; combined entries know where they are.
    for (const node of walks.nodes)
      if (node.lineage.space === undefined && walks.stateOf(node) !== 0 && overlaps(node.table, node.tableBytes))
        return describeNode(holds, node);
    for (const fetch of combined.fetches)
      if (walks.stateOfReader(fetch) !== 0 && overlaps(alignDown(fetch.pa, PAGE_BYTES), PAGE_BYTES))
        return describeFetch(holds, fetch);
    for (const node of stageTwo.walks.nodes)
      if (stageTwo.walks.stateOf(node) !== 0 && overlaps(node.table, node.tableBytes)) return describeNode(holds, node);
    for (const place of graph.places) {
      const bytes = place.kind === 'STE' || place.kind === 'CD' ? 64 : 8;
      if (cache.reachable(place) !== 0 && overlaps(place.address, bytes)) return describePlace(place, false);
    }
    return undefined;
  }

  /** See `SmmuV3.asidInUse`. */
  asidInUse(asid: number, vmid: number): HeldDescription | undefined {
    const { universe, configsOf } = this.#parts;
    const tagged = (tag: { readonly asid: number; readonly vmid: number }): boolean =>
      tag.asid === asid && (vmid === -1 ? !isEl2(tag.vmid) : tag.vmid === vmid);
    for (const context of universe.contexts)
      for (const config of configsOf(context))
        if (config.kind === 'translate' && tagged(config.tag)) return describeConfig(context, config);
    return this.#held(tagged)[0];
  }

  /** See `SmmuV3.vmidInUse`. */
  vmidInUse(vmid: number): HeldDescription | undefined {
    const { universe, configsOf, holds, translation } = this.#parts;
    const tagged = (tag: { readonly vmid: number }): boolean => tag.vmid === vmid;
    for (const context of universe.contexts)
      for (const config of configsOf(context)) {
        if (config.kind === 'translate' && tagged(config.tag)) return describeConfig(context, config);
        if (config.kind === 'stage2' && tagged(config.stage2.space)) return describeStageTwo(context, config);
      }
    // The CD may be out of reach, and the STE is in use nevertheless.
    for (const node of translation.stageTwo.walks.nodes)
      if (node.start && tagged(node) && holds.state(node.cell) !== 0) return describeNode(holds, node);
    return this.#held(tagged)[0];
  }

  /** See `SmmuV3.heldTranslations`. */
  heldTranslations(): HeldDescription[] {
    return this.#held(() => true);
  }

  /** See `SmmuV3.covers`. */
  covers(command: Command): HeldDescription[] {
    if (command.kind === 'tlb') return this.#held((target) => coversTlb(command, target));
    if (command.kind !== 'config') return [];
    const { graph, cache } = this.#parts;
    return graph.places
      .filter((place) => coversConfig(command, place) && cache.mixes(place).length > 0)
      .map((place) => describePlace(place, !this.#fresh(place)));
  }

  /** See `SmmuV3.explain`. */
  explain(slot: number, outcome: Outcome): OutcomeSource[] {
    const { universe, configsOf } = this.#parts;
    const context = universe.contextOf[slot];
    const address = universe.addressOf[slot];
    if (context === undefined || address === undefined) return [];
    const sources: OutcomeSource[] = [];
    for (const config of configsOf(context)) {
      if (config.kind === 'refusal' && config.outcome === outcome)
        sources.push({
          text: `the configuration of ${contextName(context)}`,
          readFrom: this.#configAddresses(context),
        });
      else if (config.kind === 'bypass' && (outcome.kind === 'bypass' || config.beyond === outcome))
        sources.push({
          text: `${contextName(context)} bypasses translation`,
          readFrom: this.#configAddresses(context),
        });
      else if (config.kind === 'stage2') sources.push(...this.#stageTwo.direct(context, config, address, outcome));
      else if (config.kind === 'translate')
        sources.push(...this.#explainTranslation(context, config, address, outcome));
    }
    return sources;
  }

  #explainTranslation(
    context: StreamContext,
    config: TranslateConfig,
    address: InputAddress,
    outcome: Outcome,
  ): OutcomeSource[] {
    const { holds, translation } = this.#parts;
    const { walks } = translation;
    const sources: OutcomeSource[] = [];
    if (outcome.kind === 'fault' && outcome.stage2 !== undefined && config.stage2 !== undefined)
      return this.#stageTwo.fault(config.stage2, outcome, outcome.stage2.ipa);
    // A conflict is between entries that are held.
    const conflict = outcome.kind === 'fault' && outcome.event === EVENT.F_TLB_CONFLICT;
    const own = config.tag.holds[address.index];
    const shared = config.global.holds[address.index];
    for (const { leaves, firstStage } of [own, shared].filter((one) => one !== undefined))
      for (const leaf of conflict ? [...leaves, ...firstStage] : leaves)
        if (holds.state(leaf.cell) !== 0 && (conflict || [...leaf.outcomes.values()].includes(outcome)))
          sources.push({ text: describeLeaf(holds, leaf).text, readFrom: pathToLeaf(leaf) });
    if (outcome.kind !== 'fault') return sources;
    const start = config.starts[address.region]?.readerOf[address.index];
    const readers = (own?.readers ?? []).filter((reader) => walks.stateOf(reader.node) !== 0);
    const direct = start === undefined ? readers : [start, ...readers];
    const through = direct.flatMap(({ fetches }) => fetches).filter((fetch) => walks.stateOfReader(fetch) !== 0);
    for (const reader of [...direct.filter(({ ipa }) => ipa === undefined), ...through]) {
      const result = walks.resultOf(reader);
      if (result.event === outcome.event)
        sources.push({
          text: `the descriptor at ${hex(reader.pa)}, read in the table at ${hex(reader.node.table)} (level ${reader.node.tableLevel})`,
          readFrom: [...pathTo(reader.node), reader.pa],
        });
    }
    if (start === undefined && outcome.event === EVENT.F_TRANSLATION)
      sources.push({ text: `the CD of ${contextName(context)}`, readFrom: this.#configAddresses(context) });
    return sources;
  }

  #configAddresses(context: StreamContext): number[] {
    const { graph, cache } = this.#parts;
    return graph.places
      .filter((place) => place.streamId === context.streamId && cache.mixes(place).length > 0)
      .map((place) => place.address);
  }

  /** What is held of stage 1, of both stages, and of stage 2 that a test lets pass. */
  #held(passes: (target: TlbTarget) => boolean): HeldDescription[] {
    const { holds, translation } = this.#parts;
    const { walks, combined, stageTwo } = translation;
    const held = ({ cell }: { readonly cell: number }): boolean => holds.state(cell) !== 0;
    const leaves = (all: readonly Leaf[]): HeldDescription[] =>
      all.filter((leaf) => held(leaf) && passes(leaf)).map((leaf) => describeLeaf(holds, leaf));
    const nodes = (all: readonly WalkNode[]): HeldDescription[] =>
      all.filter((node) => !node.start && held(node) && passes(node)).map((node) => describeNode(holds, node));
    const fetches = combined.fetches.filter((fetch) => held(fetch) && passes(fetch.node));
    return [
      ...leaves(walks.leaves),
      ...leaves(combined.leaves),
      ...nodes(walks.nodes),
      ...fetches.map((fetch) => describeFetch(holds, fetch)),
      ...leaves(stageTwo.walks.leaves),
      ...nodes(stageTwo.walks.nodes),
    ];
  }

  #fresh(place: ConfigPlace): boolean {
    return this.#parts.cache.mixes(place).some((mix) => mix.state === 1);
  }
}

function describePlace({ kind, streamId, substream, address }: ConfigPlace, doomed: boolean): HeldDescription {
  const of = kind === 'CD' || kind === 'L1CD' ? `StreamID ${streamId}, index ${substream}` : `StreamID ${streamId}`;
  return { kind, text: `${kind} of ${of} at ${hex(address)}`, asid: -1, readFrom: address, doomed };
}

function describeConfig(context: StreamContext, { tag }: TranslateConfig): HeldDescription {
  const text = `${contextName(context)} may be translated under ASID ${tag.asid}`;
  return { kind: 'configuration', text, asid: tag.asid, readFrom: -1, doomed: false };
}

function describeStageTwo(context: StreamContext, { stage2 }: StageTwoConfig): HeldDescription {
  const { vmid } = stage2.space;
  const text = `${contextName(context)} may be translated by stage 2 under VMID ${vmid}`;
  return { kind: 'configuration', text, asid: -1, vmid, readFrom: -1, doomed: false };
}

/** A context in words. */
export function contextName({ streamId, substream }: StreamContext): string {
  return substream < 0 ? `StreamID ${streamId}` : `StreamID ${streamId}, SubstreamID ${substream}`;
}
