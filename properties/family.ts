import type fc from 'fast-check';
import type { Failure } from '../engine/failure.ts';
import type { Observation } from '../engine/observe.ts';
import type { System } from '../engine/system.ts';
import type { CostScenario } from './cost/scenario.ts';

/**
 * One operation of a program, as plain data. Arguments are small numbers and words; references to earlier results are
 * symbolic (an index that is resolved when the operation runs), so deleting an operation never changes what the others mean.
 */
export interface Operation {
  readonly op: string;
  readonly [argument: string]: number | string | boolean;
}

/** A program: one list of operations for each agent. */
export interface Program {
  readonly agents: readonly { readonly name: string; readonly operations: readonly Operation[] }[];
}

/** What a world is built from, besides the implementation: sizes, features, swarm switches. Plain data. */
export type Configuration = Readonly<Record<string, number | string | boolean>>;

/** A mistake that the harness must find: one routine of the correct implementation replaced. */
export interface Hazard {
  /** kebab-case, unique within its family: "share-asid-unmap-window". */
  readonly id: string;
  /** One line. */
  readonly title: string;
  /** Where the mistake is known from: kernel function and version, commit title, mailing list subject, CVE. */
  readonly citation: string;
  /** What goes wrong, in a sentence or two. */
  readonly story: string;
  /** The violations it may show as; the first is the usual one. */
  readonly expected: readonly { readonly monitor: string; readonly rule: string }[];
}

/** The smallest program that shows a hazard; the correct implementation passes it exhaustively. */
export interface Litmus {
  readonly id: string;
  readonly title: string;
  /** Hazards that violate it. */
  readonly hazards: readonly string[];
  readonly configuration: Configuration;
  readonly program: Program;
}

/** Lines of the *why* at the end of a report: "Then", "However", "Because", "Missing". */
export interface WhyLine {
  readonly head: string;
  readonly text: string;
}

/** A built world: one configuration with one implementation. Programs are loaded into it one after the other. */
export interface World {
  readonly configuration: Configuration;
  /** A system over the world's store, which is at its initial state. Valid until the next `load`. */
  load(program: Program): System;
  /** Notable state as lines, for the state column of reports: what is attached, what hardware may hold. */
  snapshot(): readonly string[];
  /**
   * What a failure happened through, in a word that no renaming changes: "TLB entry", "walk cache", "CD". Asked in the
   * state that failed, and part of what makes two failures the same bug. Default: nothing to tell apart.
   */
  through?(failure: Failure): string | undefined;
  /** Explains a failure from the observed run that ended in it. */
  explain(observation: Observation, failure: Failure): readonly WhyLine[];
  /** What more there is to say of agents that wait for ever, after who waits for what. Default: nothing. */
  explainStuck?(observation: Observation, failure: Failure): readonly WhyLine[];
  /** Names of things for a report: one line for each that the program mentions ("domain0 has ASID 1, which mm0 will want"). */
  describeOperation(operation: Operation): string;
  /**
   * True if a CPU keeps state from one operation to the next (a store buffer, say); else it does not matter which of
   * several idle CPUs runs an operation.
   */
  readonly cpusKeepState?: boolean;
  /** Counts since the world was built: how often each "sometimes" condition was reached, operations run and rejected. */
  readonly counters: Counters;
}

/** What was exercised. A witness that stays 0 means that a check may be vacuous. */
export interface Counters {
  readonly witnesses: Record<string, number>;
  /** For each kind of operation: how often it was run, and how often it did not apply. */
  readonly operations: Record<string, { run: number; rejected: number }>;
}

/** A world to start from, with a name for reports and for the command line. */
export interface SmallWorld {
  readonly name: string;
  readonly configuration: Configuration;
}

/**
 * What `stalemate verify` exhausts: every program over a few small worlds. An operation and the check must depend on the
 * state alone, not on what else the program has.
 */
export interface SmallScope {
  readonly worlds: readonly SmallWorld[];
  /** Every operation that changes state and that a program may have. */
  alphabet(configuration: Configuration): readonly Operation[];
  /**
   * Says that an operation names one of several things that are alike in the initial state and that the software never
   * tells apart; `index` counts them from 0. Programs that differ by a renaming of such things fail alike, so they count
   * once. An operation names at most one such thing.
   */
  alike?(
    configuration: Configuration,
    operation: Operation,
  ): { readonly kind: string; readonly index: number } | undefined;
}

/** A family of properties: what `stalemate fuzz NAME` runs. */
export interface Family {
  readonly name: string;
  readonly summary: string;
  readonly hazards: readonly Hazard[];
  readonly litmus: readonly Litmus[];
  /** Configurations to draw from (swarm). */
  readonly configurations: fc.Arbitrary<Configuration>;
  /** Programs for a configuration, weighted from the model's state. */
  programs(configuration: Configuration): fc.Arbitrary<Program>;
  /** @throws RangeError for an unknown hazard or a configuration that cannot be built, saying what is possible. */
  world(configuration: Configuration, hazard?: string): World;
  /** What can be exhausted; without it the family can only be fuzzed. */
  readonly small?: SmallScope;
  /** Plainer configurations, each one field away, for the minimiser; the plainest first. */
  plainer?(configuration: Configuration): readonly Configuration[];
  /** Simpler variants of one operation (smaller arguments), for the minimiser; simplest first. */
  simplify(operation: Operation): readonly Operation[];
  /** Witnesses that a fuzz run of the correct implementation must reach. */
  readonly witnesses: readonly string[];
  /** What designs that the family knows cost: `stalemate fuzz NAME --cost`. */
  readonly cost?: CostScenario;
}
