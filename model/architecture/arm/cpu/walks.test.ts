import { beforeEach, describe, expect, test } from 'vitest';
import { PERMISSION } from '../outcomes/outcome.ts';
import { CpuWorld } from './testing/world.ts';

/** Tables of level 1, 2 and 3. */
const [ROOT, OTHER, MIDDLE, TABLE, SPARE] = [0x1000, 0x2000, 0x3000, 0x4000, 0x5000];
const [VA, NEXT, FAR] = [0x1000, 0x2000, 0x20_1000];
const [PAGE, LATER] = [0x80_0000, 0xa0_0000];

let world: CpuWorld;
/** What CPU0 may reach. */
const reach = (va = VA): readonly number[] => world.cpus.outcomes(0, va);
const complete = (): void => world.cpus.dsb(0, true);

beforeEach(() => {
  world = new CpuWorld({ addresses: [VA, NEXT, FAR], regime: { granule: 12, inputBits: 33 } });
  world.write(1, ROOT, { kind: 'table', table: MIDDLE });
  world.write(1, MIDDLE, { kind: 'table', table: TABLE });
  world.write(1, TABLE + 8, { kind: 'page', pa: PAGE });
  world.cpus.load(0, { table: ROOT, asid: 1 });
});

describe('a walk through three levels', () => {
  test('ends at a page, at a block, or nowhere', () => {
    expect(reach()).toEqual([PAGE]);
    expect(reach(NEXT)).toEqual([]);
    world.write(1, MIDDLE + 8, { kind: 'block', pa: LATER });
    expect(reach(FAR)).toEqual([LATER + 0x1000]);
  });

  test('is made again when a descriptor on the way is written', () => {
    world.write(1, SPARE + 8, { kind: 'page', pa: LATER });
    world.write(1, MIDDLE, { kind: 'table', table: SPARE });
    expect(new Set(reach())).toEqual(new Set([PAGE, LATER]));
  });

  test('has the permissions of the descriptor', () => {
    world.write(1, TABLE + 16, { kind: 'page', pa: PAGE, refuses: 'write' });
    expect(world.cpus.outcomes(0, NEXT, PERMISSION.UR)).toEqual([PAGE]);
    expect(world.cpus.outcomes(0, NEXT, PERMISSION.UW)).toEqual([]);
    expect(world.cpus.outcomes(0, VA, PERMISSION.UW)).toEqual([PAGE]);
  });

  test('goes on from a table that has been taken out, as long as that is cached', () => {
    world.write(1, MIDDLE, { kind: 'none' });
    world.write(1, TABLE + 16, { kind: 'page', pa: LATER });
    expect(reach(NEXT)).toEqual([LATER]);
  });
});

describe('a TLBI of the last level', () => {
  test('leaves tables, through which the entry comes back', () => {
    world.write(1, MIDDLE, { kind: 'none' });
    world.cpus.tlbi(0, { kind: 'VALE1', asid: 1, va: VA }, true);
    complete();
    expect(reach()).toEqual([PAGE]);
    expect(world.cpus.tableHeld(TABLE, 4096)?.text).toBe('CPU0: (ASID 1, from 0x0) → table of level 3 at 0x4000');
    world.write(1, TABLE + 8, { kind: 'page', pa: LATER });
    expect(new Set(reach())).toEqual(new Set([PAGE, LATER]));
  });

  test('takes the page if only its descriptor was cleared', () => {
    world.write(1, TABLE + 8, { kind: 'none' });
    world.cpus.tlbi(0, { kind: 'VALE1', asid: 1, va: VA }, true);
    complete();
    expect(reach()).toEqual([]);
  });

  test('takes a block by any of its addresses', () => {
    world.write(1, MIDDLE + 8, { kind: 'block', pa: LATER });
    world.write(1, MIDDLE + 8, { kind: 'none' });
    world.cpus.tlbi(0, { kind: 'VALE1', asid: 1, va: FAR + 0x3000 }, true);
    complete();
    expect(reach(FAR)).toEqual([]);
  });
});

describe('a TLBI of every level', () => {
  beforeEach(() => world.write(1, MIDDLE, { kind: 'none' }));

  test('takes the tables of that address', () => {
    world.cpus.tlbi(0, { kind: 'VAE1', asid: 1, va: VA }, true);
    expect(reach()).toEqual([PAGE]);
    complete();
    expect(reach()).toEqual([]);
    expect(world.cpus.tableHeld(TABLE, 4096)).toBeUndefined();
    expect(world.cpus.tableHeld(MIDDLE, 8)?.kind).toBe('table');
  });

  test('takes the table, and not what was read through it for another address', () => {
    world.write(1, TABLE + 16, { kind: 'page', pa: LATER });
    world.cpus.tlbi(0, { kind: 'VAE1', asid: 1, va: VA }, true);
    complete();
    expect(reach(NEXT)).toEqual([LATER]);
    world.write(1, TABLE + 16, { kind: 'page', pa: PAGE });
    expect(reach(NEXT)).toEqual([LATER]);
  });

  test('does not take what belongs to another address, or another ASID', () => {
    world.cpus.tlbi(0, { kind: 'VAE1', asid: 1, va: FAR }, true);
    world.cpus.tlbi(0, { kind: 'VAE1', asid: 2, va: VA }, true);
    complete();
    expect(reach()).toEqual([PAGE]);
  });

  test('takes what is read through a doomed table after it, if it covers that too', () => {
    world.cpus.tlbi(0, { kind: 'VAE1', asid: 1, va: VA }, true);
    world.write(1, TABLE + 8, { kind: 'page', pa: LATER });
    world.write(1, TABLE + 16, { kind: 'page', pa: LATER });
    expect(new Set(reach())).toEqual(new Set([PAGE, LATER]));
    complete();
    expect(reach()).toEqual([]);
    expect(reach(NEXT)).toEqual([LATER]);
  });

  test('does not take a table that has come back before it completed', () => {
    world.cpus.tlbi(0, { kind: 'VAE1', asid: 1, va: VA }, true);
    world.write(1, MIDDLE, { kind: 'table', table: TABLE });
    world.write(1, MIDDLE, { kind: 'none' });
    complete();
    expect(reach()).toEqual([PAGE]);
    world.write(1, TABLE + 8, { kind: 'page', pa: LATER });
    expect(new Set(reach())).toEqual(new Set([PAGE, LATER]));
  });
});

test('tables are looked at from above, whatever the order in which they came up', () => {
  world.write(1, OTHER, { kind: 'table', table: MIDDLE });
  world.cpus.load(0, { table: OTHER, asid: 1 });
  world.write(1, OTHER, { kind: 'none' });
  world.cpus.tlbi(0, { kind: 'VAE1', asid: 1, va: VA }, true);
  complete();
  expect(world.cpus.tableHeld(TABLE, 4096)).toBeUndefined();
  expect(reach()).toEqual([]);
});

describe('a descriptor with the Contiguous bit', () => {
  beforeEach(() => world.write(1, TABLE + 8, { kind: 'page', pa: LATER + 0x1000, contiguous: true }));

  test('serves its neighbours', () => {
    expect(reach(NEXT)).toEqual([LATER + 0x2000]);
  });

  test('is invalidated for each page by that page, or by the page of the descriptor', () => {
    world.write(1, TABLE + 8, { kind: 'none' });
    world.cpus.tlbi(0, { kind: 'VALE1', asid: 1, va: NEXT }, true);
    complete();
    expect(reach(NEXT)).toEqual([]);
    expect(new Set(reach())).toEqual(new Set([PAGE, LATER + 0x1000]));
    world.write(1, TABLE + 8, { kind: 'page', pa: LATER + 0x1000, contiguous: true });
    world.write(1, TABLE + 8, { kind: 'none' });
    world.cpus.tlbi(0, { kind: 'VALE1', asid: 1, va: VA }, true);
    complete();
    expect([reach(), reach(NEXT)]).toEqual([[], []]);
  });
});

test('no walk goes on from a cached table when its ASID is not loaded', () => {
  world.cpus.load(0, { table: OTHER, asid: 2 });
  world.write(1, TABLE + 8, { kind: 'page', pa: LATER });
  world.write(1, TABLE + 8, { kind: 'none' });
  world.cpus.load(0, { table: OTHER, asid: 1 });
  expect(reach()).toEqual([PAGE]);
  world.cpus.load(0, { table: OTHER, asid: 2 });
  world.write(1, TABLE + 8, { kind: 'page', pa: LATER });
  world.cpus.load(0, { table: OTHER, asid: 1 });
  expect(new Set(reach())).toEqual(new Set([PAGE, LATER]));
});

test.each([0, 1])(
  'a global page read through tables of two ASIDs goes with the last of two TLBIs (CPU%i first)',
  (first) => {
    world = new CpuWorld({ addresses: [VA], regime: { granule: 12, inputBits: 33 }, common: true });
    for (const [cpu, root] of [ROOT, OTHER].entries()) {
      world.write(1, root, { kind: 'table', table: MIDDLE });
      world.write(1, MIDDLE, { kind: 'table', table: TABLE });
      world.cpus.load(cpu, { table: root, asid: cpu + 1 });
    }
    world.write(1, MIDDLE, { kind: 'none' });
    world.cpus.tlbi(0, { kind: 'VAE1', asid: 1, va: VA }, true);
    world.cpus.tlbi(1, { kind: 'VAE1', asid: 2, va: VA }, true);
    world.write(1, TABLE + 8, { kind: 'page', pa: PAGE, global: true });
    world.write(1, TABLE + 8, { kind: 'none' });
    world.cpus.dsb(first, true);
    expect(reach()).toEqual([PAGE]);
    world.cpus.dsb(1 - first, true);
    expect(reach()).toEqual([]);
  },
);

describe('what is in use', () => {
  test('an ASID that is loaded, then what it has left behind', () => {
    expect(world.cpus.asidInUse(1)?.kind).toBe('start');
    world.cpus.load(0, undefined);
    expect(world.cpus.asidInUse(1)).toMatchObject({ kind: 'table', asid: 1, doomed: false });
    expect(world.cpus.vmidInUse(0)?.asid).toBe(1);
    world.cpus.tlbi(0, { kind: 'ASIDE1', asid: 1 }, true);
    expect(world.cpus.asidInUse(1)?.doomed).toBe(true);
    complete();
    expect(world.cpus.asidInUse(1)).toBeUndefined();
    expect(world.cpus.vmidInUse(0)).toBeUndefined();
  });

  test('a table, from which a CPU walks or which is cached', () => {
    expect(world.cpus.tableHeld(ROOT, 8)?.kind).toBe('start');
    world.cpus.load(0, undefined);
    expect(world.cpus.tableHeld(ROOT, 4096)).toBeUndefined();
    expect(world.cpus.tableHeld(MIDDLE - 8, 8)).toBeUndefined();
    expect(world.cpus.tableHeld(MIDDLE - 8, 16)?.kind).toBe('table');
  });
});

test('tables that do not fit the level at which walks start are refused', () => {
  expect(() => new CpuWorld({ regime: { granule: 12, inputBits: 33, level: 2 } })).toThrow(RangeError);
  expect(() => new CpuWorld({ regime: { granule: 12, inputBits: 12 } })).toThrow(RangeError);
});
