import type { HoldTable } from '../holds.ts';
import { coversTlb, type Command, type TlbInvalidation } from '../commands/invalidation.ts';
import type { PendingCommands } from '../commands/pending.ts';
import type { WalkGraph } from './walk-graph.ts';
import type { Leaf, WalkNode, WalkReader, WalkResult } from './walk-node.ts';

/**
 * The TLB and the walk caches, as full as any hardware may have them: after every change all permitted walks of the
 * addresses of the universe have been made, and what they may leave behind is held until an invalidation that covers it
 * has completed.
 */
export class Tlb {
  readonly #graph: WalkGraph;
  readonly #holds: HoldTable;
  readonly #pending: PendingCommands;
  /** Called with the index of each input address for which something may have changed. */
  readonly #touched: (address: number) => void;

  constructor(graph: WalkGraph, holds: HoldTable, pending: PendingCommands, touched: (address: number) => void) {
    this.#graph = graph;
    this.#holds = holds;
    this.#pending = pending;
    this.#touched = touched;
  }

  /** A context may now start walks here. */
  addStart(start: WalkNode): void {
    const contexts = this.#holds.state(start.cell) + 1;
    this.#holds.set(start.cell, contexts);
    if (contexts === 1) this.#walkOn(start);
  }

  /** A context can no longer start walks here; what earlier walks left behind stays. */
  removeStart(start: WalkNode): void {
    this.#holds.set(start.cell, this.#holds.state(start.cell) - 1);
  }

  /** The descriptor has been written: a walk may read it now. */
  reread(reader: WalkReader): void {
    const state = this.#graph.stateOf(reader.node);
    if (state !== 0) this.#derive(reader, state);
  }

  /** Makes all permitted walks again (walks were not permitted for a while). */
  walkAll(): void {
    for (const node of this.#graph.nodes) if (this.#graph.stateOf(node) !== 0) this.#walkOn(node);
  }

  /**
   * An invalidation has been issued. What it covers is doomed, unless walks that begin after it would make it again.
   *
   * @returns how many entries it covers, whether it takes effect or a fresh walk brings them back.
   */
  invalidate(command: TlbInvalidation, sequence: number): number {
    const { nodes, leaves } = this.#graph;
    const doomedNodes: WalkNode[] = [];
    const doomedLeaves: Leaf[] = [];
    for (const node of nodes)
      if (!node.start && this.#holds.state(node.cell) === 1 && coversTlb(command, node)) {
        this.#holds.doom(node.cell, sequence);
        doomedNodes.push(node);
      }
    for (const leaf of leaves)
      if (this.#holds.state(leaf.cell) === 1 && coversTlb(command, leaf)) {
        this.#holds.doom(leaf.cell, sequence);
        doomedLeaves.push(leaf);
      }
    // Upper levels first, so that a table that comes back brings back what is below it.
    doomedNodes.sort((a, b) => a.tableLevel - b.tableLevel);
    for (const node of doomedNodes) this.#reviveIfWalked(node, (result) => result.node === node);
    for (const leaf of doomedLeaves) this.#reviveIfWalked(leaf, (result) => result.leaves.includes(leaf));
    return doomedNodes.length + doomedLeaves.length;
  }

  /** All invalidations before `sequence` have completed: what is still doomed by them goes. */
  complete(sequence: number): void {
    for (const node of this.#graph.nodes) {
      if (!node.start && this.#holds.complete(node.cell, sequence)) this.#touch(node);
    }
    for (const leaf of this.#graph.leaves) {
      if (this.#holds.complete(leaf.cell, sequence)) for (const { index } of leaf.addresses) this.#touched(index);
    }
  }

  /** Whether some walk that began after the last invalidation makes the thing: its table is held fresh. */
  #reviveIfWalked(thing: WalkNode | Leaf, makes: (result: WalkResult) => boolean): void {
    const walked = thing.producers.some(
      (reader) => this.#graph.stateOf(reader.node) === 1 && makes(this.#graph.resultOf(reader)),
    );
    if (walked) this.#holds.set(thing.cell, 1);
  }

  #walkOn(node: WalkNode): void {
    const state = this.#graph.stateOf(node);
    for (const reader of node.readers) this.#derive(reader, state);
  }

  /** Holds what the descriptor leads to now, given the state of the table that it was read through. */
  #derive(reader: WalkReader, state: number): void {
    const { node, leaves } = this.#graph.resultOf(reader);
    for (const { index } of reader.addresses) this.#touched(index);
    if (node !== undefined && this.#holds.raise(node.cell, this.#inherit(reader.node, state, node))) this.#walkOn(node);
    for (const leaf of leaves) {
      if (this.#holds.raise(leaf.cell, this.#inherit(reader.node, state, leaf)))
        for (const { index } of leaf.addresses) this.#touched(index);
    }
  }

  #inherit(parent: WalkNode, state: number, child: WalkNode | Leaf): number {
    if (state === 1) return 1;
    const covers = (command: Command): boolean =>
      command.kind === 'tlb' && coversTlb(command, parent) && coversTlb(command, child);
    return this.#pending.inherit(state, covers);
  }

  #touch(node: WalkNode): void {
    for (const reader of node.readers) for (const { index } of reader.addresses) this.#touched(index);
  }
}
