import { beforeEach, describe, expect, test } from 'vitest';
import type { CpuTlbs } from './cpu-tlbs.ts';
import type { TlbMaintenance } from './maintenance.ts';
import { CpuWorld } from './testing/world.ts';

const VA = 0x1000;
const [PAGE, LATER] = [0x80_0000, 0xa0_0000];

let world: CpuWorld;
let cpus: CpuTlbs;
const flush = (...maintenance: TlbMaintenance[]): void => {
  for (const one of maintenance) {
    cpus.tlbi(0, one, true);
    cpus.dsb(0, true);
  }
};

describe('of a process of the host', () => {
  const [ROOT, TABLE, EMPTY] = [0x2000, 0x3000, 0x4000];
  const leaf = (pa: number): void => world.write(1, TABLE + 8, pa === 0 ? { kind: 'none' } : { kind: 'page', pa });
  const begin = (common: boolean): void => {
    world = new CpuWorld({ addresses: [VA], regime: { granule: 12, inputBits: 25 }, common });
    ({ cpus } = world);
    world.write(1, ROOT, { kind: 'table', table: TABLE });
  };

  test('a table is walked as long as any context with its ASID is loaded (D8.16 R_SQBCS)', () => {
    begin(true);
    cpus.load(0, { table: ROOT, asid: 1 });
    world.write(1, ROOT, { kind: 'none' });
    cpus.load(1, { table: EMPTY, asid: 1 });
    cpus.load(1, undefined);
    leaf(PAGE);
    expect(cpus.outcomes(0, VA)).toEqual([PAGE]);
    cpus.load(1, { table: EMPTY, asid: 1 });
    cpus.load(0, undefined);
    leaf(LATER);
    expect(new Set(cpus.outcomes(1, VA))).toEqual(new Set([PAGE, LATER]));
  });

  test('walks go on from a context that two CPUs have, whatever completes', () => {
    begin(true);
    for (const cpu of [0, 1]) cpus.load(cpu, { table: ROOT, asid: 1 });
    flush({ kind: 'ASIDE1', asid: 2 });
    world.write(1, ROOT + 8, { kind: 'none' });
    leaf(PAGE);
    flush({ kind: 'VMALLE1' });
    leaf(LATER);
    expect(new Set(cpus.outcomes(0, VA))).toEqual(new Set([PAGE, LATER]));
  });

  test('that is not loaded an invalidation takes for good what memory still says', () => {
    begin(false);
    leaf(PAGE);
    cpus.load(0, { table: ROOT, asid: 1 });
    cpus.load(0, undefined);
    flush({ kind: 'VALE1', asid: 1, va: VA });
    leaf(0);
    cpus.load(0, { table: EMPTY, asid: 1 });
    expect(cpus.outcomes(0, VA)).toEqual([]);
  });
});

describe('of a guest', () => {
  const vmid = 7;
  const STAGE_TWO = 0x1000;
  const [ROOT, TABLE, EMPTY, OUTPUT] = [0x2000, 0x3000, 0x4000, 0x5000];
  const [ROOT_AT, TABLE_AT, EMPTY_AT] = [0x8000, 0x9000, 0xa000];
  const process = (asid: number, table = ROOT) => ({ table: STAGE_TWO, vmid, process: { table, asid } });
  const off = { table: STAGE_TWO, vmid };
  const place = (ipa: number, pa: number): void =>
    world.write(2, STAGE_TWO + (ipa / 4096) * 8, pa === 0 ? { kind: 'none' } : { kind: 'page', pa });
  const leaf = (pa: number, global = false): void =>
    world.write(1, TABLE_AT + 8, pa === 0 ? { kind: 'none' } : { kind: 'page', pa, global });
  const reach = (cpu = 0): Set<number> => new Set(cpus.guestOutcomes(cpu, VA));

  const begin = (common: boolean): void => {
    const processes = { granule: 12, inputBits: 25, addresses: [VA] } as const;
    const ipas = [ROOT, TABLE, EMPTY, OUTPUT];
    world = new CpuWorld({ common, stageTwo: { granule: 12, inputBits: 16, ipas, processes } });
    ({ cpus } = world);
    place(ROOT, ROOT_AT);
    place(TABLE, TABLE_AT);
    place(EMPTY, EMPTY_AT);
    place(OUTPUT, PAGE);
    world.write(1, ROOT_AT, { kind: 'table', table: TABLE });
    leaf(OUTPUT);
  };
  beforeEach(() => begin(false));

  test('tables serve the next process of the ASID, with the memory of now (D8.16 R_SQBCS)', () => {
    leaf(0);
    cpus.loadGuest(0, process(1));
    cpus.loadGuest(0, undefined);
    leaf(OUTPUT);
    cpus.loadGuest(0, process(1, EMPTY));
    expect(reach()).toEqual(new Set([PAGE]));
    cpus.loadGuest(0, process(2, EMPTY));
    expect(reach()).toEqual(new Set());
  });

  test.each([
    ['of its ASID', false, 1],
    ['of every ASID', true, 2],
  ])('leaves of stage 1 serve the next process %s, with the stage 2 of now', (_whose, global, asid) => {
    leaf(OUTPUT, global);
    cpus.loadGuest(0, process(1));
    leaf(0);
    cpus.loadGuest(0, undefined);
    cpus.loadGuest(0, off);
    place(OUTPUT, LATER);
    cpus.loadGuest(0, process(asid, EMPTY));
    expect(reach()).toEqual(new Set([PAGE, LATER]));
    cpus.loadGuest(0, process(3, EMPTY));
    expect(reach()).toEqual(global ? new Set([PAGE, LATER]) : new Set());
  });

  test('a global leaf is combined for whichever process is loaded when stage 2 changes', () => {
    leaf(OUTPUT, true);
    cpus.loadGuest(0, process(1));
    leaf(0);
    cpus.loadGuest(0, process(2, EMPTY));
    place(OUTPUT, LATER);
    expect(reach()).toEqual(new Set([PAGE, LATER]));
  });

  test('leaves of stage 1 stay when another ASID is invalidated', () => {
    cpus.loadGuest(0, process(1));
    leaf(0);
    flush({ kind: 'ASIDE1', vmid, asid: 2 }, { kind: 'VALE1', vmid, asid: 1, va: VA + 4096 });
    place(OUTPUT, LATER);
    expect(reach()).toEqual(new Set([PAGE, LATER]));
    flush({ kind: 'ASIDE1', vmid, asid: 1 });
    expect(reach()).toEqual(new Set());
    // Nothing of stage 1 is left that a new place could be combined with.
    place(OUTPUT, PAGE);
    expect(reach()).toEqual(new Set());
  });

  test('each process that some CPU has loaded is walked for, and no other', () => {
    cpus.loadGuest(0, process(1));
    cpus.loadGuest(1, process(2));
    leaf(0);
    flush({ kind: 'VMALLE1', vmid });
    leaf(OUTPUT);
    expect([reach(0), reach(1)]).toEqual([new Set([PAGE]), new Set([PAGE])]);
    cpus.loadGuest(0, process(2, EMPTY));
    place(OUTPUT, LATER);
    world.write(1, TABLE_AT + 8, { kind: 'page', pa: TABLE });
    leaf(0);
    place(OUTPUT, PAGE);
    flush({ kind: 'IPAS2E1', vmid, ipa: OUTPUT });
    cpus.loadGuest(0, process(1, EMPTY));
    // While it was not loaded its table was not read: the page that was there for a while is nowhere.
    expect(reach()).toEqual(new Set([PAGE]));
  });

  test.each([false, true])('processes of two CPUs are walked for, with common entries: %s', (common) => {
    begin(common);
    leaf(0);
    cpus.loadGuest(0, process(1));
    cpus.loadGuest(1, process(2));
    cpus.loadGuest(1, process(1));
    cpus.loadGuest(1, process(2));
    flush({ kind: 'ASIDE1', vmid, asid: 9 });
    leaf(OUTPUT);
    expect([reach(0), reach(1)]).toEqual([new Set([PAGE]), new Set([PAGE])]);
    cpus.loadGuest(1, process(1));
    flush({ kind: 'ASIDE1', vmid, asid: 9 });
    flush({ kind: 'VMALLE1', vmid });
    leaf(TABLE);
    expect(reach(1)).toEqual(new Set([PAGE, TABLE_AT]));
  });

  test('that is not loaded an invalidation takes for good what memory still says', () => {
    cpus.loadGuest(0, process(1));
    cpus.loadGuest(0, process(2, EMPTY));
    flush({ kind: 'VALE1', vmid, asid: 1, va: VA });
    leaf(0);
    cpus.loadGuest(0, process(1, EMPTY));
    expect(reach()).toEqual(new Set());
  });

  test('nothing comes of a place of stage 2, or a leaf of stage 1, that is gone', () => {
    cpus.loadGuest(0, process(1));
    place(TABLE, 0);
    flush({ kind: 'VMALLS12E1', vmid });
    cpus.loadGuest(0, undefined);
    cpus.loadGuest(0, process(1));
    expect(reach()).toEqual(new Set());
    place(OUTPUT, LATER);
    expect(reach()).toEqual(new Set());
    place(TABLE, TABLE_AT);
    expect(reach().has(LATER)).toBe(true);
  });

  test('nothing comes of a table that no table leads to any more', () => {
    cpus.loadGuest(0, process(1));
    world.write(1, ROOT_AT, { kind: 'none' });
    flush({ kind: 'VMALLS12E1', vmid });
    cpus.loadGuest(0, undefined);
    cpus.loadGuest(0, process(1));
    expect(reach()).toEqual(new Set());
    expect(cpus.tableHeld(TABLE_AT, 4096)).toBeUndefined();
  });

  test('a leaf goes, although the descriptor that it came of is still in memory, when nothing leads to that', () => {
    cpus.loadGuest(0, process(1));
    place(TABLE, 0);
    flush({ kind: 'IPAS2E1', vmid, ipa: TABLE }, { kind: 'VAE1', vmid, asid: 1, va: VA + 4096 });
    expect(reach()).toEqual(new Set([PAGE]));
    flush({ kind: 'VALE1', vmid, asid: 1, va: VA });
    expect(reach()).toEqual(new Set());
  });

  test('a leaf of stage 1 to an IPA that does not matter leads nowhere', () => {
    leaf(0xc000);
    cpus.loadGuest(0, process(1));
    expect(reach()).toEqual(new Set());
  });

  describe('whose stage 1 is off', () => {
    const reachOff = (): Set<number> => new Set(cpus.guestOutcomes(0, OUTPUT));

    test('what stage 2 has for a while is used while it runs, and not while another process does', () => {
      cpus.loadGuest(0, off);
      cpus.loadGuest(0, process(1));
      place(OUTPUT, LATER);
      place(OUTPUT, 0);
      flush({ kind: 'IPAS2E1', vmid, ipa: OUTPUT });
      cpus.loadGuest(0, off);
      expect(reachOff()).toEqual(new Set([PAGE]));
    });

    test('entries have no ASID: by ASID they stay, by address they go whichever it is (D8.17)', () => {
      cpus.loadGuest(0, off);
      place(OUTPUT, 0);
      flush({ kind: 'IPAS2E1', vmid, ipa: OUTPUT });
      for (const asid of [0, 1, 2]) flush({ kind: 'ASIDE1', vmid, asid });
      expect(reachOff()).toEqual(new Set([PAGE]));
      flush({ kind: 'VALE1', vmid, asid: 3, va: OUTPUT });
      expect(reachOff()).toEqual(new Set());
    });
  });
});
