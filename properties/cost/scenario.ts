import type fc from 'fast-check';
import type { InvalidationMonitor } from '../../model/contract/invalidation.ts';
import type { Configuration, Litmus, Program, World } from '../family.ts';
import type { CommandCounter } from './commands.ts';

/** One way to build software that can be built in several. */
export interface CostDesign {
  /** One word, for tables: "pinned". */
  readonly name: string;
  /** One line. */
  readonly summary: string;
  /** Known not to be safe, and here for comparison: its violations are no finding, and their absence would be one. */
  readonly mistaken?: boolean;
}

/** One operation, or a few, whose cost is of interest by itself. */
export interface CostUnit {
  /** A few words: "bind, 2 devices". */
  readonly title: string;
  /** Without the design. */
  readonly configuration: Configuration;
  readonly program: Program;
}

/** What a world counts, from the end of its set-up on, over all programs that are loaded into it. */
export interface Costs {
  /** What TLB maintenance takes away. It must know how much is held (`InvalidationUse.held`). */
  readonly invalidations: InvalidationMonitor;
  /** What the SMMU's command queue is given. */
  readonly commands: CommandCounter;
}

/** A world that counts what its software costs. */
export interface CostWorld extends World {
  readonly costs: Costs;
}

/**
 * What a family offers for `stalemate fuzz FAMILY --cost`: the same programs under each of several designs. A program must
 * mean the same under each, though some steps are made under one only.
 */
export interface CostScenario {
  /** In the order of the table; the first is what the others are compared with. */
  readonly designs: readonly CostDesign[];
  /** Worlds, without the design. */
  readonly configurations: fc.Arbitrary<Configuration>;
  programs(configuration: Configuration): fc.Arbitrary<Program>;
  /** Builds the world of a configuration under a design. */
  world(configuration: Configuration, design: string): CostWorld;
  /** Counted by themselves, over some schedules if they have several agents. */
  readonly units?: readonly CostUnit[];
  /** Small programs (configurations without the design) that are exhausted under each design, for the verdict on safety. */
  readonly litmus?: readonly Pick<Litmus, 'id' | 'configuration' | 'program'>[];
}
