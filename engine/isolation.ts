import { HarnessError } from './failure.ts';
import { observe, type Observation, type ObservedStep } from './observe.ts';
import { Runner } from './run.ts';
import { randomWalk } from './strategies/random-walk.ts';
import type { System } from './system.ts';

/**
 * Checks that nothing survives a run but what the store undoes: random schedules are run in one world that is rolled back
 * between runs, and each again in a world built for it alone. Both must make the same steps with the same results, the same
 * changes and the same failure. (Changes of regions with a format: where interned things stand in the store depends on the
 * order in which they came up, in earlier runs too, and says nothing.) State kept in JavaScript (shared by agents, or by a monitor) is found by this and by nothing else.
 *
 * @param runs number of schedules.
 * @throws HarnessError naming agent, operation and label of the first step that differs.
 */
export function checkIsolation(
  build: () => System,
  { runs = 100, seed = 1 }: { runs?: number; seed?: number } = {},
): void {
  const used = build();
  const strategy = randomWalk();
  for (let run = 0; run < runs; run++) {
    const runner = new Runner(build());
    runner.run(strategy, seed + run);
    const schedule = runner.schedule.slice(0, runner.steps);
    compareRuns(observe(build(), schedule), observe(used, schedule));
  }
}

function compareRuns(fresh: Observation, used: Observation): void {
  fresh.steps.forEach((step, at) => {
    const other = used.steps[at];
    const difference = other === undefined ? 'did not run' : differs(step, other);
    if (difference !== undefined)
      throw new HarnessError(
        `${step.agentName}, ${step.operation}, "${step.label}": ${difference} in a world that was used before and rolled back. ` +
          'Some state is kept outside the store.',
      );
  });
  if (fresh.failure?.message !== used.failure?.message || fresh.ended !== used.ended)
    throw new HarnessError(
      `A run ends with ${ending(fresh)} in a fresh world, and with ${ending(used)} in one that was used before and rolled back. ` +
        'Some state is kept outside the store.',
    );
}

function differs(fresh: ObservedStep, used: ObservedStep): string | undefined {
  if (fresh.label !== used.label) return `was "${used.label}"`;
  if (!Object.is(fresh.result, used.result))
    return `returned ${String(used.result)} instead of ${String(fresh.result)}`;
  if (JSON.stringify(fresh.changes) !== JSON.stringify(used.changes)) return 'wrote something else';
  return undefined;
}

function ending({ failure }: Observation): string {
  return failure === undefined ? 'no failure' : `"${failure.message}"`;
}
