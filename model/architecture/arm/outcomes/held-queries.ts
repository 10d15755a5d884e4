import type { ConfigCache } from '../configuration/config-cache.ts';
import type { ConfigGraph, ConfigPlace } from '../configuration/config-graph.ts';
import type { HoldTable } from '../holds.ts';
import { coversConfig, coversTlb, type Command } from '../commands/invalidation.ts';
import { EVENT } from '../layout/event.ts';
import type { LookupConfig, LookupConfigs, TranslateConfig } from '../configuration/lookup-config.ts';
import type { Outcome } from './outcome.ts';
import { PAGE_BYTES, type IndexedUniverse, type InputAddress, type StreamContext } from '../universe.ts';
import type { WalkGraph } from '../translation/walk-graph.ts';
import type { Leaf, WalkNode } from '../translation/walk-node.ts';

/** Something that hardware may hold, in words and in numbers. */
export interface HeldDescription {
  readonly kind: 'translation' | 'table' | 'start' | 'L1STD' | 'STE' | 'L1CD' | 'CD' | 'configuration' | 'ATC';
  /** One line, such as "(ASID 5, 0x1000 → 0x40002000), from the descriptor at 0x41003008". */
  readonly text: string;
  /** The ASID that tags it; -1 for a global entry or a structure without one. */
  readonly asid: number;
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
  readonly walks: WalkGraph;
  readonly configs: LookupConfigs;
  readonly graph: ConfigGraph;
  readonly cache: ConfigCache;
  readonly holds: HoldTable;
  readonly configsOf: (context: StreamContext) => readonly LookupConfig[];
}

/** Questions of monitors and reports about what may be held. None changes anything. */
export class HeldQueries {
  readonly #parts: QueryParts;

  constructor(parts: QueryParts) {
    this.#parts = parts;
  }

  /** See `SmmuV3.tableHeld`. */
  tableHeld(pa: number, size: number): HeldDescription | undefined {
    const { walks, graph, cache } = this.#parts;
    for (const node of walks.nodes)
      if (walks.stateOf(node) !== 0 && node.table < pa + size && pa < node.table + node.tableBytes)
        return this.#describeNode(node);
    for (const place of graph.places) {
      const bytes = place.kind === 'STE' || place.kind === 'CD' ? 64 : 8;
      if (cache.reachable(place) !== 0 && place.address < pa + size && pa < place.address + bytes)
        return describePlace(place, false);
    }
    return undefined;
  }

  /** See `SmmuV3.asidInUse`. */
  asidInUse(asid: number, vmid: number): HeldDescription | undefined {
    const { universe, configsOf } = this.#parts;
    const tagged = (tag: { readonly asid: number; readonly vmid: number }): boolean =>
      tag.asid === asid && (vmid === -1 || tag.vmid === vmid);
    for (const context of universe.contexts)
      for (const config of configsOf(context))
        if (config.kind === 'translate' && tagged(config.tag)) return describeConfig(context, config);
    for (const leaf of this.#heldLeaves()) if (tagged(leaf)) return this.#describeLeaf(leaf);
    for (const node of this.#heldNodes()) if (tagged(node)) return this.#describeNode(node);
    return undefined;
  }

  /** See `SmmuV3.heldTranslations`. */
  heldTranslations(): HeldDescription[] {
    return [
      ...this.#heldLeaves().map((leaf) => this.#describeLeaf(leaf)),
      ...this.#heldNodes().map((node) => this.#describeNode(node)),
    ];
  }

  /** See `SmmuV3.covers`. */
  covers(command: Command): HeldDescription[] {
    if (command.kind === 'tlb')
      return [
        ...this.#heldLeaves()
          .filter((leaf) => coversTlb(command, leaf))
          .map((leaf) => this.#describeLeaf(leaf)),
        ...this.#heldNodes()
          .filter((node) => coversTlb(command, node))
          .map((node) => this.#describeNode(node)),
      ];
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
    const { holds, walks } = this.#parts;
    const sources: OutcomeSource[] = [];
    // A conflict is between entries that are held.
    const conflict = outcome.kind === 'fault' && outcome.event === EVENT.F_TLB_CONFLICT;
    const own = config.tag.holds[address.index];
    const shared = config.global.holds[address.index];
    for (const leaf of [...(own?.leaves ?? []), ...(shared?.leaves ?? [])])
      if (holds.state(leaf.cell) !== 0 && (conflict || [...leaf.outcomes.values()].includes(outcome)))
        sources.push({ text: this.#describeLeaf(leaf).text, readFrom: [...pathTo(leaf.table), leaf.descriptorPa] });
    if (outcome.kind !== 'fault') return sources;
    const start = config.starts[address.region]?.readerOf[address.index];
    const readers = (own?.readers ?? []).filter((reader) => walks.stateOf(reader.node) !== 0);
    for (const reader of start === undefined ? readers : [start, ...readers]) {
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

  #heldLeaves(): Leaf[] {
    return this.#parts.walks.leaves.filter((leaf) => this.#parts.holds.state(leaf.cell) !== 0);
  }

  #heldNodes(): WalkNode[] {
    return this.#parts.walks.nodes.filter((node) => !node.start && this.#parts.holds.state(node.cell) !== 0);
  }

  #fresh(place: ConfigPlace): boolean {
    return this.#parts.cache.mixes(place).some((mix) => mix.state === 1);
  }

  #describeLeaf(leaf: Leaf): HeldDescription {
    const { asid, vmid, page, pages, pa, descriptorPa, table } = leaf;
    const tag = asid === -1 ? 'global' : `ASID ${asid}`;
    const size = pages === 1 ? '' : `, ${(pages * PAGE_BYTES) / 1024} KiB`;
    return {
      kind: 'translation',
      text: `(${vmid === 0 ? '' : `VMID ${vmid}, `}${tag}, ${hex(page * PAGE_BYTES)} → ${hex(pa)}${size}), walked through the table at ${hex(table.table)}`,
      asid,
      readFrom: descriptorPa,
      doomed: this.#parts.holds.state(leaf.cell) > 1,
    };
  }

  #describeNode(node: WalkNode): HeldDescription {
    const { start, asid, vmid, page, table, tableLevel, descriptorPa } = node;
    const tag = `${vmid === 0 ? '' : `VMID ${vmid}, `}ASID ${asid}`;
    return {
      kind: start ? 'start' : 'table',
      text: `(${tag}, from ${hex(page * PAGE_BYTES)}) → table of level ${tableLevel} at ${hex(table)}${start ? ', from a CD' : ''}`,
      asid,
      readFrom: descriptorPa,
      doomed: !start && this.#parts.holds.state(node.cell) > 1,
    };
  }
}

/** Addresses of the descriptors that led to a table, as first found. */
function pathTo(node: WalkNode): number[] {
  const [producer] = node.producers;
  return producer === undefined ? [] : [...pathTo(producer.node), node.descriptorPa];
}

function describePlace({ kind, streamId, substream, address }: ConfigPlace, doomed: boolean): HeldDescription {
  const of = kind === 'CD' || kind === 'L1CD' ? `StreamID ${streamId}, index ${substream}` : `StreamID ${streamId}`;
  return { kind, text: `${kind} of ${of} at ${hex(address)}`, asid: -1, readFrom: address, doomed };
}

function describeConfig(context: StreamContext, { tag }: TranslateConfig): HeldDescription {
  const text = `${contextName(context)} may be translated under ASID ${tag.asid}`;
  return { kind: 'configuration', text, asid: tag.asid, readFrom: -1, doomed: false };
}

function contextName({ streamId, substream }: StreamContext): string {
  return substream < 0 ? `StreamID ${streamId}` : `StreamID ${streamId}, SubstreamID ${substream}`;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
