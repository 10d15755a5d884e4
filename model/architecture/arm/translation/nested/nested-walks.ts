import type { Command } from '../../commands/invalidation.ts';
import { coversTlb, type TlbTarget } from '../../commands/invalidation.ts';
import type { PendingCommands } from '../../commands/pending.ts';
import type { HoldTable } from '../../holds.ts';
import { allowsWalk, type StageTwoControls } from '../descriptor-step.ts';
import type { StageTwo } from '../stage2/stage-two.ts';
import { ipaOf } from '../walk-graph.ts';
import type { CombinedFetch, Leaf, WalkNode, WalkReader } from '../walk-node.ts';
import type { IpaPage, IpaSpace } from '../stage2/ipa-space.ts';
import type { CombinedEntries } from './combined-entries.ts';

/** How stage 1 goes on through stage 2: which combined entries what is held now makes, and how fresh they are. */
export class NestedWalks {
  readonly entries: CombinedEntries;
  readonly #stageTwo: StageTwo;
  readonly #holds: HoldTable;
  readonly #pending: PendingCommands;

  constructor(entries: CombinedEntries, stageTwo: StageTwo, holds: HoldTable, pending: PendingCommands) {
    this.entries = entries;
    this.#stageTwo = stageTwo;
    this.#holds = holds;
    this.#pending = pending;
  }

  /** Fetches a descriptor through each stage 2 translation of its page that is held and lets walks pass. */
  fetch(reader: WalkReader, nodeState: number): void {
    const page = reader.ipa as IpaPage;
    this.#stageTwo.demand(page);
    this.#stageTwo.forEachHeld(page, (through) => {
      if (!walkable(through)) return;
      this.#holds.raise(this.entries.fetch(reader, through).cell, this.#fetchState(reader.node, nodeState, through));
    });
  }

  /**
   * Makes the combined entries of a leaf of stage 1.
   *
   * @param raised told of each that is held, or fresher than before.
   */
  combine(first: Leaf, raised: (leaf: Leaf) => void): void {
    const state = this.#holds.state(first.cell);
    if (state === 0) return;
    for (const address of first.addresses) {
      const page = ipaOf(first, address, first.space as IpaSpace);
      this.#stageTwo.demand(page);
      this.#stageTwo.forEachHeld(page, (second) => {
        const leaf = this.entries.leaf(first, second);
        if (this.#holds.raise(leaf.cell, this.#leafState(first, second))) raised(leaf);
      });
    }
  }

  /** A combined fetch has been doomed: walks that begin now may make it again. */
  reviveFetch({ base, through, cell }: CombinedFetch, nodeState: number): void {
    if (nodeState === 0 || this.#holds.state(through.cell) === 0) return;
    this.#holds.raise(cell, this.#fetchState(base.node, nodeState, through));
  }

  /** A combined leaf has been doomed: accesses that begin now may make it again. */
  reviveLeaf({ parts, cell }: Leaf): void {
    if (parts === undefined) return;
    const { first, second } = parts;
    if (this.#holds.state(first.cell) === 0 || this.#holds.state(second.cell) === 0) return;
    this.#holds.raise(cell, this.#leafState(first, second));
  }

  #fetchState(node: WalkNode, nodeState: number, through: Leaf): number {
    const second = this.#holds.state(through.cell);
    if (nodeState === 1 && second === 1) return 1;
    const covers = covering(node);
    // The start of walks is never doomed, so that its own coverage does not count.
    return this.#pending.inheritTwo({ state: nodeState, covers }, this.#doomed(through), covers);
  }

  #leafState(first: Leaf, second: Leaf): number {
    if (this.#holds.state(first.cell) === 1 && this.#holds.state(second.cell) === 1) return 1;
    return this.#pending.inheritTwo(this.#doomed(first), this.#doomed(second), covering(first));
  }

  #doomed(leaf: Leaf): { state: number; covers: (command: Command) => boolean } {
    return { state: this.#holds.state(leaf.cell), covers: covering(leaf) };
  }
}

/** Whether stage 1 walks and fetches of CDs may read through a leaf of stage 2. */
export function walkable(leaf: Leaf): boolean {
  return allowsWalk(leaf.table.interpretation.stage2 as StageTwoControls, leaf);
}

function covering(target: TlbTarget): (command: Command) => boolean {
  return (command) => command.kind === 'tlb' && coversTlb(command, target);
}
