import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Runner } from '../../engine/run.ts';
import { randomWalk } from '../../engine/strategies/random-walk.ts';
import type { Program } from '../family.ts';
import { arbitraryOf } from '../generate/arbitrary.ts';
import { canonical } from '../generate/deal.ts';
import { countAll, exhaust } from '../generate/exhaust.ts';
import { configurations, PLAIN } from './configuration.ts';
import { ARGUMENTS } from './operations.ts';
import { alphabet, programGenerator, programs } from './programs.ts';
import { AsidWorld } from './world.ts';

/** A program without the accesses of devices, which change nothing, as the deal that stands for it. */
function essence({ agents }: Program): Program {
  return canonical({ agents: agents.filter(({ name }) => name.startsWith('CPU')) });
}

const key = (program: Program): string => JSON.stringify(program);

test('every random program is among the exhausted ones, and those are all different', () => {
  for (const configuration of [PLAIN, { ...PLAIN, lazy: true, processes: 2 }]) {
    const size = { least: 0, most: 2, cpus: 2 };
    const all = [...exhaust(programGenerator(configuration, size))].map(key);
    const known = new Set(all);
    expect(known.size).toBe(all.length);
    const random = fc.sample(arbitraryOf(programGenerator(configuration, size)), { numRuns: 3_000, seed: 1 });
    expect(random.map((program) => key(essence(program))).filter((program) => !known.has(program))).toEqual([]);
  }
});

test('the exhausted programs are all that can be dealt', () => {
  const n = alphabet(PLAIN).length;
  const count = (most: number, cpus: number) => countAll(programGenerator(PLAIN, { least: 0, most, cpus }));
  expect(count(1, 1)).toBe(1 + n);
  expect(count(2, 1)).toBe(1 + n + n ** 2);
  expect(count(2, 2)).toBe(1 + n + n ** 2 + (n * (n + 1)) / 2);
});

test('random programs have every kind of operation that their world has', () => {
  const kinds = (lazy: boolean) =>
    new Set(
      fc
        .sample(programs({ ...PLAIN, lazy, faults: true }), { numRuns: 500, seed: 1 })
        .flatMap(({ agents }) => agents.flatMap(({ operations }) => operations.map(({ op }) => op))),
    );
  expect(kinds(true)).toEqual(new Set(Object.keys(ARGUMENTS)));
  expect([...kinds(false)].filter((op) => /^dma./.test(op))).toEqual([]);
});

test('most operations of a random program apply', () => {
  const total = { run: 0, rejected: 0 };
  for (const configuration of fc.sample(configurations, { numRuns: 20, seed: 1 })) {
    const world = new AsidWorld(configuration);
    for (const program of fc.sample(programs(configuration), { numRuns: 10, seed: 1 }))
      new Runner(world.load(program)).run(randomWalk(), 1);
    for (const { run, rejected } of Object.values(world.counters.operations)) {
      total.run += run;
      total.rejected += rejected;
    }
  }
  expect(total.rejected / total.run).toBeLessThan(0.5);
});

test('an access of a device writes nothing, so exhausted programs do without', () => {
  for (const configuration of fc.sample(configurations, { numRuns: 20, seed: 2 })) {
    const world = new AsidWorld(configuration);
    const runner = new Runner(
      world.load({ agents: [{ name: 'dev0', operations: [{ op: 'dma', device: 0, page: 0, process: -1 }] }] }),
    );
    runner.run(randomWalk(), 1);
    expect(world.machine.store.logLength).toBe(runner.root);
  }
});
