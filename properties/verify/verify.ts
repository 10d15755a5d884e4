import { HarnessError } from '../../engine/failure.ts';
import { Runner } from '../../engine/run.ts';
import { replay } from '../../engine/strategies/replay.ts';
import { confirm, type Found } from '../campaign/found.ts';
import { addCounters } from '../campaign/summary.ts';
import type { Counters, Family, SmallScope, SmallWorld, World } from '../family.ts';
import { Client } from './client.ts';
import { countPrograms } from './count.ts';
import { OpenSearch, type OpenEnd } from './open-search.ts';

/** What to exhaust, and when to end. */
export interface VerifyOptions {
  readonly hazard?: string;
  /** Most operations of a program, from 1 up. */
  readonly operations: number;
  /** Most CPUs of a program, from 1 up. */
  readonly cpus: number;
  /** Worlds to start from. */
  readonly worlds: readonly SmallWorld[];
  /** Only programs of these kinds of operations. */
  readonly kinds?: readonly string[];
  /** Default: no end. */
  readonly seconds?: number;
  /** Most states of one search; default 100 million. */
  readonly statesMax?: number;
  /** False: count programs apart that differ in the names of CPUs or of like things. For tests; default true. */
  readonly symmetric?: boolean;
  readonly stop?: () => boolean;
  /** Called when a search has ended. */
  readonly onRow?: (row: VerifyRow) => void;
  /** Called a few times a second, with the search that is under way. */
  readonly onProgress?: (row: VerifyRow, summary: VerifySummary) => void;
}

/** One search: the programs of up to so many operations that start from one world. */
export interface VerifyRow {
  readonly world: string;
  readonly operations: number;
  /** Programs, up to the names of CPUs. */
  readonly programs: number;
  readonly states: number;
  readonly transitions: number;
  /** Different states in which programs have ended. */
  readonly ends: number;
  /** Most steps of a schedule. */
  readonly longest: number;
  readonly seconds: number;
  /** `paused`: it was cut off by the end of time or by the user. */
  readonly end: OpenEnd;
}

/** A search that was not begun or not exhausted. */
export interface Left {
  readonly world: string;
  readonly operations: number;
  readonly why: 'states' | 'paused' | 'not-begun';
}

/** What was exhausted, and what was not. */
export interface VerifySummary {
  /** In the order of running: fewest operations first. */
  readonly rows: VerifyRow[];
  /** Empty: everything was exhausted (or a violation ended it). */
  readonly left: Left[];
  /** The violation that ended it, confirmed by replays. */
  found?: Found;
  /** Counts of all searches: witnesses reached, operations run and rejected, for each transition that was made. */
  readonly counters: Counters;
  seconds: number;
}

const STATES_MAX = 100_000_000;
const PAUSE_MS = 40;

/**
 * Exhausts every interleaving of every program of up to so many operations, from each of some small worlds, until the
 * first violation. Fewer operations come first, so what is found has the fewest. Gives way to the event loop a few times
 * a second.
 *
 * @throws RangeError if the family has no small scope.
 */
export async function verify(family: Family, options: VerifyOptions): Promise<VerifySummary> {
  if (family.small === undefined) throw new RangeError(`family ${family.name} can only be fuzzed`);
  return new Verification(family, restricted(family.small, options.kinds), options).run();
}

class Verification {
  readonly #family: Family;
  readonly #scope: SmallScope;
  readonly #options: VerifyOptions;
  readonly #started = performance.now();
  readonly #deadline: number;
  readonly #summary: VerifySummary;
  #ended = false;

  constructor(family: Family, scope: SmallScope, options: VerifyOptions) {
    this.#family = family;
    this.#scope = scope;
    this.#options = options;
    this.#deadline = this.#started + (options.seconds ?? Infinity) * 1000;
    const witnesses = Object.fromEntries(family.witnesses.map((name) => [name, 0]));
    this.#summary = { rows: [], left: [], counters: { witnesses, operations: {} }, seconds: 0 };
  }

  async run(): Promise<VerifySummary> {
    const { operations: most, worlds } = this.#options;
    for (let operations = 1; operations <= most; operations++)
      for (const world of worlds) {
        if (this.#summary.found !== undefined) break;
        if (this.#ended) this.#summary.left.push({ world: world.name, operations, why: 'not-begun' });
        else await this.#exhaust(world, operations);
      }
    this.#summary.seconds = this.#seconds(this.#started);
    return this.#summary;
  }

  async #exhaust(small: SmallWorld, operations: number): Promise<void> {
    const { hazard, cpus, symmetric = true, statesMax = STATES_MAX } = this.#options;
    const world = this.#family.world(small.configuration, hazard);
    const client = new Client(world, this.#scope, Math.min(cpus, operations), symmetric);
    const merges = symmetric && world.cpusKeepState !== true;
    const search = new OpenSearch(client, { operations, statesMax, symmetric: merges });
    const started = performance.now();
    const programs = countUpTo(client.operations.length, operations, cpus);
    const row = (end: OpenEnd): VerifyRow => {
      const { states, transitions, ends, longest } = search;
      const seconds = this.#seconds(started);
      return { world: small.name, operations, programs, states, transitions, ends, longest, seconds, end };
    };
    let end: OpenEnd;
    do {
      const pause = performance.now() + PAUSE_MS;
      end = search.run(() => performance.now() > pause);
      this.#options.onProgress?.(row(end), this.#summary);
      await new Promise((resolve) => setImmediate(resolve));
      this.#ended = performance.now() > this.#deadline || this.#options.stop?.() === true;
    } while (end === 'paused' && !this.#ended);
    if (end === 'violation') this.#summary.found = this.#confirmed(world, search);
    else search.close();
    addCounters(this.#summary.counters, world.counters);
    if (end === 'states' || end === 'paused') this.#summary.left.push({ world: small.name, operations, why: end });
    const done = row(end);
    this.#summary.rows.push(done);
    this.#options.onRow?.(done);
  }

  /** Runs the counterexample as the program that it is. */
  #confirmed({ configuration }: World, search: OpenSearch): Found {
    const { hazard, operations } = this.#options;
    const { program, movers } = search.counterexample();
    const system = this.#family.world(configuration, hazard).load(program);
    const runner = new Runner(system);
    const schedule = movers.map((name) => system.agents.findIndex((agent) => agent.name === name));
    if (runner.run(replay(schedule), 0) !== 'failed')
      throw new HarnessError('a violation of the search over all programs did not come back in a run of its program');
    const strategy = `verify --ops ${operations}`;
    const provenance = { seed: 0, strategy, executions: search.ends + 1, seconds: this.#seconds(this.#started) };
    const found = { family: this.#family.name, configuration, program, ...confirm(runner), provenance };
    return hazard === undefined ? found : { ...found, hazard };
  }

  #seconds(since: number): number {
    return (performance.now() - since) / 1000;
  }
}

function restricted(scope: SmallScope, kinds: readonly string[] | undefined): SmallScope {
  if (kinds === undefined) return scope;
  const known = new Set(kinds);
  return { ...scope, alphabet: (configuration) => scope.alphabet(configuration).filter(({ op }) => known.has(op)) };
}

function countUpTo(kinds: number, operations: number, cpus: number): number {
  let sum = 0;
  for (let size = 1; size <= operations; size++) sum += countPrograms(kinds, size, cpus);
  return sum;
}
