import fc from 'fast-check';
import { HarnessError } from '../engine/failure.ts';
import { Runner } from '../engine/run.ts';
import type { Strategy } from '../engine/strategies/strategy.ts';
import { confirm, type Found } from './campaign/found.ts';
import { strategies, type Entry, type StrategyName } from './campaign/portfolio.ts';
import { Statistics } from './campaign/statistics.ts';
import { mergeSummaries, type FuzzSummary } from './campaign/summary.ts';
import { Worlds } from './campaign/worlds.ts';
import type { Family, Program, World } from './family.ts';

export type { Found } from './campaign/found.ts';
export { STRATEGY_NAMES, type StrategyName } from './campaign/portfolio.ts';
export { mergeSummaries, type FuzzSummary } from './campaign/summary.ts';

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
  /** Where an earlier run of the same campaign was left: `seconds` and `runs` count what it did, too. */
  readonly from?: CampaignState;
  /** Called after each round: from there the campaign can go on. */
  readonly onRound?: (state: CampaignState) => void;
}

/** A campaign between two rounds. What a round does depends on its number and the campaign's seed alone. */
export interface CampaignState {
  /** Number of the next round. */
  readonly round: number;
  readonly summary: FuzzSummary;
}

/**
 * Runs of one program under different schedules: enough to pay for building it and for the first run, which computes every
 * step, few enough to see many programs. Between 24 and 48 it makes no difference to what is found in a given time.
 */
const SCHEDULES_PER_PROGRAM = 48;
/** Steps after which a run is cut off. */
const STEPS_MAX = 4_000;
/** Programs drawn for a configuration before another one is drawn. */
const PROGRAMS_PER_CONFIGURATION = 16;
const PAUSE_MS = 40;

/** Random programs under random schedules, from a seed. Gives way to the event loop a few times a second. */
export async function fuzz(family: Family, options: FuzzOptions): Promise<FuzzSummary> {
  return new Campaign(family, options).run();
}

class Campaign {
  readonly #family: Family;
  readonly #options: FuzzOptions;
  readonly #strategies: readonly Entry[];
  readonly #statistics = new Statistics(() => this.#seconds());
  readonly #worlds: Worlds;
  readonly #started = performance.now();
  readonly #deadline: number;
  readonly #runsMax: number;
  #stopped = false;

  constructor(family: Family, options: FuzzOptions) {
    this.#family = family;
    this.#options = options;
    this.#strategies = strategies(options.strategy ?? 'portfolio');
    this.#worlds = new Worlds(family, options.hazard);
    const { executions, seconds: past } = options.from?.summary ?? { executions: 0, seconds: 0 };
    this.#runsMax = (options.runs ?? Infinity) - executions;
    const seconds = options.seconds ?? (options.runs === undefined ? 20 : Infinity);
    this.#deadline = this.#started + (seconds - past) * 1000;
  }

  async run(): Promise<FuzzSummary> {
    let pause = performance.now() + PAUSE_MS;
    for (let round = this.#options.from?.round ?? 0; !this.#stopped; round++) {
      const [configuration] = fc.sample(this.#family.configurations, { seed: this.#seed(round, 0), numRuns: 1 });
      if (configuration === undefined) throw new HarnessError('no configuration was generated');
      const world = this.#worlds.at(configuration);
      const programs = this.#family.programs(world.configuration);
      for (let index = 0; index < PROGRAMS_PER_CONFIGURATION && !this.#stopped; index++) {
        const seed = this.#seed(round, index + 1);
        const [program] = fc.sample(programs, { seed, numRuns: 1 });
        if (program !== undefined) this.#runProgram(world, program, seed);
        if (performance.now() < pause) continue;
        this.#options.onProgress?.(this.#totals());
        await new Promise((resolve) => setImmediate(resolve));
        this.#stopped ||= this.#options.stop?.() === true;
        pause = performance.now() + PAUSE_MS;
      }
      if (!this.#stopped) this.#options.onRound?.({ round: round + 1, summary: this.#totals() });
    }
    return this.#totals();
  }

  /** @param seed determines everything that is done with the program, whatever was done before. */
  #runProgram(world: World, program: Program, seed: number): void {
    const runner = new Runner(world.load(program), STEPS_MAX);
    const statistics = this.#statistics;
    statistics.beginProgram();
    // One agent alone has but one schedule.
    const runs = runner.nodes.length === 1 ? 1 : SCHEDULES_PER_PROGRAM;
    for (let at = 0; at < runs; at++) {
      if (statistics.summary.executions >= this.#runsMax || performance.now() > this.#deadline) {
        this.#stopped = true;
        break;
      }
      const entry = this.#strategies[at % this.#strategies.length] as Entry;
      if (statistics.run(runner, entry, spread(seed, at, -1)) !== 'failed') continue;
      if (this.#options.onFound(this.#found(world, program, runner, entry.strategy)) === 'stop') this.#stopped = true;
      break;
    }
    statistics.endProgram(runner);
    runner.close();
  }

  #found(world: World, program: Program, runner: Runner, strategy: Strategy): Found {
    const { failure, schedule } = confirm(runner);
    const { family, hazard } = { family: this.#family.name, hazard: this.#options.hazard };
    const { configuration } = world;
    const { executions, seconds } = this.#totals();
    const provenance = { seed: this.#options.seed, strategy: strategy.name, executions, seconds };
    const found = { family, configuration, program, schedule, failure, provenance };
    return hazard === undefined ? found : { ...found, hazard };
  }

  #totals(): FuzzSummary {
    const now = { ...structuredClone(this.#statistics.summary), seconds: this.#seconds(), ...this.#worlds.counters() };
    const { from } = this.#options;
    return from === undefined ? now : mergeSummaries(from.summary, now, 'one after the other');
  }

  #seconds(): number {
    return (performance.now() - this.#started) / 1000;
  }

  #seed(a: number, b: number): number {
    return spread(this.#options.seed, a, b);
  }
}

/** Seeds of the parts of a campaign: spread, so that neighbouring campaigns share nothing. */
function spread(seed: number, a: number, b: number): number {
  return Math.imul(Math.imul(seed | 0, 0x9e3779b1) ^ Math.imul(a, 0x85ebca6b), 0xc2b2ae35) ^ Math.imul(b, 0x27d4eb2f);
}
