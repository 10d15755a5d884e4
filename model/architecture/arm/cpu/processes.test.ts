import { beforeEach, describe, expect, test } from 'vitest';
import { PERMISSION } from '../outcomes/outcome.ts';
import type { CpuTlbs } from './cpu-tlbs.ts';
import type { TlbMaintenance } from './maintenance.ts';
import { CpuWorld } from './testing/world.ts';

/** Stage 2: one table of level 3. Stage 1: tables at IPAs, and where stage 2 places them. */
const STAGE_TWO = 0x1000;
const [ROOT, TABLE, MOVED] = [0x2000, 0x3000, 0x5000];
const [ROOT_AT, TABLE_AT] = [0x8000, 0x9000];
const [VA, OUTPUT] = [0x1000, 0x4000];
const [PAGE, LATER] = [0x80_0000, 0xa0_0000];
const vmid = 7;
const GUEST = { table: STAGE_TWO, vmid, process: { table: ROOT, asid: 1 } };

let world: CpuWorld;
let cpus: CpuTlbs;
const reach = (): readonly number[] => cpus.guestOutcomes(0, VA);
const place = (ipa: number, pa: number): void =>
  world.write(2, STAGE_TWO + (ipa / 4096) * 8, pa === 0 ? { kind: 'none' } : { kind: 'page', pa });
const flush = (...maintenance: TlbMaintenance[]): void => {
  for (const one of maintenance) {
    cpus.tlbi(0, one, true);
    cpus.dsb(0, true);
  }
};

beforeEach(() => {
  const processes = { granule: 12, inputBits: 25, addresses: [VA] } as const;
  const stageTwo = { granule: 12, inputBits: 16, ipas: [ROOT, TABLE, MOVED, OUTPUT], processes } as const;
  world = new CpuWorld({ stageTwo });
  ({ cpus } = world);
  place(ROOT, ROOT_AT);
  place(TABLE, TABLE_AT);
  place(OUTPUT, PAGE);
  world.write(1, ROOT_AT, { kind: 'table', table: TABLE });
  world.write(1, TABLE_AT + 8, { kind: 'page', pa: OUTPUT });
  cpus.loadGuest(0, GUEST);
});

describe('a process of a guest', () => {
  test('reaches what both stages say', () => {
    expect(reach()).toEqual([PAGE]);
    expect(cpus.loadedGuest(0)).toEqual(GUEST);
    place(OUTPUT, LATER);
    expect(new Set(reach())).toEqual(new Set([PAGE, LATER]));
  });

  test('is allowed what both stages allow', () => {
    world.write(2, STAGE_TWO + (OUTPUT / 4096) * 8, { kind: 'page', pa: LATER, refuses: 'write' });
    expect(cpus.guestOutcomes(0, VA, PERMISSION.UR)).toHaveLength(2);
    expect(cpus.guestOutcomes(0, VA, PERMISSION.UW)).toEqual([PAGE]);
  });

  test('is not translated like a guest whose stage 1 is off', () => {
    cpus.loadGuest(0, { table: STAGE_TWO, vmid });
    expect(() => reach()).toThrow(RangeError);
    expect(cpus.guestOutcomes(0, OUTPUT)).toEqual([PAGE]);
    expect(cpus.guestOutcomes(0, MOVED)).toEqual([]);
  });

  test('leaves nothing that such a guest uses', () => {
    place(OUTPUT, 0);
    flush({ kind: 'IPAS2E1', vmid, ipa: OUTPUT });
    cpus.loadGuest(0, { table: STAGE_TWO, vmid });
    expect(cpus.guestOutcomes(0, OUTPUT)).toEqual([]);
  });

  test('leaves entries to the next with its VMID and ASID', () => {
    world.write(1, ROOT_AT, { kind: 'none' });
    for (const [other, asid, left] of [
      [8, 1, []],
      [vmid, 2, []],
      [vmid, 1, [PAGE]],
    ] as const) {
      cpus.loadGuest(0, { table: 0x6000, vmid: other, process: { table: ROOT, asid } });
      expect(reach()).toEqual(left);
    }
  });
});

describe('stage 2 of its page is taken away', () => {
  beforeEach(() => place(OUTPUT, 0));

  test('by IPA what is combined stays, until stage 1 is invalidated too', () => {
    flush({ kind: 'IPAS2E1', vmid, ipa: OUTPUT });
    expect(reach()).toEqual([PAGE]);
    flush({ kind: 'VALE1', vmid, asid: 1, va: VA });
    expect(reach()).toEqual([]);
  });

  test('in the other order it is combined again', () => {
    flush({ kind: 'VMALLE1', vmid }, { kind: 'IPAS2E1', vmid, ipa: OUTPUT });
    expect(reach()).toEqual([PAGE]);
  });

  test('the ASID has to be the right one', () => {
    flush({ kind: 'IPAS2E1', vmid, ipa: OUTPUT }, { kind: 'ASIDE1', vmid, asid: 2 });
    expect(reach()).toEqual([PAGE]);
    flush({ kind: 'ASIDE1', vmid, asid: 1 });
    expect(reach()).toEqual([]);
  });
});

describe('stage 2 of its table is taken away', () => {
  beforeEach(() => {
    place(TABLE, 0);
    world.write(1, TABLE_AT + 8, { kind: 'none' });
  });

  test('by IPA the place of the table may still be known', () => {
    flush({ kind: 'IPAS2E1', vmid, ipa: TABLE }, { kind: 'VALE1', vmid, asid: 1, va: VA });
    expect(reach()).toEqual([]);
    expect(cpus.tableHeld(TABLE_AT, 4096)?.text).toContain('of both stages');
    world.write(1, TABLE_AT + 8, { kind: 'page', pa: OUTPUT });
    expect(reach()).toEqual([PAGE]);
  });

  test('with every level of stage 1 it is gone', () => {
    flush({ kind: 'IPAS2E1', vmid, ipa: TABLE }, { kind: 'VAE1', vmid, asid: 1, va: VA });
    expect(cpus.tableHeld(TABLE_AT, 4096)).toBeUndefined();
    world.write(1, TABLE_AT + 8, { kind: 'page', pa: OUTPUT });
    expect(reach()).toEqual([]);
  });

  test('with everything of the VMID too', () => {
    flush({ kind: 'VMALLS12E1', vmid });
    expect(cpus.tableHeld(TABLE_AT, 4096)).toBeUndefined();
    expect(cpus.vmidInUse(vmid)?.text).toBe('CPU0: VMID 7 is loaded, with the table at 0x1000');
    cpus.loadGuest(0, undefined);
    flush({ kind: 'VMALLS12E1', vmid });
    expect(cpus.vmidInUse(vmid)).toBeUndefined();
  });
});

test('what stage 2 had while another process was loaded is not combined', () => {
  cpus.loadGuest(0, { ...GUEST, process: { table: ROOT, asid: 2 } });
  place(OUTPUT, LATER);
  place(OUTPUT, PAGE);
  flush({ kind: 'IPAS2E1', vmid, ipa: OUTPUT });
  cpus.loadGuest(0, GUEST);
  expect(reach()).toEqual([PAGE]);
});

test('a table that stage 2 does not let read is not walked', () => {
  world.write(1, 0xb008, { kind: 'page', pa: ROOT });
  world.write(2, STAGE_TWO + (TABLE / 4096) * 8, { kind: 'page', pa: 0xb000, refuses: 'read' });
  expect(reach()).toEqual([PAGE]);
});

test('a table that stage 2 moves is read at both places', () => {
  world.write(1, 0xb008, { kind: 'page', pa: ROOT });
  place(TABLE, 0xb000);
  expect(new Set(reach())).toEqual(new Set([PAGE, ROOT_AT]));
});

test('without stage 1 there are no processes', () => {
  world = new CpuWorld({ stageTwo: { granule: 12, inputBits: 16, ipas: [OUTPUT] } });
  expect(() => world.cpus.loadGuest(0, GUEST)).toThrow(RangeError);
});

describe('the upper half of the address space', () => {
  const UPPER = 2 ** 64 - 0x1_0000 + 0x1000;

  beforeEach(() => {
    world = new CpuWorld({ addresses: [VA, UPPER] });
    ({ cpus } = world);
    world.write(1, ROOT_AT + 8, { kind: 'page', pa: PAGE, global: true });
    world.write(1, TABLE_AT + 8, { kind: 'page', pa: LATER });
  });

  test('is that of TTBR1', () => {
    cpus.loadUpper(0, { table: ROOT_AT, asid: 1 });
    cpus.load(0, { table: TABLE_AT, asid: 1 });
    expect(cpus.outcomes(0, UPPER)).toEqual([PAGE]);
    expect(cpus.outcomes(0, VA)).toEqual([LATER]);
    cpus.load(0, undefined);
    expect(cpus.outcomes(0, VA)).toEqual([]);
    expect(cpus.outcomes(0, UPPER)).toEqual([PAGE]);
  });

  test('is invalidated by its own addresses', () => {
    cpus.loadUpper(0, { table: ROOT_AT, asid: 1 });
    world.write(1, ROOT_AT + 8, { kind: 'none' });
    flush({ kind: 'VAALE1', va: VA }, { kind: 'ASIDE1', asid: 1 });
    expect(cpus.outcomes(0, UPPER)).toEqual([PAGE]);
    flush({ kind: 'VAALE1', va: UPPER });
    expect(cpus.outcomes(0, UPPER)).toEqual([]);
  });
});
