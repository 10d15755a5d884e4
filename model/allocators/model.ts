import type { AgentSpec } from '../../engine/agent.ts';
import type { System } from '../../engine/system.ts';
import { renamings } from './symmetry.ts';
import type { TagAllocator } from './tag-allocator.ts';
import { WITNESSES, type Witness } from './witnesses.ts';

/**
 * What is taken for the same when states are counted: nothing; states that differ in the names of spaces; those that differ in
 * the names of CPUs too. The last is right only as long as nothing loops over the CPUs, which has an order: without a
 * roll-over. (The TLA+ model declares it for all bounds.)
 */
export type Symmetry = 'none' | 'spaces' | 'spaces and CPUs';

/** Routines of an allocator that replace its own. Those that are no generators run inside a step. */
export type Routines<A extends TagAllocator> = Partial<A> & ThisType<A>;

/** An allocator in a world of its own, ready to be run and searched. */
export class AllocatorModel {
  readonly allocator: TagAllocator;
  readonly system: System;

  constructor(allocator: TagAllocator, agents: readonly AgentSpec[], symmetry: Symmetry) {
    this.allocator = allocator;
    const system: System = {
      machine: allocator.state.machine,
      agents,
      // A step and the check after it read nearly everything: computing them is cheaper than finding them in a memo.
      memoise: false,
      check: () => allocator.check(),
    };
    this.system =
      symmetry === 'none'
        ? system
        : { ...system, symmetry: renamings(allocator.state, agents, symmetry === 'spaces and CPUs') };
  }

  /** What the runs of this model have come by so far. */
  witnesses(): Witness[] {
    const { tallies } = this.allocator.state.machine;
    return WITNESSES.filter((_, index) => (tallies[index] as number) > 0);
  }
}
