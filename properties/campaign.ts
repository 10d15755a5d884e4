import fc from 'fast-check';
import { HarnessError, fingerprint, type Failure } from '../engine/failure.ts';
import { Runner } from '../engine/run.ts';
import { Fingerprint } from '../engine/search/fingerprint.ts';
import { Visited } from '../engine/search/visited.ts';
import { pct } from '../engine/strategies/pct.ts';
import { randomWalk } from '../engine/strategies/random-walk.ts';
import { replay } from '../engine/strategies/replay.ts';
import type { Strategy } from '../engine/strategies/strategy.ts';
import type { Configuration, Counters, Family, Program, World } from './family.ts';

/** A failure that was found and confirmed by two replays: everything that is needed to see it again. */
export interface Found {
  readonly family: string;
  readonly hazard?: string;
  readonly configuration: Configuration;
  readonly program: Program;
  /** Agent index of each step. */
  readonly schedule: readonly number[];
  readonly failure: Failure;
  readonly provenance: {
    readonly seed: number;
    readonly strategy: string;
    /** Executions up to and including the failing one. */
    readonly executions: number;
    readonly seconds: number;
  };
}

/** How to choose schedules: one strategy, or all of them in turn. */
export type StrategyName = 'random' | 'pct' | 'portfolio';

/** What to run and when to end. One of `seconds` and `runs` (executions) should be given; default 20 seconds. */
export interface FuzzOptions {
  readonly hazard?: string;
  readonly seed: number;
  readonly seconds?: number;
  readonly runs?: number;
  readonly strategy?: StrategyName;
  readonly stop?: () => boolean;
  /** Called for each failure at once, before the run goes on: the place to save it. */
  readonly onFound: (found: Found) => 'stop' | 'continue';
  readonly onProgress?: (progress: FuzzSummary) => void;
}

/** What a run did, and what it did not reach. */
export interface FuzzSummary {
  executions: number;
  programs: number;
  steps: number;
  stepsMin: number;
  stepsMax: number;
  /** Runs cut off at the bound on steps. */
  boundsHit: number;
  seconds: number;
  /** Different final states seen. */
  distinctOutcomes: number;
  witnesses: Record<string, number>;
  operations: Record<string, { run: number; rejected: number }>;
  /** Executions that ended in a failure. */
  found: number;
}

/** Runs of one program under different schedules: enough to pay for building it, few enough to see many programs. */
const SCHEDULES_PER_PROGRAM = 48;
/** Steps after which a run is cut off. */
const STEPS_MAX = 4_000;
/** Programs drawn for a configuration before another one is drawn. */
const PROGRAMS_PER_CONFIGURATION = 16;
/** Worlds kept built; the one used longest ago makes room. */
const WORLDS_MAX = 24;
const PAUSE_MS = 40;

/** Random programs under random schedules, from a seed. Gives way to the event loop a few times a second. */
export async function fuzz(family: Family, options: FuzzOptions): Promise<FuzzSummary> {
  return new Campaign(family, options).run();
}

class Campaign {
  readonly #family: Family;
  readonly #options: FuzzOptions;
  readonly #strategies: readonly Strategy[];
  readonly #summary: FuzzSummary = emptySummary();
  readonly #outcomes = new Visited();
  readonly #worlds = new Map<string, World>();
  /** What worlds had counted that are no longer kept. */
  readonly #retired: Counters = { witnesses: {}, operations: {} };
  readonly #started = performance.now();
  readonly #deadline: number;
  readonly #runsMax: number;
  #stopped = false;

  constructor(family: Family, options: FuzzOptions) {
    this.#family = family;
    this.#options = options;
    this.#strategies = strategies(options.strategy ?? 'portfolio');
    this.#runsMax = options.runs ?? Infinity;
    const seconds = options.seconds ?? (options.runs === undefined ? 20 : Infinity);
    this.#deadline = this.#started + seconds * 1000;
  }

  async run(): Promise<FuzzSummary> {
    let pause = performance.now() + PAUSE_MS;
    for (let round = 0; !this.#stopped; round++) {
      const [configuration] = fc.sample(this.#family.configurations, { seed: this.#seed(round, 0), numRuns: 1 });
      if (configuration === undefined) throw new HarnessError('no configuration was generated');
      const world = this.#world(configuration);
      const programs = this.#family.programs(configuration);
      for (let index = 0; index < PROGRAMS_PER_CONFIGURATION && !this.#stopped; index++) {
        const [program] = fc.sample(programs, { seed: this.#seed(round, index + 1), numRuns: 1 });
        if (program !== undefined) this.#runProgram(world, program);
        if (performance.now() < pause) continue;
        this.#options.onProgress?.(this.#totals());
        await new Promise((resolve) => setImmediate(resolve));
        this.#stopped ||= this.#options.stop?.() === true;
        pause = performance.now() + PAUSE_MS;
      }
    }
    return this.#totals();
  }

  #runProgram(world: World, program: Program): void {
    const runner = new Runner(world.load(program), STEPS_MAX);
    const summary = this.#summary;
    summary.programs++;
    for (let at = 0; at < SCHEDULES_PER_PROGRAM; at++) {
      if (summary.executions >= this.#runsMax || performance.now() > this.#deadline) {
        this.#stopped = true;
        break;
      }
      const strategy = this.#strategies[at % this.#strategies.length] as Strategy;
      const end = runner.run(strategy, this.#seed(summary.executions, -1));
      this.#count(runner, end === 'bound');
      if (end !== 'failed') continue;
      summary.found++;
      if (this.#options.onFound(this.#confirm(world, program, runner, strategy)) === 'stop') this.#stopped = true;
      break;
    }
    runner.close();
  }

  #count(runner: Runner, bound: boolean): void {
    const summary = this.#summary;
    summary.executions++;
    summary.steps += runner.steps;
    if (runner.steps < summary.stepsMin) summary.stepsMin = runner.steps;
    if (runner.steps > summary.stepsMax) summary.stepsMax = runner.steps;
    if (bound) summary.boundsHit++;
    const print = stateOf(runner);
    if (this.#outcomes.add(print.low, print.high)) summary.distinctOutcomes++;
  }

  /** Runs a failure twice more; a failure that does not come back is a broken harness, not a finding. */
  #confirm(world: World, program: Program, runner: Runner, strategy: Strategy): Found {
    const failure = runner.system.machine.failure as Failure;
    const schedule = [...runner.schedule.subarray(0, runner.steps)];
    const before = stateOf(runner);
    for (let again = 0; again < 2; again++) {
      runner.run(replay(schedule), 0);
      const now = runner.system.machine.failure;
      const print = stateOf(runner);
      if (
        now === undefined ||
        fingerprint(now) !== fingerprint(failure) ||
        print.low !== before.low ||
        print.high !== before.high
      )
        throw new HarnessError(
          `a failure (${fingerprint(failure)}) did not come back on replay: a step depends on more than the store`,
        );
    }
    const { family, hazard } = { family: this.#family.name, hazard: this.#options.hazard };
    const { configuration } = world;
    const { executions } = this.#summary;
    const seconds = (performance.now() - this.#started) / 1000;
    const provenance = { seed: this.#options.seed, strategy: strategy.name, executions, seconds };
    const found = { family, configuration, program, schedule, failure, provenance };
    return hazard === undefined ? found : { ...found, hazard };
  }

  #world(configuration: Configuration): World {
    const key = JSON.stringify(configuration);
    const world = this.#worlds.get(key) ?? this.#family.world(configuration, this.#options.hazard);
    this.#worlds.delete(key);
    this.#worlds.set(key, world);
    const [oldest] = this.#worlds.keys();
    if (this.#worlds.size > WORLDS_MAX && oldest !== undefined) {
      const retired = this.#worlds.get(oldest);
      if (retired !== undefined) addCounters(this.#retired, retired.counters);
      this.#worlds.delete(oldest);
    }
    return world;
  }

  #totals(): FuzzSummary {
    const summary = this.#summary;
    summary.seconds = (performance.now() - this.#started) / 1000;
    const totals: Counters = {
      witnesses: Object.fromEntries(this.#family.witnesses.map((name) => [name, 0])),
      operations: {},
    };
    addCounters(totals, this.#retired);
    for (const { counters } of this.#worlds.values()) addCounters(totals, counters);
    summary.witnesses = totals.witnesses;
    summary.operations = totals.operations;
    return summary;
  }

  /** Seeds of the parts of a campaign: spread, so that neighbouring campaigns share nothing. */
  #seed(a: number, b: number): number {
    return (
      Math.imul(Math.imul(this.#options.seed | 0, 0x9e3779b1) ^ Math.imul(a, 0x85ebca6b), 0xc2b2ae35) ^
      Math.imul(b, 0x27d4eb2f)
    );
  }
}

/** Adds what one world has counted to a total. */
function addCounters(total: Counters, counters: Counters): void {
  for (const [name, count] of Object.entries(counters.witnesses))
    total.witnesses[name] = (total.witnesses[name] ?? 0) + count;
  for (const [name, { run, rejected }] of Object.entries(counters.operations)) {
    const sum = (total.operations[name] ??= { run: 0, rejected: 0 });
    sum.run += run;
    sum.rejected += rejected;
  }
}

function strategies(name: StrategyName): readonly Strategy[] {
  if (name === 'random') return [randomWalk()];
  if (name === 'pct') return [pct(3)];
  return [pct(2), randomWalk(), pct(3)];
}

/** Fingerprint of the state that a run ended in. */
function stateOf(runner: Runner): Fingerprint {
  const print = new Fingerprint();
  print.absorbWrites(runner.system.machine.store, runner.root);
  return print;
}

function emptySummary(): FuzzSummary {
  return {
    executions: 0,
    programs: 0,
    steps: 0,
    stepsMin: Infinity,
    stepsMax: 0,
    boundsHit: 0,
    seconds: 0,
    distinctOutcomes: 0,
    witnesses: {},
    operations: {},
    found: 0,
  };
}
