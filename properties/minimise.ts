import { fingerprint, type Failure } from '../engine/failure.ts';
import { Runner } from '../engine/run.ts';
import { fewestSwitches, search } from '../engine/search/search.ts';
import { pct } from '../engine/strategies/pct.ts';
import { randomWalk } from '../engine/strategies/random-walk.ts';
import { replay } from '../engine/strategies/replay.ts';
import type { System } from '../engine/system.ts';
import type { Found } from './campaign.ts';
import type { Configuration, Family, Operation, Program, World } from './family.ts';

/** What the minimiser can say about its result. */
export interface Minimality {
  /** `proved`: every program that is left after deleting any operations was exhausted and does not show the failure. */
  readonly operations: 'proved' | 'not-proved';
  /** `proved`: no schedule with fewer context switches, and none with as many and fewer steps, shows the failure. */
  readonly schedule: 'proved' | 'not-proved';
  /** Smaller programs exhausted, and their states. */
  readonly smallerPrograms: number;
  readonly states: number;
  readonly operationsFrom: number;
  readonly stepsFrom: number;
  readonly switchesFrom: number;
  readonly switches: number;
  /** One sentence: what was shown, or which budget ran out. */
  readonly note: string;
}

/** A minimised failure. */
export interface Minimised extends Found {
  readonly minimal: Minimality;
}

/** Budget of a minimisation. */
export interface MinimiseOptions {
  /** Seconds after which the best so far is returned, honestly labelled. */
  readonly seconds: number;
  readonly stop?: () => boolean;
}

/** Runs of a smaller program before it is searched. */
const QUICK_RUNS = 150;
const SWITCHES_MAX = 8;
/** Bound of one search; a smaller program that is larger than this is not proved. */
const STATES_MAX = 3_000_000;
const STEPS_MAX = 4_000;

/**
 * Shrinks operations, arguments and schedule together. Operations are deleted and simplified as long as some schedule
 * still shows the same failure (same fingerprint: never another bug); then the schedule with the fewest context switches,
 * and of those the shortest, is found by breadth-first search; last, everything smaller is exhausted.
 */
export async function minimise(family: Family, found: Found, options: MinimiseOptions): Promise<Minimised> {
  return new Minimiser(family, found, options).run();
}

interface Candidate {
  readonly configuration: Configuration;
  readonly program: Program;
  readonly schedule: readonly number[];
  readonly failure: Failure;
}

class Minimiser {
  readonly #family: Family;
  readonly #found: Found;
  readonly #worlds = new Map<string, World>();
  readonly #fingerprint: string;
  readonly #deadline: number;
  readonly #stop: (() => boolean) | undefined;
  readonly #strategies = [pct(2), randomWalk(), pct(3)];
  #smallerPrograms = 0;
  #states = 0;

  constructor(family: Family, found: Found, options: MinimiseOptions) {
    this.#family = family;
    this.#found = found;
    this.#fingerprint = fingerprint(found.failure);
    this.#deadline = performance.now() + options.seconds * 1000;
    this.#stop = options.stop;
  }

  async run(): Promise<Minimised> {
    let best: Candidate = this.#found;
    let proved: boolean | Candidate = false;
    let schedule: { candidate: Candidate; proved: boolean } = { candidate: best, proved: false };
    do {
      best = await this.#shrink(best);
      schedule = this.#shortestSchedule(best);
      best = schedule.candidate;
      proved = await this.#exhaustSmaller(best);
      if (typeof proved !== 'boolean') best = proved;
    } while (typeof proved !== 'boolean');
    return this.#result(schedule, proved);
  }

  #result(schedule: { candidate: Candidate; proved: boolean }, operationsProved: boolean): Minimised {
    const { candidate } = schedule;
    const minimal: Minimality = {
      operations: operationsProved ? 'proved' : 'not-proved',
      schedule: schedule.proved ? 'proved' : 'not-proved',
      smallerPrograms: this.#smallerPrograms,
      states: this.#states,
      operationsFrom: countOperations(this.#found.program),
      stepsFrom: this.#found.schedule.length,
      switchesFrom: this.#switches(this.#found),
      switches: this.#switches(candidate),
      note: operationsProved
        ? `every smaller program holds (${this.#smallerPrograms} exhausted)`
        : 'not proved minimal: the time or state budget ran out before every smaller program was exhausted',
    };
    const { configuration, program, schedule: steps, failure } = candidate;
    return { ...this.#found, configuration, program, schedule: steps, failure, minimal };
  }

  /** Deletes and simplifies operations while the failure stays, until nothing more can be taken away. */
  async #shrink(from: Candidate): Promise<Candidate> {
    let best = from;
    for (let progress = true; progress && !this.#expired();) {
      progress = false;
      for (const candidate of this.#smaller(best)) {
        await breathe();
        if (this.#expired()) break;
        const smaller = this.#reproduce(candidate);
        if (smaller === undefined) continue;
        best = smaller;
        progress = true;
        break;
      }
    }
    return best;
  }

  #world(configuration: Configuration): World {
    const key = JSON.stringify(configuration);
    let world = this.#worlds.get(key);
    if (world === undefined) {
      world = this.#family.world(configuration, this.#found.hazard);
      this.#worlds.set(key, world);
    }
    return world;
  }

  /** Programs with less, and the same program in a plainer world. */
  *#smaller({ configuration, program }: Candidate): Generator<Pick<Candidate, 'configuration' | 'program'>> {
    for (const plain of this.#family.plainer?.(configuration) ?? []) yield { configuration: plain, program };
    const simplify = (operation: Operation): readonly Operation[] => this.#family.simplify(operation);
    for (const smaller of smallerByOne(program, simplify)) yield { configuration, program: smaller };
  }

  /** The program in its world, or undefined if a plainer world has not what the program uses. */
  #loaded(configuration: Configuration, program: Program): System | undefined {
    try {
      return this.#world(configuration).load(program);
    } catch (error) {
      if (error instanceof RangeError) return undefined;
      throw error;
    }
  }

  /** A failing schedule of a program, by a few random runs and then by a bounded search. */
  #reproduce({ configuration, program }: Pick<Candidate, 'configuration' | 'program'>): Candidate | undefined {
    const system = this.#loaded(configuration, program);
    if (system === undefined) return undefined;
    const runner = new Runner(system, STEPS_MAX);
    try {
      for (let at = 0; at < QUICK_RUNS; at++) {
        const strategy = this.#strategies[at % this.#strategies.length] ?? randomWalk();
        if (runner.run(strategy, at * 7919 + 1) !== 'failed') continue;
        const { failure } = system.machine;
        if (failure !== undefined && this.#isWanted(failure))
          return { configuration, program, failure, schedule: [...runner.schedule.subarray(0, runner.steps)] };
      }
    } finally {
      runner.close();
    }
    const result = fewestSwitches(this.#world(configuration).load(program), {
      ...this.#bounds(200_000),
      switchesMax: 3,
    });
    if (result.failure === undefined || result.schedule === undefined) return undefined;
    return { configuration, program, failure: result.failure, schedule: result.schedule };
  }

  /** The schedule with the fewest switches and then the fewest steps. */
  #shortestSchedule(best: Candidate): { candidate: Candidate; proved: boolean } {
    const switchesMax = Math.min(this.#switches(best), SWITCHES_MAX);
    const result = fewestSwitches(this.#world(best.configuration).load(best.program), {
      ...this.#bounds(STATES_MAX),
      switchesMax,
    });
    if (result.failure === undefined || result.schedule === undefined) return { candidate: best, proved: false };
    return { candidate: { ...best, schedule: result.schedule, failure: result.failure }, proved: true };
  }

  /** True if every program with fewer operations holds, false if a budget ran out, or a smaller failing program. */
  async #exhaustSmaller(best: Candidate): Promise<boolean | Candidate> {
    this.#smallerPrograms = 0;
    this.#states = 0;
    const { configuration } = best;
    const total = countOperations(best.program);
    if (total > 12) return false;
    let complete = true;
    for (const kept of subsets(total)) {
      await breathe();
      if (this.#expired()) return false;
      const program = keep(best.program, kept);
      const result = search(this.#world(configuration).load(program), { ...this.#bounds(STATES_MAX), order: 'dfs' });
      this.#states += result.states;
      this.#smallerPrograms++;
      if (result.failure !== undefined && result.schedule !== undefined)
        return { configuration, program, failure: result.failure, schedule: result.schedule };
      if (result.verdict !== 'exhausted') complete = false;
    }
    return complete;
  }

  #bounds(statesMax: number) {
    return {
      statesMax,
      stepsMax: STEPS_MAX,
      wanted: (failure: Failure) => this.#isWanted(failure),
      stop: () => this.#expired(),
    };
  }

  #isWanted(failure: Failure): boolean {
    return fingerprint(failure) === this.#fingerprint;
  }

  #expired(): boolean {
    return performance.now() > this.#deadline || this.#stop?.() === true;
  }

  /** Context switches of a schedule: moves to another agent while the current one could continue. */
  #switches({ configuration, program, schedule }: Pick<Candidate, 'configuration' | 'program' | 'schedule'>): number {
    const runner = new Runner(this.#world(configuration).load(program), schedule.length + 1);
    const strategy = replay(schedule);
    let switches = 0;
    runner.run(
      {
        ...strategy,
        pick: (enabled, count, step, previous) => {
          const agent = strategy.pick(enabled, count, step, previous);
          if (previous >= 0 && agent !== previous && enabled.subarray(0, count).includes(previous)) switches++;
          return agent;
        },
      },
      0,
    );
    runner.close();
    return switches;
  }
}

/** Number of operations of a program. */
export function countOperations(program: Program): number {
  return program.agents.reduce((sum, { operations }) => sum + operations.length, 0);
}

/** Programs with one operation deleted, last operations first; then programs with one operation simplified. */
function* smallerByOne(program: Program, simplify: (operation: Operation) => readonly Operation[]): Generator<Program> {
  const total = countOperations(program);
  for (let without = total - 1; without >= 0; without--)
    yield keep(
      program,
      Array.from({ length: total }, (_, index) => index !== without),
    );
  for (const [at, agent] of program.agents.entries())
    for (const [index, operation] of agent.operations.entries())
      for (const simpler of simplify(operation)) {
        const operations = agent.operations.with(index, simpler);
        yield { agents: program.agents.with(at, { ...agent, operations }) };
      }
}

/** The program with only the operations whose flag is set; agents without any are left out. */
function keep(program: Program, kept: readonly boolean[]): Program {
  let index = 0;
  const agents = program.agents.map((agent) => ({
    ...agent,
    operations: agent.operations.filter(() => kept[index++]),
  }));
  return { agents: agents.filter(({ operations }) => operations.length > 0) };
}

/** All proper subsets of n operations, larger ones first. */
function subsets(n: number): boolean[][] {
  const all = Array.from({ length: 2 ** n - 1 }, (_, bits) =>
    Array.from({ length: n }, (_unused, at) => ((bits >> at) & 1) === 1),
  );
  const size = (kept: boolean[]): number => kept.filter(Boolean).length;
  return all.sort((a, b) => size(b) - size(a));
}

function breathe(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
