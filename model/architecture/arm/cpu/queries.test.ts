import { beforeEach, describe, expect, test } from 'vitest';
import type { CpuTlbs } from './cpu-tlbs.ts';
import type { TlbMaintenance } from './maintenance.ts';
import { CpuWorld } from './testing/world.ts';

const PAGE = 0x80_0000;
const VA = 0x1000;

let world: CpuWorld;
let cpus: CpuTlbs;
const flush = (...maintenance: TlbMaintenance[]): void => {
  for (const one of maintenance) {
    cpus.tlbi(0, one, true);
    cpus.dsb(0, true);
  }
};

describe('under an ASID there is', () => {
  const [ROOT, TABLE, OTHER] = [0x2000, 0x3000, 0x4000];

  beforeEach(() => {
    world = new CpuWorld({ addresses: [VA], regime: { granule: 12, inputBits: 25 } });
    ({ cpus } = world);
    world.write(1, ROOT, { kind: 'table', table: TABLE });
    world.write(1, TABLE + 8, { kind: 'page', pa: PAGE });
  });

  test.each([0, 1])('what CPU%d has loaded, and then what it has left behind', (cpu) => {
    cpus.load(cpu, { table: ROOT, asid: 3 });
    expect(cpus.asidInUse(3)?.text).toBe(`CPU${cpu}: ASID 3 is loaded, with the table at 0x2000`);
    expect([2, 4].map((asid) => cpus.asidInUse(asid))).toEqual([undefined, undefined]);
    cpus.load(cpu, undefined);
    expect(cpus.asidInUse(3)?.text).toBe(`CPU${cpu}: (ASID 3, from 0x0) → table of level 3 at 0x3000`);
    expect(cpus.asidInUse(2)).toBeUndefined();
    flush({ kind: 'ASIDE1', asid: 3 });
    expect(cpus.asidInUse(3)).toBeUndefined();
  });

  test('an entry alone, where no table leads to it any more', () => {
    world.write(1, ROOT, { kind: 'block', pa: 0x40_0000 });
    cpus.load(0, { table: ROOT, asid: 3 });
    cpus.load(0, undefined);
    expect(cpus.asidInUse(3)?.text).toContain('0x400000');
    expect(cpus.asidInUse(2)).toBeUndefined();
  });

  test('first what is loaded, though what is left behind is older', () => {
    cpus.load(0, { table: ROOT, asid: 3 });
    cpus.load(0, { table: OTHER, asid: 3 });
    expect(cpus.asidInUse(3)?.text).toBe('CPU0: ASID 3 is loaded, with the table at 0x4000');
  });
});

describe('of a process of a guest there is', () => {
  const vmid = 7;
  const STAGE_TWO = 0x1000;
  const [ROOT, TABLE, OUTPUT] = [0x2000, 0x3000, 0x4000];
  const [ROOT_AT, TABLE_AT] = [0x8000, 0x9000];
  const context = { table: STAGE_TWO, vmid, process: { table: ROOT, asid: 1 } };
  const place = (ipa: number, pa: number): void =>
    world.write(2, STAGE_TWO + (ipa / 4096) * 8, pa === 0 ? { kind: 'none' } : { kind: 'page', pa });
  const everyIpa = [ROOT, TABLE, OUTPUT, VA].map((ipa): TlbMaintenance => ({ kind: 'IPAS2E1', vmid, ipa }));

  beforeEach(() => {
    const processes = { granule: 12, inputBits: 25, addresses: [VA, VA + 4096] } as const;
    world = new CpuWorld({ stageTwo: { granule: 12, inputBits: 16, ipas: [ROOT, TABLE, OUTPUT, VA], processes } });
    ({ cpus } = world);
    place(ROOT, ROOT_AT);
    place(TABLE, TABLE_AT);
    place(OUTPUT, PAGE);
    world.write(1, ROOT_AT, { kind: 'table', table: TABLE });
    world.write(1, TABLE_AT + 8, { kind: 'page', pa: OUTPUT });
  });

  test('a table where stage 2 places it, for all of its page, and nowhere else', () => {
    cpus.loadGuest(0, context);
    expect(cpus.tableHeld(TABLE_AT, 8)?.text).toContain('of both stages');
    expect(cpus.tableHeld(TABLE_AT + 0xff8, 8)?.text).toContain('of both stages');
    expect(cpus.tableHeld(TABLE_AT + 0x1000, 4096)).toBeUndefined();
    // An IPA is no physical address.
    expect(cpus.tableHeld(TABLE, 4096)).toBeUndefined();
  });

  test.each([0, 1])('what CPU%d holds of stage 1 alone when all of stage 2 is gone', (cpu) => {
    cpus.loadGuest(cpu, context);
    cpus.loadGuest(cpu, undefined);
    for (const ipa of [ROOT, TABLE, OUTPUT]) place(ipa, 0);
    flush(...everyIpa);
    expect(cpus.vmidInUse(vmid)?.text).toBe(`CPU${cpu}: (VMID 7, ASID 1, from 0x0) → table of level 3 at IPA 0x3000`);
    expect(cpus.vmidInUse(8)).toBeUndefined();
    flush({ kind: 'VMALLE1', vmid });
    expect(cpus.vmidInUse(vmid)).toBeUndefined();
  });

  test('the place of a table alone, when entries are gone', () => {
    // By any address of a block of stage 1 all that was made of it goes, tables above it stay (Arm ARM D8.17).
    world.write(1, ROOT_AT, { kind: 'block', pa: 0 });
    place(VA, PAGE);
    cpus.loadGuest(1, context);
    expect(cpus.guestOutcomes(1, VA)).toContain(PAGE);
    cpus.loadGuest(1, undefined);
    flush(...everyIpa, { kind: 'VALE1', vmid, asid: 1, va: VA + 4096 });
    const held = cpus.vmidInUse(vmid);
    expect(held?.text).toBe(
      'CPU1: (VMID 7, ASID 1, from 0x0) → descriptor of level 2 at IPA 0x2000 → 0x8000, of both stages',
    );
    expect([6, 8].map((other) => cpus.vmidInUse(other))).toEqual([undefined, undefined]);
    flush({ kind: 'VMALLE1', vmid });
    expect(cpus.vmidInUse(vmid)).toBeUndefined();
  });
});
