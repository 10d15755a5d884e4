import { describe, expect, test } from 'vitest';
import { Fingerprint } from '../../engine/search/fingerprint.ts';
import { search } from '../../engine/search/search.ts';
import { PLAIN } from '../asid/configuration.ts';
import { asid } from '../asid/index.ts';
import type { Family, Operation, Program, SmallScope } from '../family.ts';
import { Deal } from '../generate/deal.ts';
import type { Generator } from '../generate/draw.ts';
import { countAll, exhaust } from '../generate/exhaust.ts';
import { Client } from './client.ts';
import { countPrograms } from './count.ts';
import { OpenSearch } from './open-search.ts';
import { countTraces } from './traces.ts';
import { verify, type VerifyOptions } from './verify.ts';

/** Operations that meet in every way that the family knows, few enough to search each program of two on its own. */
const FEW: readonly Operation[] = [
  { op: 'bind', process: 0, device: 0 },
  { op: 'unbind', process: 0, device: 0 },
  { op: 'unmap', domain: 0, page: 0 },
  { op: 'map', domain: 0, page: 1, frame: 1 },
  { op: 'map', domain: 0, page: 1, frame: 3 },
  { op: 'mapBlock', domain: 0, frame: 0 },
  { op: 'detach', device: 0 },
  { op: 'domainFree', domain: 0 },
];

function scopeOf(operations: readonly Operation[]): SmallScope {
  const small = asid.small as SmallScope;
  return { ...small, worlds: [{ name: 'plain', configuration: PLAIN }], alphabet: () => operations };
}

const few: Family = { ...asid, small: scopeOf(FEW) };

/** All programs of two operations out of a few. */
const pairs: Generator<Program> = (draw) => {
  const deal = new Deal();
  draw.list(1, 2, () => {
    const cpu = draw.below(2);
    if (!deal.giveCpu(cpu, FEW[draw.below(FEW.length)] as Operation)) draw.duplicate();
  });
  return deal.program();
};

/** The states in which programs end, by searching each program on its own. */
function endsOneByOne(hazard?: string): { ends: Set<string>; violated: boolean; states: number } {
  const world = asid.world(PLAIN, hazard);
  const ends = new Set<string>();
  let violated = false;
  let states = 0;
  for (const program of exhaust(pairs)) {
    const system = world.load(program);
    const { store } = system.machine;
    const root = store.mark();
    const quiescent = (): void => {
      const print = new Fingerprint();
      print.absorbWrites(store, root);
      ends.add(`${print.low},${print.high}`);
      system.quiescent?.();
    };
    const result = search({ ...system, quiescent }, { order: 'dfs' });
    states += result.states;
    violated ||= result.failure !== undefined;
  }
  return { ends, violated, states };
}

/** The same by one search over all programs. */
function endsAtOnce(symmetric: boolean): { ends: Set<string>; states: number } {
  const world = asid.world(PLAIN);
  const client = new Client(world, few.small as SmallScope, 2, false);
  const { system } = client;
  const { store } = system.machine;
  const ends = new Set<string>();
  const quiescent = (): void => {
    const print = new Fingerprint();
    print.absorbWrites(store, client.root);
    ends.add(`${print.low},${print.high}`);
  };
  Object.assign(system, { quiescent });
  const all = new OpenSearch(client, { operations: 2, statesMax: 1e6, symmetric });
  expect(all.run(() => false)).toBe('exhausted');
  all.close();
  return { ends, states: all.states };
}

const run = (family: Family, options: Partial<VerifyOptions>) =>
  verify(family, { operations: 2, cpus: 2, worlds: family.small?.worlds ?? [], ...options });

describe('one search over all programs', () => {
  const single = endsOneByOne();

  test.each([true, false])('ends in the states in which the programs end, CPUs merged: %s', (symmetric) => {
    const all = endsAtOnce(symmetric);
    expect(single.violated).toBe(false);
    expect(all.ends.size).toBeGreaterThanOrEqual(20);
    // With CPUs merged, of the two states that differ in who issued the last commands one stands for both.
    if (symmetric) for (const end of all.ends) expect(single.ends).toContain(end);
    else expect(all.ends).toEqual(single.ends);
    expect(all.states).toBeLessThan(symmetric ? single.states * 0.7 : single.states);
  });

  test(
    'comes to the same verdict as one search for each program, for every hazard, merged or not',
    { timeout: 400_000 },
    async () => {
      for (const { id } of asid.hazards) {
        const { violated } = endsOneByOne(id);
        for (const symmetric of [true, false]) {
          const { found } = await run(few, { hazard: id, symmetric });
          expect({ id, symmetric, violated: found !== undefined }).toEqual({ id, symmetric, violated });
        }
      }
    },
  );
});

test('programs are counted as they are enumerated', () => {
  const enumerated = (n: number, size: number, cpus: number): number =>
    countAll((draw) => {
      const deal = new Deal();
      draw.list(size, size, () => {
        const cpu = draw.below(cpus);
        if (!deal.giveCpu(cpu, { op: 'xyz'[draw.below(n)] ?? '' })) draw.duplicate();
      });
    });
  for (const n of [1, 2, 3])
    for (const size of [0, 1, 2, 3, 4])
      for (const cpus of [1, 2, 3])
        expect({ n, size, cpus, count: countPrograms(n, size, cpus) }).toEqual({
          n,
          size,
          cpus,
          count: enumerated(n, size, cpus),
        });
});

test('traces of each program on its own come to the same verdict, and are fewer than interleavings', async () => {
  const small = { name: 'plain', configuration: PLAIN };
  const options = { operations: 2, cpus: 2, kinds: ['bind', 'unmap'] };
  const correct = await countTraces(asid, small, options);
  expect(correct).toMatchObject({ violated: 0, complete: true });
  // Two devices to bind, two pages of two domains to unmap.
  expect(correct.programs).toBe(6 + 36 + 21);
  expect(correct.interleavings).toBeGreaterThan(100 * correct.traces);
  expect(correct.traces).toBeGreaterThan(correct.programs);
  const wrong = await countTraces(asid, small, { ...options, hazard: 'share-asid-unmap-window' });
  expect(wrong.violated).toBeGreaterThan(0);
});

describe('verify', () => {
  test('exhausts the correct kernel from every small world, up to two operations', { timeout: 400_000 }, async () => {
    const summary = await run(asid, {});
    expect(summary.found).toBeUndefined();
    expect(summary.left).toEqual([]);
    expect(summary.rows.map(({ end }) => end)).toEqual(summary.rows.map(() => 'exhausted'));
    const kinds = Object.entries(summary.counters.operations).filter(([op]) => op !== 'dma');
    expect(kinds.filter(([, { run: count, rejected }]) => count === 0 || count === rejected)).toEqual([]);
  });

  test.each([
    ['pgtable-free-before-sync', 'plain', 1, 'table-free-in-use'],
    ['smmu-ste-torn', 'bypass', 1, 'refused-while-hitless'],
    ['share-asid-two-masters', 'two-masters', 2, 'stale-translation'],
    ['share-asid-refcount-uaf', 'two-masters-bound', 2, 'refcount-resurrected'],
    ['fq-iova-reuse', 'lazy', 2, 'tlb-conflict'],
    ['share-asid-store-buffer', 'weaker', 2, 'stale-translation'],
  ])(
    'kills %s from the world %s with %i operation(s), and the trace replays',
    async (hazard, name, operations, rule) => {
      const worlds = asid.small?.worlds.filter((world) => world.name === name) ?? [];
      const { found, rows } = await run(asid, { hazard, worlds });
      expect(found?.failure.rule).toBe(rule);
      expect(found?.program.agents.flatMap((agent) => agent.operations)).toHaveLength(operations);
      expect(rows.at(-1)).toMatchObject({ end: 'violation', operations });
    },
  );

  test('finds what is left over and who waits for ever, too', async () => {
    const worlds = asid.small?.worlds.filter(({ name }) => name === 'two-masters') ?? [];
    const { found } = await run(asid, { hazard: 'share-asid-toctou-insert', worlds });
    expect(found?.failure).toMatchObject({ monitor: 'safety', rule: 'leak' });
  });

  test('says what it did not get to', async () => {
    const stopped = await run(few, { stop: () => true });
    expect(stopped.left).toEqual([{ world: 'plain', operations: 2, why: 'not-begun' }]);
    const bounded = await run(few, { statesMax: 300 });
    expect(bounded.left).toEqual([{ world: 'plain', operations: 2, why: 'states' }]);
    const late = await run(asid, { seconds: 0 });
    expect(late.left.filter(({ why }) => why === 'not-begun').length).toBeGreaterThan(10);
  });

  test('of a family without a small scope is refused', async () => {
    const { small: _, ...rest } = asid;
    await expect(run(rest, {})).rejects.toThrow(/can only be fuzzed/);
  });
});
