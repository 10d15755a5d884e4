import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bugKey } from '../../engine/bug/bug.ts';
import { Places } from '../../engine/bug/places.ts';
import { AGENTS_MAX } from '../../engine/machine.ts';
import { Runner } from '../../engine/run.ts';
import { randomWalk } from '../../engine/strategies/random-walk.ts';
import { replay } from '../../engine/strategies/replay.ts';
import type { Found } from '../campaign.ts';
import type { Configuration, Program } from '../family.ts';
import { variantsOf } from './arguments.ts';
import { minimise } from './minimise.ts';
import { countOperations, keep, operationsOf, replaceOperations, subsets } from './program.ts';
import { cells, smallPrograms } from './testing.ts';

const configuration: Configuration = { first: 1 };

/** What a program does under every schedule, one by one: the fewest switches and steps of each bug. */
function enumerate(world: Configuration, program: Program): Map<string, { switches: number; steps: number }> {
  const places = new Places(cells.world(world).load(program));
  const { machine } = places.system;
  const runner = new Runner(places.system, 100);
  const found = new Map<string, { switches: number; steps: number }>();
  const visit = (schedule: readonly number[], switches: number): void => {
    runner.run(replay(schedule), 0);
    if (machine.failure !== undefined) {
      const key = bugKey(machine.failure, places.of(machine.failure));
      const { length: steps } = schedule;
      const best = found.get(key);
      if (best === undefined || switches < best.switches || (switches === best.switches && steps < best.steps))
        found.set(key, { switches, steps });
      return;
    }
    const enabled = new Int32Array(AGENTS_MAX);
    const able = [...enabled.subarray(0, runner.enabledAgents(enabled))];
    const last = schedule.at(-1) ?? -1;
    for (const agent of able)
      visit([...schedule, agent], switches + (last >= 0 && agent !== last && able.includes(last) ? 1 : 0));
  };
  visit([], 0);
  return found;
}

/** A failure of a program, if a few random runs show one. */
function fail(program: Program, seed: number): Found | undefined {
  const system = cells.world(configuration).load(program);
  const runner = new Runner(system, 100);
  for (let at = 0; at < 10; at++) {
    if (runner.run(randomWalk(), seed + at) !== 'failed' || system.machine.failure === undefined) continue;
    const schedule = [...runner.schedule.subarray(0, runner.steps)];
    const provenance = { seed, strategy: 'random', executions: at + 1, seconds: 0 };
    return { family: 'cells', configuration, program, schedule, failure: system.machine.failure, provenance };
  }
  return undefined;
}

function keyOf({ configuration: world, program, schedule }: Found): string {
  const places = new Places(cells.world(world).load(program));
  const { machine } = places.system;
  new Runner(places.system, 100).run(replay(schedule), 0);
  return machine.failure === undefined ? '' : bugKey(machine.failure, places.of(machine.failure));
}

const failures = fc
  .tuple(smallPrograms, fc.nat(1000))
  .map(([program, seed]) => fail(program, seed))
  .filter((found) => found !== undefined);

describe('a minimised failure', () => {
  test('is the same bug, and every smaller program and schedule holds', async () => {
    let unproved = 0;
    await fc.assert(
      fc.asyncProperty(failures, async (found) => {
        const small = await minimise(cells, found, { seconds: 30 });
        const key = keyOf(small);
        expect(key).toBe(keyOf(found));
        expect(countOperations(small.program)).toBeLessThanOrEqual(countOperations(found.program));
        const operations = operationsOf(small.program);
        const total = operations.length;
        const { minimal } = small;
        if (minimal.note.startsWith('not')) unproved++;
        if (minimal.operations === 'proved')
          for (let size = 0; size < total; size++)
            for (const kept of subsets(total, size))
              expect(enumerate(small.configuration, keep(small.program, kept).program).has(key)).toBe(false);
        if (minimal.arguments === 'proved')
          for (const [at, operation] of operations.entries())
            for (const { operation: simpler } of variantsOf(cells, operation)) {
              if (simpler === operation) continue;
              const { program } = replaceOperations(small.program, operations.with(at, simpler));
              expect(enumerate(small.configuration, program).has(key)).toBe(false);
            }
        const best = enumerate(small.configuration, small.program).get(key);
        expect(best).toBeDefined();
        if (minimal.schedule === 'proved')
          expect({ switches: minimal.switches, steps: small.schedule.length }).toEqual(best);
      }),
      { numRuns: 150 },
    );
    expect(unproved).toBeLessThan(10);
  });

  test('is the same each time, and minimising it again changes nothing', async () => {
    await fc.assert(
      fc.asyncProperty(failures, async (found) => {
        const small = await minimise(cells, found, { seconds: 30 });
        expect(await minimise(cells, found, { seconds: 30 })).toEqual(small);
        const { program, schedule, bug } = await minimise(cells, small, { seconds: 30 });
        expect({ program, schedule, bug }).toEqual({
          program: small.program,
          schedule: small.schedule,
          bug: small.bug,
        });
      }),
      { numRuns: 25 },
    );
  });

  test('without time is the failure as it was found, and labelled so', async () => {
    await fc.assert(
      fc.asyncProperty(failures, fc.boolean(), async (found, stopped) => {
        const options = stopped ? { seconds: 30, stop: () => true } : { seconds: 0 };
        const { program, schedule, failure, minimal } = await minimise(cells, found, options);
        expect({ program, schedule, failure }).toEqual({
          program: found.program,
          schedule: found.schedule,
          failure: found.failure,
        });
        expect(minimal.schedule).toBe('not-proved');
        expect(minimal.note).toMatch(/^not proved minimal: .*switches/);
        // One operation has no smaller program; two have.
        if (countOperations(program) > 1) expect(minimal).toMatchObject({ operations: 'not-proved' });
      }),
      { numRuns: 25 },
    );
  });

  test('interrupted at any time is still a failure of the same kind, and no larger', async () => {
    await fc.assert(
      fc.asyncProperty(failures, fc.nat(40), async (found, patience) => {
        let asked = 0;
        const small = await minimise(cells, found, { seconds: 30, stop: () => asked++ >= patience });
        expect(keyOf(small)).toBe(keyOf(found));
        expect(countOperations(small.program)).toBeLessThanOrEqual(countOperations(found.program));
      }),
      { numRuns: 40 },
    );
  });
});

describe('a lost update', () => {
  const program: Program = {
    agents: [
      { name: 'CPU0', operations: [{ op: 'increment', cell: 1 }] },
      {
        name: 'CPU1',
        operations: [
          { op: 'increment', cell: 1 },
          { op: 'expect', cell: 1, value: 1 },
        ],
      },
    ],
  };

  test('needs its switch, and says what for', async () => {
    // CPU1 expects that its own increment is lost: CPU0 has loaded before it and stores after it.
    const schedule = [0, 1, 1, 0, 1];
    const failure = { monitor: 'test', rule: 'expected', message: 'It is.' };
    const provenance = { seed: 0, strategy: 'by hand', executions: 1, seconds: 0 };
    const found: Found = { family: 'cells', configuration: { first: 0 }, program, schedule, failure, provenance };
    // Without the second increment the value is 1 as well, so the pair is not minimal: one increment is enough.
    const small = await minimise(cells, found, { seconds: 30 });
    expect(
      operationsOf(small.program)
        .map(({ op }) => op)
        .sort(),
    ).toEqual(['expect', 'increment']);
    expect(small.minimal).toMatchObject({ operations: 'proved', arguments: 'proved', schedule: 'proved', switches: 0 });
    expect(small.necessary).toEqual([]);
  });
});
