import { coversTlb, type TlbInvalidation } from '../commands/invalidation.ts';
import { ABSENT, complete, doom, HELD, type HoldState } from '../dvm/hold-state.ts';
import type { HoldTable } from '../holds.ts';
import type { Tag } from '../translation/tag.ts';
import type { WalkGraph } from '../translation/walk-graph.ts';
import type { Leaf, WalkNode, WalkReader } from '../translation/walk-node.ts';
import type { Inheritance } from './inheritance.ts';

/** What of the rest of a TLB the walks of one stage need. */
export interface WalkParts {
  readonly graph: WalkGraph;
  readonly holds: HoldTable;
  readonly inheritance: Inheritance;
  /** Told of each leaf that is held, or fresher than before. */
  readonly raised?: (leaf: Leaf) => void;
}

/**
 * The walks of one stage in one TLB, as full as any hardware may have it: every walk that a loaded context permits has been
 * made, and what it found stays (table descriptors, and leaves) until a TLBI that covers it has completed.
 *
 * Walks are made for loaded contexts alone. They begin at the table that a context names, or go on from a table descriptor
 * that is held under the tag of a loaded context, wherever that came from (Arm ARM D8.16 R_SQBCS, D8.17 R_RVJDB). What is
 * read through a doomed descriptor goes with those TLBIs of the descriptor that cover it too: they include the walks that
 * are under way (D8.17.8).
 */
export class SaturatedWalks {
  readonly #graph: WalkGraph;
  readonly #holds: HoldTable;
  readonly #inheritance: Inheritance;
  readonly #raised: ((leaf: Leaf) => void) | undefined;
  /** Every start of walks that has come up under a tag. */
  readonly #starts = new Map<Tag, WalkNode[]>();

  constructor({ graph, holds, inheritance, raised }: WalkParts) {
    this.#graph = graph;
    this.#holds = holds;
    this.#inheritance = inheritance;
    this.#raised = raised;
  }

  /** A CPU has loaded a context whose walks start here. */
  load(start: WalkNode): void {
    const fresh = !this.isLoaded(start.tag);
    const contexts = this.#holds.state(start.cell) + 1;
    this.#holds.set(start.cell, contexts);
    if (contexts === 1) this.#walkOn(start);
    if (!fresh) return;
    // Table descriptors left behind by walks of this tag serve again, with the memory of now.
    for (const { readers } of start.tag.holds) for (const reader of readers) this.#derive(reader);
  }

  /** A CPU has loaded another context; what walks of this one have left behind stays. */
  unload(start: WalkNode): void {
    this.#holds.set(start.cell, this.#holds.state(start.cell) - 1);
  }

  /** A start of walks that may be loaded from now on. */
  add(start: WalkNode): void {
    const starts = this.#starts.get(start.tag);
    if (starts === undefined) this.#starts.set(start.tag, [start]);
    else starts.push(start);
  }

  /** Whether some context with a tag is loaded. */
  isLoaded(tag: Tag): boolean {
    return this.#starts.get(tag)?.some(({ cell }) => this.#holds.state(cell) !== 0) ?? false;
  }

  /** The descriptor may have changed. */
  reread(reader: WalkReader): void {
    const { start, tag } = reader.node;
    if (start || this.isLoaded(tag)) this.#derive(reader);
  }

  /** A TLBI has been executed. Walks that begin after it make again what memory still says. */
  invalidate(command: TlbInvalidation, slot: number): void {
    const nodes = this.#graph.nodes.filter(
      (node) => !node.start && this.#holds.state(node.cell) !== ABSENT && coversTlb(command, node),
    );
    // Upper levels first, so that a table that comes back brings back what is below it.
    nodes.sort((a, b) => a.tableLevel - b.tableLevel);
    for (const node of nodes) this.#doom(node, slot);
    for (const leaf of this.#graph.leaves)
      if (this.#holds.state(leaf.cell) !== ABSENT && coversTlb(command, leaf)) this.#doom(leaf, slot);
  }

  /** TLBIs have completed. */
  complete(mask: number): void {
    for (const { start, cell } of this.#graph.nodes)
      if (!start) this.#holds.set(cell, complete(this.#holds.state(cell), mask));
    for (const { cell } of this.#graph.leaves) this.#holds.set(cell, complete(this.#holds.state(cell), mask));
  }

  /** State of a table descriptor; the start of walks is never doomed. */
  stateOf(node: WalkNode): HoldState {
    return this.#graph.stateOf(node);
  }

  #doom(thing: WalkNode | Leaf, slot: number): void {
    let state = doom(this.#holds.state(thing.cell), 1 << slot);
    for (const reader of thing.producers) {
      if (state === HELD) break;
      const parent = this.stateOf(reader.node);
      if (parent === ABSENT || !(reader.node.start || this.isLoaded(reader.node.tag))) continue;
      const { node, leaves } = this.#graph.resultOf(reader);
      if (node === thing || leaves.includes(thing as Leaf)) state = this.#inheritance.through(state, parent, thing);
    }
    this.#holds.set(thing.cell, state);
  }

  #walkOn(node: WalkNode): void {
    for (const reader of node.readers) this.#derive(reader);
  }

  /** Holds what a descriptor leads to now. */
  #derive(reader: WalkReader): void {
    const parent = this.stateOf(reader.node);
    if (parent === ABSENT) return;
    const { node, leaves } = this.#graph.resultOf(reader);
    if (node !== undefined && this.#raise(node, parent)) this.#walkOn(node);
    for (const leaf of leaves) if (this.#raise(leaf, parent)) this.#raised?.(leaf);
  }

  /** @returns whether that changed anything. */
  #raise(thing: WalkNode | Leaf, parent: HoldState): boolean {
    const before = this.#holds.state(thing.cell);
    if (before === HELD) return false;
    const state = this.#inheritance.through(before, parent, thing);
    this.#holds.set(thing.cell, state);
    return state !== before;
  }
}
