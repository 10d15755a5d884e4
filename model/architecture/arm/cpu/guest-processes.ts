import { coversTlb, type TlbInvalidation } from '../commands/invalidation.ts';
import { ABSENT, complete, doom, HELD, type HoldState } from '../dvm/hold-state.ts';
import type { HoldTable } from '../holds.ts';
import type { PhysicalMemory } from '../memory.ts';
import { CombinedEntries } from '../translation/nested/combined-entries.ts';
import { walkable } from '../translation/nested/nested-walks.ts';
import type { IpaPage, IpaSpace } from '../translation/stage2/ipa-space.ts';
import type { Tag, TagTable } from '../translation/tag.ts';
import { ipaOf, WalkGraph } from '../translation/walk-graph.ts';
import type { CombinedFetch, Leaf, WalkNode, WalkReader } from '../translation/walk-node.ts';
import type { InputAddress } from '../universe.ts';
import type { CpuContext } from './cpu-tlb.ts';
import type { Inheritance } from './inheritance.ts';
import type { WalkStart } from './regime.ts';

/** What of the rest of a TLB the processes of guests need. */
export interface ProcessParts {
  readonly memory: PhysicalMemory;
  readonly holds: HoldTable;
  readonly tags: TagTable;
  readonly inheritance: Inheritance;
  readonly watch: (pa: number, reader: WalkReader) => void;
  readonly start: WalkStart;
  readonly addresses: readonly InputAddress[];
}

/**
 * Stage 1 of guests in a TLB, and what is combined of both stages, saturated. Four kinds of entries, all tagged with VMID
 * and ASID as stage 1 is: table descriptors and leaves that lead to intermediate physical addresses (information of stage 1
 * alone); and, for each entry of stage 2 that was held, the descriptor at the physical address where that places it, and
 * the translation to the physical address. TLBI by IPA reaches none of them (Arm ARM D8.17 R_LGSCG, R_VZZVZ).
 *
 * Walks and accesses are made for loaded processes alone.
 */
export class GuestProcesses {
  readonly graph: WalkGraph;
  readonly combined: CombinedEntries;
  readonly #holds: HoldTable;
  readonly #tags: TagTable;
  readonly #inheritance: Inheritance;
  readonly #start: WalkStart;
  readonly #addresses: readonly InputAddress[];
  /** Every start of walks that has come up for a VMID. */
  readonly #starts = new Map<number, WalkNode[]>();

  constructor({ memory, holds, tags, inheritance, watch, start, addresses }: ProcessParts) {
    this.#holds = holds;
    this.#tags = tags;
    this.#inheritance = inheritance;
    this.#start = start;
    this.#addresses = addresses;
    this.graph = new WalkGraph(memory, holds, tags, watch);
    this.combined = new CombinedEntries(holds, watch);
  }

  /** A CPU has loaded a process of a guest whose stage 2 it has loaded before. */
  load(context: CpuContext, space: IpaSpace): void {
    const start = this.#startOf(context, space);
    const fresh = !this.#isLoaded(start.tag);
    const contexts = this.#holds.state(start.cell) + 1;
    this.#holds.set(start.cell, contexts);
    if (contexts === 1) this.#walkOn(start);
    if (!fresh) return;
    const global = this.#tags.global(start.vmid, 0);
    for (const { readers } of start.tag.holds) for (const reader of readers) this.#read(reader);
    for (const of of [start.tag, global])
      for (const { firstStage } of of.holds) for (const leaf of firstStage) this.#combine(leaf);
  }

  /** A CPU has loaded another process, or guest. */
  unload(context: CpuContext, space: IpaSpace): void {
    const { cell } = this.#startOf(context, space);
    this.#holds.set(cell, this.#holds.state(cell) - 1);
  }

  /** A descriptor at a physical address may have changed. */
  reread(fetch: WalkReader): void {
    this.#derive(fetch);
  }

  /** Stage 2 has an entry for a page, or a fresher one. */
  stageTwoRaised(page: IpaPage): void {
    for (const reader of page.readers) this.#read(reader);
    for (const leaf of page.outputs) this.#combine(leaf);
  }

  /** A TLBI has been executed, and stage 2 has been looked at. */
  invalidate(command: TlbInvalidation, slot: number): void {
    const { graph, combined } = this;
    const bits = 1 << slot;
    const held = ({ cell }: { readonly cell: number }): boolean => this.#holds.state(cell) !== ABSENT;
    const nodes = graph.nodes.filter((node) => !node.start && held(node) && coversTlb(command, node));
    const fetches = combined.fetches.filter((fetch) => held(fetch) && coversTlb(command, fetch.node));
    // From above: a table, the descriptors in it where stage 2 places them, the tables that these lead to.
    for (let level = 0; level <= 3; level++) {
      for (const node of nodes) if (node.tableLevel === level) this.#doom(node, bits);
      for (const fetch of fetches) if (fetch.node.tableLevel === level) this.#doomFetch(fetch, bits);
    }
    for (const leaf of graph.leaves) if (held(leaf) && coversTlb(command, leaf)) this.#doom(leaf, bits);
    for (const leaf of combined.leaves) if (held(leaf) && coversTlb(command, leaf)) this.#doomCombined(leaf, bits);
  }

  /** TLBIs have completed. */
  complete(mask: number): void {
    const completed = ({ cell }: { readonly cell: number }): void =>
      this.#holds.set(cell, complete(this.#holds.state(cell), mask));
    for (const node of this.graph.nodes) if (!node.start) completed(node);
    for (const leaf of this.graph.leaves) completed(leaf);
    for (const fetch of this.combined.fetches) completed(fetch);
    for (const leaf of this.combined.leaves) completed(leaf);
  }

  /** Entries that an access under a VMID and an ASID may hit. */
  hits(vmid: number, asid: number, address: number): readonly Leaf[] {
    const own = this.#tags.tag(vmid, asid).holds[address]?.leaves ?? [];
    const global = this.#tags.global(vmid, 0).holds[address]?.leaves ?? [];
    return [...own, ...global].filter(({ cell }) => this.#holds.state(cell) !== ABSENT);
  }

  #startOf({ table, asid }: CpuContext, space: IpaSpace): WalkNode {
    const under = { tag: this.#tags.tag(space.vmid, asid), aset: 0, addresses: this.#addresses, space };
    const start = this.graph.start(under, { ...this.#start, address: table });
    const known = this.#starts.get(space.vmid);
    if (known === undefined) this.#starts.set(space.vmid, [start]);
    else if (!known.includes(start)) known.push(start);
    return start;
  }

  /** Whether some process with a tag is loaded. */
  #isLoaded(tag: Tag): boolean {
    return this.#anyLoaded(tag.vmid, (start) => start.tag === tag);
  }

  /** Whether accesses that may hit a leaf are made: a global one serves every ASID. */
  #serves({ vmid, tag }: Leaf): boolean {
    return this.#anyLoaded(vmid, (start) => tag === undefined || start.tag === tag);
  }

  #anyLoaded(vmid: number, passes: (start: WalkNode) => boolean): boolean {
    return this.#starts.get(vmid)?.some((start) => passes(start) && this.#holds.state(start.cell) !== 0) ?? false;
  }

  /** State of a table, as far as walks may go on from it now; that of a start which no CPU has loaded is no use. */
  #usable(node: WalkNode): HoldState {
    return this.#isLoaded(node.tag) ? this.graph.stateOf(node) : ABSENT;
  }

  #walkOn(node: WalkNode): void {
    for (const reader of node.readers) this.#read(reader);
  }

  /** Fetches a descriptor wherever stage 2 places it, and goes on from there. */
  #read(reader: WalkReader): void {
    const node = this.#usable(reader.node);
    if (node === ABSENT) return;
    for (const through of (reader.ipa as IpaPage).holds.leaves) {
      const second = this.#holds.state(through.cell);
      if (second === ABSENT || !walkable(through)) continue;
      const { cell } = this.combined.fetch(reader, through);
      this.#holds.set(cell, this.#inheritance.throughTwo(this.#holds.state(cell), node, second, reader.node));
    }
    for (const fetch of reader.fetches) this.#derive(fetch);
  }

  /** Holds what a descriptor at a physical address leads to now. */
  #derive(fetch: WalkReader): void {
    const parent = this.#holds.state(fetch.cell);
    if (parent === ABSENT || this.#usable(fetch.node) === ABSENT) return;
    const { node, leaves } = this.graph.resultOf(fetch);
    if (node !== undefined && this.#raise(node, parent)) this.#walkOn(node);
    for (const leaf of leaves) if (this.#raise(leaf, parent)) this.#combine(leaf);
  }

  /** @returns whether that changed anything. */
  #raise(thing: WalkNode | Leaf, parent: HoldState): boolean {
    const before = this.#holds.state(thing.cell);
    if (before === HELD) return false;
    const state = this.#inheritance.through(before, parent, thing);
    this.#holds.set(thing.cell, state);
    return state !== before;
  }

  /** Translates by a leaf of stage 1, and by each entry of stage 2 for where it leads. */
  #combine(first: Leaf): void {
    const state = this.#holds.state(first.cell);
    if (state === ABSENT || !this.#serves(first)) return;
    for (const address of first.addresses)
      for (const second of ipaOf(first, address, first.space as IpaSpace).holds.leaves) {
        const other = this.#holds.state(second.cell);
        if (other === ABSENT) continue;
        const leaf = this.combined.leaf(first, second);
        this.#holds.set(leaf.cell, this.#inheritance.throughTwo(this.#holds.state(leaf.cell), state, other, leaf));
      }
  }

  #doom(thing: WalkNode | Leaf, bits: number): void {
    let state = doom(this.#holds.state(thing.cell), bits);
    for (const fetch of thing.producers) {
      const parent = this.#holds.state(fetch.cell);
      if (state === HELD || parent === ABSENT || this.#usable(fetch.node) === ABSENT) continue;
      const { node, leaves } = this.graph.resultOf(fetch);
      if (node === thing || leaves.includes(thing as Leaf)) state = this.#inheritance.through(state, parent, thing);
    }
    this.#holds.set(thing.cell, state);
  }

  #doomFetch({ node, through, cell }: CombinedFetch, bits: number): void {
    const doomed = doom(this.#holds.state(cell), bits);
    const [first, second] = [this.#usable(node), this.#holds.state(through.cell)];
    const made = first !== ABSENT && second !== ABSENT;
    this.#holds.set(cell, made ? this.#inheritance.throughTwo(doomed, first, second, node) : doomed);
  }

  /** Where no process that it serves is loaded, its part of stage 1 is doomed too, and does not make it fresher. */
  #doomCombined(leaf: Leaf, bits: number): void {
    const doomed = doom(this.#holds.state(leaf.cell), bits);
    if (leaf.parts === undefined) return;
    const { first, second } = leaf.parts;
    const [one, other] = [this.#holds.state(first.cell), this.#holds.state(second.cell)];
    const made = one !== ABSENT && other !== ABSENT;
    this.#holds.set(leaf.cell, made ? this.#inheritance.throughTwo(doomed, one, other, leaf) : doomed);
  }
}
