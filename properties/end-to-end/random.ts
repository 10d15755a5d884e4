/** Random programs under random schedules, for end-to-end runs. */
import fc from 'fast-check';
import { Runner } from '../../engine/run.ts';
import { pct } from '../../engine/strategies/pct.ts';
import { randomWalk } from '../../engine/strategies/random-walk.ts';
import type { System } from '../../engine/system.ts';
import type { Configuration, Family, Program } from '../family.ts';
import type { EndToEndSchedule } from './run.ts';

/** One program, and what its schedule and the times at which devices are idle are drawn from. */
export interface RandomRun {
  readonly program: Program;
  readonly seed: number;
}

/** Programs for one configuration: worlds are large, so each is used several times. */
export interface RandomRuns {
  readonly configuration: Configuration;
  readonly runs: readonly RandomRun[];
}

/** @param most programs for each configuration. */
export function randomRuns(family: Family, most: number): fc.Arbitrary<RandomRuns> {
  return family.configurations.chain((configuration) =>
    fc.record({
      configuration: fc.constant(configuration),
      runs: fc.array(fc.record({ program: family.programs(configuration), seed: fc.nat() }), {
        minLength: 1,
        maxLength: most,
        size: 'max',
      }),
    }),
  );
}

/** A random schedule: every other seed one with few changes of agent (PCT), which gets further from the ordinary. */
export function randomSchedule(seed: number): EndToEndSchedule {
  return (system: System) => {
    const runner = new Runner(system);
    runner.run(seed % 2 === 0 ? randomWalk() : pct(3), seed);
    const schedule = [...runner.schedule.subarray(0, runner.steps)];
    runner.close();
    return schedule;
  };
}

/** One step up to which devices are idle. */
export function randomIdle(seed: number): (changes: readonly number[]) => readonly number[] {
  return (changes) => {
    const one = changes[Math.floor(seed / 2) % changes.length];
    return one === undefined ? [] : [one];
  };
}
