import { describe, expect, test } from 'vitest';
import type { TlbMaintenance } from './maintenance.ts';
import { CpuWorld } from './testing/world.ts';

const [TABLE, OTHER] = [0x1000, 0x2000];
const [VA, PAGE, LATER] = [0x1000, 0x80_0000, 0x90_0000];

/** What the cells of a world stand for, in two words. */
function print({ store }: CpuWorld): string {
  let [low, high] = [0, 0];
  store.cells.forEach((value, cell) => {
    low ^= store.identities?.low(cell, value) ?? 0;
    high ^= store.identities?.high(cell, value) ?? 0;
  });
  return `${low} ${high}`;
}

/** A world in which both CPUs have loaded an empty table, and something was there before. */
function after(history: (world: CpuWorld) => void): CpuWorld {
  const world = new CpuWorld({ addresses: [VA] });
  history(world);
  world.write(1, TABLE + 8, { kind: 'none' });
  for (const cpu of [0, 1]) world.cpus.load(cpu, { table: OTHER, asid: 1 });
  return world;
}

function runs(world: CpuWorld, cpu: number, pa: number): void {
  world.write(1, TABLE + 8, { kind: 'page', pa });
  world.cpus.load(cpu, { table: TABLE, asid: 1 });
  world.cpus.load(cpu, undefined);
}

describe('the fingerprint of a state', () => {
  test('tells which CPU holds an entry', () => {
    const [none, first, second, both] = [[], [0], [1], [0, 1]].map((cpus) =>
      print(after((world) => cpus.forEach((cpu) => runs(world, cpu, PAGE)))),
    );
    expect(new Set([none, first, second, both]).size).toBe(4);
  });

  test('tells what dooms it', () => {
    const doomed = (maintenance: TlbMaintenance): string => {
      const world = after((fresh) => runs(fresh, 0, PAGE));
      world.cpus.tlbi(0, maintenance, true);
      return print(world);
    };
    expect(doomed({ kind: 'VMALLE1' })).not.toBe(doomed({ kind: 'ASIDE1', asid: 1 }));
  });

  test('does not tell in which order entries came up', () => {
    const [one, other] = [
      [PAGE, LATER],
      [LATER, PAGE],
    ].map((pages) => after((world) => pages.forEach((pa) => runs(world, 0, pa))));
    expect(print(one as CpuWorld)).toBe(print(other as CpuWorld));
  });

  test('does not tell which of two CPUs executed its TLBI first', () => {
    const [one, other] = [
      [0, 1],
      [1, 0],
    ].map((cpus) => {
      const world = after((fresh) => runs(fresh, 1, PAGE));
      for (const cpu of cpus) world.cpus.tlbi(cpu, { kind: 'ASIDE1', asid: 1 + cpu }, true);
      return print(world);
    });
    expect(one).toBe(other);
  });
});
