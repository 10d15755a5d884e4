import type { HoldTable } from '../holds.ts';
import { coversTlb, type Command, type TlbInvalidation } from '../commands/invalidation.ts';
import type { PendingCommands } from '../commands/pending.ts';
import type { InputAddress } from '../universe.ts';
import type { NestedWalks } from './nested/nested-walks.ts';
import type { IpaPage } from './stage2/ipa-space.ts';
import type { Tag } from './tag.ts';
import type { WalkGraph } from './walk-graph.ts';
import type { CombinedFetch, Leaf, WalkNode, WalkReader, WalkResult } from './walk-node.ts';

/** What one of the two stages has and the other has not. */
export interface TlbOptions {
  /** Of stage 2: whether walks are made for an address at all. */
  readonly wanted?: (address: InputAddress) => boolean;
  /** Of stage 1: how its walks go through stage 2. */
  readonly nested?: NestedWalks;
}

/**
 * The TLB and the walk caches of one stage, as full as any hardware may have them: after every change all permitted walks
 * of the addresses of the universe have been made, and what they may leave behind is held until an invalidation that
 * covers it has completed. Combined entries belong to stage 1.
 */
export class Tlb {
  readonly #graph: WalkGraph;
  readonly #holds: HoldTable;
  readonly #pending: PendingCommands;
  /** Called with the index of each input address for which something may have changed. */
  readonly #touched: (address: number) => void;
  readonly #wanted: ((address: InputAddress) => boolean) | undefined;
  readonly #nested: NestedWalks | undefined;
  readonly #fetches: readonly CombinedFetch[];
  readonly #combined: readonly Leaf[];
  readonly #raised = (leaf: Leaf): void => this.#touchLeaf(leaf);

  constructor(
    graph: WalkGraph,
    holds: HoldTable,
    pending: PendingCommands,
    touched: (address: number) => void,
    { wanted, nested }: TlbOptions = {},
  ) {
    this.#graph = graph;
    this.#holds = holds;
    this.#pending = pending;
    this.#touched = touched;
    this.#wanted = wanted;
    this.#nested = nested;
    this.#fetches = nested?.entries.fetches ?? [];
    this.#combined = nested?.entries.leaves ?? [];
  }

  /** A context may now start walks here. */
  addStart(start: WalkNode): void {
    const contexts = this.#holds.state(start.cell) + 1;
    this.#holds.set(start.cell, contexts);
    if (contexts !== 1) return;
    this.#walkOn(start);
    if (start.tag.starts.some(({ length }) => length === 0)) return;
    for (const node of this.#graph.nodes)
      if (node.tag === start.tag && node.lineage.aset === start.lineage.aset && !node.start) this.#walkOn(node);
  }

  /** A context can no longer start walks here; what earlier walks left behind stays. */
  removeStart(start: WalkNode): void {
    this.#holds.set(start.cell, this.#holds.state(start.cell) - 1);
  }

  /** The descriptor has been written: a walk may read it now. */
  reread(reader: WalkReader): void {
    const state = this.#graph.stateOfReader(reader);
    if (state !== 0 && this.#serves(reader)) this.#derive(reader, state);
  }

  /** Makes all permitted walks again (walks were not permitted for a while). */
  walkAll(): void {
    for (const node of this.#graph.nodes) this.#walkOn(node);
  }

  /** Walks may be made for an address of a tag from now on, and may hit what is held for its neighbours. */
  admit(tag: Tag, address: InputAddress): void {
    for (const leaf of this.#graph.leaves) {
      const state = this.#holds.state(leaf.cell);
      if (leaf.tag !== tag || state === 0 || !inRun(leaf, address)) continue;
      this.#raise(this.#graph.sibling(leaf, address.page), state);
    }
    for (const node of this.#graph.nodes) {
      const reader = node.tag === tag ? node.readerOf[address.index] : undefined;
      const state = reader === undefined ? 0 : this.#graph.stateOf(node);
      if (reader !== undefined && state !== 0) this.#derive(reader, state);
    }
  }

  /** Something may have changed in how stage 2 translates a page: what goes through it is looked at again. */
  stageTwoChanged(page: IpaPage): void {
    for (const reader of page.readers) {
      const state = this.#graph.stateOf(reader.node);
      if (state !== 0) this.#derive(reader, state);
    }
    for (const leaf of page.outputs) {
      if (this.#holds.state(leaf.cell) === 0) continue;
      this.#nested?.combine(leaf, this.#raised);
      this.#touchLeaf(leaf);
    }
  }

  /**
   * An invalidation has been issued. What it covers is doomed, unless walks that begin after it would make it again.
   *
   * @param mark see `HoldTable.doomBy`.
   * @param walks whether there are such walks: none while translation is disabled (§6.3.9.6).
   * @returns how many entries it covers, whether it takes effect or a fresh walk brings them back.
   */
  invalidate(command: TlbInvalidation, mark: number, walks: boolean): number {
    const holds = this.#holds;
    const nodes: WalkNode[] = [];
    const leaves: Leaf[] = [];
    const fetches: CombinedFetch[] = [];
    for (const node of this.#graph.nodes)
      if (!node.start && holds.dooms(node.cell, mark) && coversTlb(command, node)) nodes.push(node);
    for (const leaf of this.#graph.leaves)
      if (holds.dooms(leaf.cell, mark) && coversTlb(command, leaf)) leaves.push(leaf);
    for (const fetch of this.#fetches)
      if (holds.dooms(fetch.cell, mark) && coversTlb(command, fetch.node)) fetches.push(fetch);
    const combined = this.#combined.filter((leaf) => holds.dooms(leaf.cell, mark) && coversTlb(command, leaf));
    for (const { cell } of nodes) holds.doomBy(cell, mark);
    for (const { cell } of leaves) holds.doomBy(cell, mark);
    for (const { cell } of fetches) holds.doomBy(cell, mark);
    for (const { cell } of combined) holds.doomBy(cell, mark);
    if (walks) {
      this.#revive(nodes, fetches);
      for (const leaf of leaves) this.#reviveIfWalked(leaf, (result) => result.leaves.includes(leaf));
      for (const leaf of combined) this.#nested?.reviveLeaf(leaf);
    }
    return nodes.length + leaves.length + fetches.length + combined.length;
  }

  /** All commands before `sequence` have completed: what is still doomed by them goes. */
  complete(sequence: number): void {
    this.#drop((cell) => this.#holds.complete(cell, sequence));
  }

  /** The broadcasts in a set have completed: what is still doomed by one of them goes. */
  completeBroadcasts(broadcasts: number): void {
    this.#drop((cell) => this.#holds.completeBroadcasts(cell, broadcasts));
  }

  #drop(goes: (cell: number) => boolean): void {
    for (const node of this.#graph.nodes)
      if (!node.start && goes(node.cell)) for (const reader of node.readers) this.#touchReader(reader);
    for (const leaf of this.#graph.leaves) if (goes(leaf.cell)) this.#touchLeaf(leaf);
    for (const fetch of this.#fetches) if (goes(fetch.cell)) this.#touchReader(fetch);
    for (const leaf of this.#combined) if (goes(leaf.cell)) this.#touchLeaf(leaf);
  }

  /** Upper levels first, so that a table that comes back brings back what is below it. */
  #revive(nodes: WalkNode[], fetches: CombinedFetch[]): void {
    nodes.sort((a, b) => a.tableLevel - b.tableLevel);
    fetches.sort((a, b) => a.node.tableLevel - b.node.tableLevel);
    let next = 0;
    const reviveFetches = (below: number): void => {
      for (let fetch = fetches[next]; fetch !== undefined && fetch.node.tableLevel < below; fetch = fetches[++next])
        this.#nested?.reviveFetch(fetch, this.#graph.stateOf(fetch.node));
    };
    for (const node of nodes) {
      reviveFetches(node.tableLevel);
      this.#reviveIfWalked(node, (result) => result.node === node);
    }
    reviveFetches(Infinity);
  }

  /** Walks that begin now make the thing again, if its table is still held; they may come through a doomed one. */
  #reviveIfWalked(thing: WalkNode | Leaf, makes: (result: WalkResult) => boolean): void {
    for (const reader of thing.producers) {
      const state = this.#graph.stateOfReader(reader);
      if (state === 0 || !this.#serves(reader) || !makes(this.#graph.resultOf(reader))) continue;
      this.#holds.raise(thing.cell, this.#inherit(reader.node, state, thing));
    }
  }

  #walkOn(node: WalkNode): void {
    const state = this.#graph.stateOf(node);
    if (state === 0) return;
    for (const reader of node.readers) if (this.#serves(reader)) this.#derive(reader, state);
  }

  /** Holds what the descriptor leads to now, given the state of the table that it was read through. */
  #derive(reader: WalkReader, state: number): void {
    for (const { index } of reader.addresses) this.#touched(index);
    if (reader.ipa !== undefined) {
      this.#nested?.fetch(reader, state);
      for (const fetch of reader.fetches) {
        const held = this.#holds.state(fetch.cell);
        if (held !== 0) this.#derive(fetch, held);
      }
      return;
    }
    const { node, leaves } = this.#graph.resultOf(reader);
    if (node !== undefined && this.#holds.raise(node.cell, this.#inherit(reader.node, state, node))) {
      this.#walkOn(node);
      if (node.twin !== undefined) this.#walkOn(node.twin);
    }
    for (const leaf of leaves) this.#raise(leaf, this.#inherit(reader.node, state, leaf));
  }

  #raise(leaf: Leaf, state: number): void {
    if (this.#wanted !== undefined && !leaf.addresses.some(this.#wanted)) return;
    if (!this.#holds.raise(leaf.cell, state)) return;
    this.#touchLeaf(leaf);
    if (leaf.space !== undefined) this.#nested?.combine(leaf, this.#raised);
  }

  #inherit(parent: WalkNode, state: number, child: WalkNode | Leaf): number {
    if (state === 1) return 1;
    const covers = (command: Command): boolean =>
      command.kind === 'tlb' && coversTlb(command, parent) && coversTlb(command, child);
    return this.#pending.inherit(state, covers);
  }

  /** Whether walks of any of the addresses of a descriptor are made. */
  #serves(reader: WalkReader): boolean {
    return this.#wanted === undefined || reader.addresses.some(this.#wanted);
  }

  #touchReader(reader: WalkReader): void {
    for (const { index } of reader.addresses) this.#touched(index);
  }

  #touchLeaf(leaf: Leaf): void {
    for (const { index } of leaf.addresses) this.#touched(index);
  }
}

/** Whether an address is in the contiguous run of a leaf, and not served by the leaf itself. */
function inRun({ run, page, pages }: Leaf, address: InputAddress): boolean {
  if (run === undefined || address.page < run.page || address.page >= run.page + run.pages) return false;
  return address.page < page || address.page >= page + pages;
}
