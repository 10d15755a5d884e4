import { HappensBefore } from '../../engine/happens-before.ts';
import type { Runner } from '../../engine/run.ts';
import { Sightings } from '../../engine/statistics/sightings.ts';
import { addSample, kindsAtLeast } from '../../engine/statistics/unseen.ts';
import { watched } from '../../engine/statistics/watched.ts';
import type { Strategy } from '../../engine/strategies/strategy.ts';
import type { RunEnd } from '../../engine/system.ts';
import { stateOf } from './found.ts';
import { addBound, ProgramGuarantee } from './guarantee.ts';
import type { Entry } from './portfolio.ts';
import { emptySummary, shareOf, type FuzzSummary } from './summary.ts';

/**
 * Every so many programs, one is looked at closely: traces cost a third of the speed. A number that has no factor in common
 * with the number of programs for each configuration, so that it is not always the first.
 */
const CLOSELY_EVERY = 15;

/** Counts what a campaign does. */
export class Statistics {
  /** Everything but the times and the counters of the worlds. */
  readonly summary: FuzzSummary = emptySummary();
  readonly #seconds: () => number;
  readonly #outcomes = new Sightings();
  readonly #trace = new HappensBefore();
  readonly #watched = new Map<Strategy, Strategy>();
  /** The traces of the present program, if it is looked at closely. */
  #traces: Sightings | undefined;
  #guarantees: ProgramGuarantee[] = [];
  /** Steps of its longest run. */
  #longest = 0;
  #growthAt = 1;

  /** @param seconds time since the campaign began. */
  constructor(seconds: () => number) {
    this.#seconds = seconds;
  }

  /** Runs of another program follow. */
  beginProgram(): void {
    this.#traces = this.summary.programs % CLOSELY_EVERY === 0 ? new Sightings(64) : undefined;
    this.summary.programs++;
    this.#outcomes.next();
    this.#guarantees = [];
    this.#longest = 0;
  }

  /** Makes a run of the present program, and counts it. */
  run(runner: Runner, { strategy, pctDepth }: Entry, seed: number): RunEnd {
    const traces = this.#traces;
    const length = runner.stepsExpected;
    const end = runner.run(traces === undefined ? strategy : this.#watch(strategy), seed);
    const { summary } = this;
    summary.executions++;
    summary.steps += runner.steps;
    if (runner.steps < summary.stepsMin) summary.stepsMin = runner.steps;
    if (runner.steps > summary.stepsMax) summary.stepsMax = runner.steps;
    if (runner.steps > this.#longest) this.#longest = runner.steps;
    if (end === 'bound') summary.boundsHit++;
    if (end === 'failed') summary.found++;
    const print = stateOf(runner);
    this.#outcomes.see(print.low, print.high);
    summary.distinctOutcomes = this.#outcomes.kinds;
    const share = shareOf(summary, strategy.name);
    share.executions++;
    if (end === 'failed') share.found++;
    if (traces !== undefined) {
      const before = traces.kinds;
      traces.next();
      traces.see(this.#trace.low, this.#trace.high);
      share.traced++;
      share.newTraces += traces.kinds - before;
    }
    if (pctDepth !== undefined) this.#guaranteeOf(pctDepth).add(length);
    if (summary.executions === this.#growthAt) this.#grow();
    return end;
  }

  /** The runs of a program are over. */
  endProgram(runner: Runner): void {
    const { summary } = this;
    const longest = this.#longest;
    const traces = this.#traces;
    if (traces !== undefined) {
      addSample(summary.traces, traces);
      summary.traces.programs++;
      summary.traces.atLeast += kindsAtLeast(traces);
    }
    if (longest > 0)
      for (const guarantee of this.#guarantees)
        addBound(summary.guarantees, guarantee.depth, guarantee.bound(runner.nodes.length, longest));
    const { units, kinds, once, twice } = this.#outcomes;
    summary.outcomes = { units, kinds, once, twice };
  }

  #watch(strategy: Strategy): Strategy {
    let watching = this.#watched.get(strategy);
    if (watching === undefined) this.#watched.set(strategy, (watching = watched(strategy, this.#trace)));
    return watching;
  }

  #guaranteeOf(depth: number): ProgramGuarantee {
    let guarantee = this.#guarantees.find((each) => each.depth === depth);
    if (guarantee === undefined) this.#guarantees.push((guarantee = new ProgramGuarantee(depth)));
    return guarantee;
  }

  #grow(): void {
    const { summary } = this;
    summary.growth.push({
      executions: summary.executions,
      seconds: this.#seconds(),
      outcomes: this.#outcomes.kinds,
      traces: summary.traces.kinds + (this.#traces?.kinds ?? 0),
    });
    this.#growthAt *= 2;
  }
}
