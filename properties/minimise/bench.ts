import { bugKey, bugOf, type Bug } from '../../engine/bug/bug.ts';
import { Places } from '../../engine/bug/places.ts';
import { racesOf } from '../../engine/bug/races.ts';
import { HarnessError, type Failure } from '../../engine/failure.ts';
import { observe } from '../../engine/observe.ts';
import { Runner } from '../../engine/run.ts';
import { fewestSwitches, search, type SearchResult } from '../../engine/search/search.ts';
import { pct } from '../../engine/strategies/pct.ts';
import { randomWalk } from '../../engine/strategies/random-walk.ts';
import { replay } from '../../engine/strategies/replay.ts';
import type { Strategy } from '../../engine/strategies/strategy.ts';
import type { System } from '../../engine/system.ts';
import type { Configuration, Family, Program, World } from '../family.ts';
import { breathe, type Budget } from './budget.ts';
import { canonical, type Derived } from './program.ts';
import { following, noting, project, type Token } from './projection.ts';

/** A program in a world, and a schedule under which it fails. */
export interface Candidate {
  readonly configuration: Configuration;
  readonly program: Program;
  readonly schedule: readonly number[];
  /** The same schedule as tokens. */
  readonly tokens: readonly Token[];
  readonly failure: Failure;
  readonly switches: number;
  readonly bug: Bug;
  /** What its races are, for the comparison of two candidates: see `Race.read`. */
  readonly reads: readonly string[];
}

/** What a search for the failure came to: a candidate, or whether there is certainly none. */
export type Verdict = Candidate | 'holds' | 'another-race' | 'bound';

const STEPS_MAX = 4_000;
/** Random runs of a smaller program before it is searched. */
const QUICK_RUNS = 60;
/** Bound of one search. */
const STATES_MAX = 3_000_000;

/** A loaded program, and how to tell its failures. */
export interface Loaded {
  readonly system: System;
  readonly places: Places;
}

/** Runs and searches programs, and says whether they show the bug that is to be kept. */
export class Bench {
  readonly budget: Budget;
  /** States of all searches. */
  states = 0;
  readonly #family: Family;
  readonly #hazard: string | undefined;
  readonly #worlds = new Map<string, World>();
  readonly #strategies = [pct(2), randomWalk(), pct(3)];
  /** What has been searched: programs in the order of `canonical`, with their configuration. */
  readonly #verdicts = new Map<string, 'holds' | 'another-race'>();
  /** In each world that was searched under a constraint, the cell that is for it. */
  readonly #flags = new WeakMap<World, number>();
  #key = '';

  constructor(family: Family, hazard: string | undefined, budget: Budget) {
    this.#family = family;
    this.#hazard = hazard;
    this.budget = budget;
  }

  get family(): Family {
    return this.#family;
  }

  /**
   * The failure that all others must be the same as. The candidate's own is replaced by what the schedule really ends in.
   * Undefined if it does not fail.
   */
  adopt(configuration: Configuration, program: Program, schedule: readonly number[]): Candidate | undefined {
    return this.#run(
      configuration,
      program,
      () => replay(schedule),
      1,
      (loaded, failure) => {
        this.#key = bugKey(failure, loaded.places.of(failure));
        return true;
      },
    );
  }

  /** A program in its world. @throws RangeError if this world has not what the program uses. */
  load(configuration: Configuration, program: Program): Loaded {
    const { world, system } = this.#world(configuration, program);
    const places = new Places(system, (failure) => world.through?.(failure));
    return { system: places.system, places };
  }

  /** True if there is such a world (a hazard may fail while it is set up), and it can run the program. */
  fits(configuration: Configuration, program: Program): boolean {
    try {
      this.load(configuration, program);
      return true;
    } catch (error) {
      if (error instanceof RangeError || error instanceof HarnessError) return false;
      throw error;
    }
  }

  /** Whether a failure of the loaded program has the key of the bug that is kept. */
  isWanted({ places }: Pick<Loaded, 'places'>, failure: Failure): boolean {
    return bugKey(failure, places.of(failure)) === this.#key;
  }

  /**
   * The schedule of `from`, as far as it fits a changed program; undefined if that does not fail in the same way, in the
   * same operation.
   */
  projected(from: Candidate, configuration: Configuration, { program, moved }: Derived): Candidate | undefined {
    if (!this.fits(configuration, program)) return undefined;
    const candidate = this.follow(configuration, program, project(from.tokens, moved));
    const last = from.tokens.at(-1);
    const failing = last === undefined ? undefined : moved(last.agent, last.operation);
    if (candidate === undefined || (candidate.bug.at !== undefined && !isAt(candidate.tokens.at(-1), failing)))
      return undefined;
    return someRaces(candidate, from) ? candidate : undefined;
  }

  /** One run that follows tokens. */
  follow(configuration: Configuration, program: Program, tokens: readonly Token[]): Candidate | undefined {
    return this.#run(configuration, program, (runner, system) => following(tokens, runner, system), 1);
  }

  /** A few random runs; a failure by other races than those of `from` does not count. */
  tried(from: Candidate, configuration: Configuration, program: Program, runs = QUICK_RUNS): Candidate | undefined {
    if (!this.fits(configuration, program)) return undefined;
    const candidate = this.#run(
      configuration,
      program,
      (_runner, _system, at) => this.#strategies[at % this.#strategies.length] as Strategy,
      runs,
    );
    return candidate !== undefined && akin(candidate, from) ? candidate : undefined;
  }

  /** Every schedule of a program. `moved` leads from `from` to it: its schedule is tried first. */
  async exhaust(
    from: Candidate,
    configuration: Configuration,
    derived: Derived,
    statesMax = STATES_MAX,
  ): Promise<Verdict> {
    const { program } = derived;
    await breathe();
    if (!this.fits(configuration, program)) return 'holds';
    const name = JSON.stringify([configuration, canonical(program).program]);
    const known = this.#verdicts.get(name);
    if (known !== undefined) return known;
    if (this.budget.expired()) return 'bound';
    const verdict = this.#exhaust(from, configuration, derived, statesMax);
    if (typeof verdict === 'string' && verdict !== 'bound') this.#verdicts.set(name, verdict);
    return verdict;
  }

  /** A schedule with the fewest switches, of these with the fewest steps; see `fewestSwitches`. */
  shortest(candidate: Candidate, switchesMax: number, statesMax = STATES_MAX) {
    const { configuration, program } = candidate;
    const loaded = this.load(configuration, program);
    const result = fewestSwitches(loaded.system, { ...this.#bounds(loaded, statesMax), switchesMax });
    this.states += result.states;
    return { result, candidate: this.#found(configuration, program, result) };
  }

  /**
   * Explores some of the schedules of a program: those that `constrain` leaves. True if none shows the bug, undefined if a
   * bound was hit.
   */
  neverFails(
    configuration: Configuration,
    program: Program,
    constrain: (system: System, flag: number) => System,
  ): boolean | undefined {
    const { world, system } = this.#world(configuration, program);
    let flag = this.#flags.get(world);
    if (flag === undefined) this.#flags.set(world, (flag = system.machine.store.reserve(1, 'order of two steps')));
    const places = new Places(constrain(system, flag), (failure) => world.through?.(failure));
    const result = search(places.system, { ...this.#bounds({ places }, STATES_MAX), order: 'dfs' });
    this.states += result.states;
    return result.verdict === 'bound' ? undefined : result.verdict === 'exhausted';
  }

  #exhaust(from: Candidate, configuration: Configuration, derived: Derived, statesMax: number): Verdict {
    const { program } = derived;
    const quick = this.projected(from, configuration, derived);
    if (quick !== undefined) return quick;
    const loaded = this.load(configuration, program);
    const result = search(loaded.system, { ...this.#bounds(loaded, statesMax), order: 'dfs' });
    this.states += result.states;
    if (result.verdict === 'exhausted') return 'holds';
    if (result.verdict === 'bound') return 'bound';
    for (const candidate of [this.#found(configuration, program, result), this.tried(from, configuration, program)])
      if (candidate !== undefined && akin(candidate, from)) return candidate;
    return 'another-race';
  }

  #world(configuration: Configuration, program: Program): { world: World; system: System } {
    const name = JSON.stringify(configuration);
    let world = this.#worlds.get(name);
    if (world === undefined) {
      world = this.#family.world(configuration, this.#hazard);
      this.#worlds.set(name, world);
    }
    return { world, system: world.load(program) };
  }

  #bounds(loaded: Pick<Loaded, 'places'>, statesMax: number) {
    return {
      statesMax,
      stepsMax: STEPS_MAX,
      wanted: (failure: Failure) => this.isWanted(loaded, failure),
      stop: this.budget.expired,
    };
  }

  #found(configuration: Configuration, program: Program, { schedule }: SearchResult): Candidate | undefined {
    if (schedule === undefined) return undefined;
    return this.#run(configuration, program, () => replay(schedule), 1);
  }

  /** Runs a program until it fails in the wanted way, at most `times` times. */
  #run(
    configuration: Configuration,
    program: Program,
    choose: (runner: Runner, system: System, at: number) => Strategy,
    times: number,
    wanted = (loaded: Loaded, failure: Failure): boolean => this.isWanted(loaded, failure),
  ): Candidate | undefined {
    const loaded = this.load(configuration, program);
    const { system } = loaded;
    const runner = new Runner(system, STEPS_MAX);
    const tokens: Token[] = [];
    for (let at = 0; at < times; at++) {
      const end = runner.run(noting(choose(runner, system, at), runner, system, tokens), at * 7919 + 1);
      const { failure } = system.machine;
      if (end !== 'failed' || failure === undefined || !wanted(loaded, failure)) continue;
      const schedule = [...runner.schedule.subarray(0, runner.steps)];
      runner.close();
      const observation = observe(system, schedule);
      const switches = observation.steps.filter(({ switchedFrom }) => switchedFrom !== undefined).length;
      const bug = bugOf(failure, loaded.places.of(failure), observation);
      const reads = [...new Set(racesOf(observation).map(({ read }) => read))];
      return { configuration, program, schedule, tokens, failure, switches, bug, reads };
    }
    runner.close();
    return undefined;
  }
}

/** True if a failure is by some of the races of another one: what a deletion may leave of them. */
export function someRaces(candidate: Candidate, from: Candidate): boolean {
  return candidate.reads.every((read) => from.reads.includes(read));
}

/**
 * True if two failures have a race in common, or neither has any. Asked of schedules that have nothing to do with each
 * other: they differ in what is beside the point, but a bug that needs a race shows it in each.
 */
export function akin(a: Candidate, b: Candidate): boolean {
  if (a.reads.length === 0 || b.reads.length === 0) return a.reads.length === b.reads.length;
  return a.reads.some((read) => b.reads.includes(read));
}

function isAt(token: Token | undefined, place: Token | undefined): boolean {
  return token?.agent === place?.agent && token?.operation === place?.operation;
}
