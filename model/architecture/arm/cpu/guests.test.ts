import { beforeEach, describe, expect, test } from 'vitest';
import type { DvmReceiver } from '../dvm/bus.ts';
import { PERMISSION } from '../outcomes/outcome.ts';
import type { CpuTlbs } from './cpu-tlbs.ts';
import type { TlbMaintenance } from './maintenance.ts';
import { CpuWorld } from './testing/world.ts';

/** Stage 2 tables of level 2 and level 3. */
const [ROOT, OTHER, TABLE, SPARE] = [0x1000, 0x2000, 0x4000, 0x5000];
const [IPA, NEXT, FAR] = [0x1000, 0x2000, 0x20_1000];
const [PAGE, LATER] = [0x80_0000, 0xa0_0000];
const GUEST = { table: ROOT, vmid: 7 };
const { vmid } = GUEST;

let world: CpuWorld;
let cpus: CpuTlbs;
const reach = (ipa = IPA, cpu = 0): readonly number[] => cpus.guestOutcomes(cpu, ipa);
/** Executes a TLBI for everybody and waits. */
const flush = (maintenance: TlbMaintenance): void => {
  cpus.tlbi(0, maintenance, true);
  cpus.dsb(0, true);
};

function begin(common = false, receivers: readonly DvmReceiver[] = []): void {
  const stageTwo = { granule: 12, inputBits: 25, ipas: [IPA, NEXT, FAR] } as const;
  world = new CpuWorld({ addresses: [IPA], stageTwo, common, receivers });
  ({ cpus } = world);
  world.write(2, ROOT, { kind: 'table', table: TABLE });
  world.write(2, TABLE + 8, { kind: 'page', pa: PAGE });
  cpus.loadGuest(0, GUEST);
}

beforeEach(() => begin());

describe('a guest', () => {
  test('reaches what its stage 2 says, on the CPU that has loaded it', () => {
    expect(reach()).toEqual([PAGE]);
    expect(reach(NEXT)).toEqual([]);
    expect(reach(IPA, 1)).toEqual([]);
    expect(cpus.loadedGuest(0)).toEqual(GUEST);
    expect(cpus.loadedGuest(1)).toBeUndefined();
    expect(cpus.outcomes(0, IPA)).toEqual([]);
  });

  test('is not allowed what stage 2 refuses', () => {
    world.write(2, TABLE + 16, { kind: 'page', pa: PAGE, refuses: 'write' });
    expect(cpus.guestOutcomes(0, NEXT, PERMISSION.UR)).toEqual([PAGE]);
    expect(cpus.guestOutcomes(0, NEXT, PERMISSION.UW)).toEqual([]);
  });

  test('leaves entries for the next guest that is given its VMID', () => {
    cpus.loadGuest(0, { table: OTHER, vmid: 8 });
    expect(reach()).toEqual([]);
    cpus.loadGuest(0, { table: OTHER, vmid });
    expect(reach()).toEqual([PAGE]);
  });

  test('has nothing in common with a process', () => {
    flush({ kind: 'VMALLE1' });
    world.write(2, TABLE + 8, { kind: 'none' });
    flush({ kind: 'VMALLE1' });
    flush({ kind: 'ASIDE1', vmid, asid: 0 });
    expect(reach()).toEqual([PAGE]);
  });
});

describe('to unmap a page', () => {
  beforeEach(() => world.write(2, TABLE + 8, { kind: 'none' }));

  test('stage 2 goes, then what was combined from it', () => {
    flush({ kind: 'IPAS2E1', vmid, ipa: IPA });
    expect(reach()).toEqual([PAGE]);
    flush({ kind: 'VMALLE1', vmid });
    expect(reach()).toEqual([]);
  });

  test('by address too', () => {
    flush({ kind: 'IPAS2LE1', vmid, ipa: IPA });
    flush({ kind: 'VAAE1', vmid, va: IPA });
    expect(reach()).toEqual([]);
  });

  test('the other order leaves stage 2, which is combined again', () => {
    flush({ kind: 'VMALLE1', vmid });
    flush({ kind: 'IPAS2E1', vmid, ipa: IPA });
    expect(reach()).toEqual([PAGE]);
  });

  test('without a DSB between them what is combined may be made again', () => {
    cpus.tlbi(0, { kind: 'IPAS2E1', vmid, ipa: IPA }, true);
    flush({ kind: 'VMALLE1', vmid });
    expect(reach()).toEqual([PAGE]);
    flush({ kind: 'VMALLE1', vmid });
    expect(reach()).toEqual([]);
  });

  test('one instruction for both stages is enough', () => {
    cpus.tlbi(0, { kind: 'VMALLS12E1', vmid }, true);
    expect(reach()).toEqual([PAGE]);
    cpus.dsb(0, true);
    expect(reach()).toEqual([]);
  });

  test('of every VM too', () => {
    flush({ kind: 'ALLE1' });
    expect(reach()).toEqual([]);
  });

  test('the VMID has to be the right one', () => {
    flush({ kind: 'VMALLS12E1', vmid: 8 });
    flush({ kind: 'VMALLS12E1', vmid: 0 });
    expect(reach()).toEqual([PAGE]);
  });

  test('and the address', () => {
    flush({ kind: 'IPAS2E1', vmid, ipa: NEXT });
    flush({ kind: 'VMALLE1', vmid });
    expect(reach()).toEqual([PAGE]);
    flush({ kind: 'IPAS2E1', vmid, ipa: IPA });
    flush({ kind: 'VAAE1', vmid, va: NEXT });
    expect(reach()).toEqual([PAGE]);
  });

  test('a local instruction reaches its own CPU', () => {
    begin();
    cpus.loadGuest(1, GUEST);
    world.write(2, TABLE + 8, { kind: 'none' });
    cpus.tlbi(0, { kind: 'VMALLS12E1', vmid }, false);
    cpus.dsb(0, false);
    expect(reach()).toEqual([]);
    expect(reach(IPA, 1)).toEqual([PAGE]);
  });
});

describe('a block', () => {
  beforeEach(() => {
    world.write(2, ROOT + 8, { kind: 'block', pa: PAGE });
    world.write(2, ROOT + 8, { kind: 'none' });
  });

  test('of stage 2 goes by any of its addresses', () => {
    expect(reach(FAR)).toEqual([PAGE + 0x1000]);
    flush({ kind: 'IPAS2E1', vmid, ipa: FAR + 0x8000 });
    flush({ kind: 'VMALLE1', vmid });
    expect(reach(FAR)).toEqual([]);
  });

  test('leaves its other pages, if combined entries go by address', () => {
    flush({ kind: 'IPAS2E1', vmid, ipa: FAR });
    flush({ kind: 'VAAE1', vmid, va: FAR + 0x8000 });
    expect(reach(FAR)).toEqual([PAGE + 0x1000]);
  });
});

describe('tables of stage 2', () => {
  beforeEach(() => {
    world.write(2, SPARE + 8, { kind: 'page', pa: LATER });
    world.write(2, ROOT, { kind: 'none' });
  });

  test('stay with an instruction of the last level', () => {
    flush({ kind: 'IPAS2LE1', vmid, ipa: IPA });
    flush({ kind: 'VMALLE1', vmid });
    expect(cpus.tableHeld(TABLE, 4096)?.text).toBe('CPU0: (VMID 7, IPA from 0x0) → stage 2 table of level 3 at 0x4000');
    expect(reach()).toEqual([PAGE]);
  });

  test('go with one of every level, by the address', () => {
    flush({ kind: 'IPAS2E1', vmid, ipa: FAR });
    expect(cpus.tableHeld(TABLE, 4096)).toBeDefined();
    flush({ kind: 'IPAS2E1', vmid, ipa: NEXT });
    expect(cpus.tableHeld(TABLE, 4096)).toBeUndefined();
  });

  test('side by side at the start, instead of a level', () => {
    const stageTwo = { granule: 12, inputBits: 22, level: 3, ipas: [IPA, FAR] } as const;
    world = new CpuWorld({ stageTwo });
    ({ cpus } = world);
    world.write(2, ROOT + 8 * 513, { kind: 'page', pa: LATER });
    cpus.loadGuest(0, GUEST);
    expect(reach(FAR)).toEqual([LATER]);
    expect(cpus.tableHeld(OTHER, 4096)?.kind).toBe('start');
    expect(() => new CpuWorld({ stageTwo: { granule: 12, inputBits: 26, level: 3, ipas: [] } })).toThrow(RangeError);
  });
});

describe('a VMID', () => {
  test('is in use while a CPU has it, and then as long as anything is left', () => {
    expect(cpus.vmidInUse(vmid)?.kind).toBe('start');
    expect(cpus.vmidInUse(8)).toBeUndefined();
    cpus.loadGuest(0, undefined);
    expect(cpus.vmidInUse(vmid)).toMatchObject({ vmid, asid: -1 });
    flush({ kind: 'IPAS2E1', vmid, ipa: IPA });
    expect(cpus.vmidInUse(vmid)?.text).toBe('CPU0: (VMID 7, 0x1000 → 0x800000), of both stages');
    flush({ kind: 'VMALLE1', vmid });
    expect(cpus.vmidInUse(vmid)).toBeUndefined();
  });

  test('that a CPU still has loaded fills again after an invalidation', () => {
    flush({ kind: 'ALLE1' });
    world.write(2, TABLE + 8, { kind: 'none' });
    cpus.loadGuest(0, { table: OTHER, vmid });
    expect(reach()).toEqual([PAGE]);
    cpus.loadGuest(0, undefined);
    flush({ kind: 'ALLE1' });
    cpus.loadGuest(0, { table: OTHER, vmid });
    expect(reach()).toEqual([]);
  });

  test('that no CPU has loaded is not walked for', () => {
    cpus.loadGuest(0, undefined);
    world.write(2, TABLE + 8, { kind: 'page', pa: LATER });
    world.write(2, TABLE + 8, { kind: 'none' });
    cpus.loadGuest(0, GUEST);
    expect(reach()).toEqual([PAGE]);
  });
});

test('with CnP the entries of guests are common', () => {
  begin(true);
  cpus.loadGuest(1, { table: OTHER, vmid });
  expect(reach(IPA, 1)).toEqual([PAGE]);
  world.write(2, TABLE + 8, { kind: 'none' });
  cpus.tlbi(1, { kind: 'VMALLS12E1', vmid }, false);
  cpus.dsb(1, false);
  expect(reach()).toEqual([]);
  expect(reach(IPA, 1)).toEqual([]);
});

test('others hear the broadcasts of CPUs, and nothing else', () => {
  const heard: string[] = [];
  const receiver: DvmReceiver = {
    invalidate: (command, slot) => heard.push(`${command.of ?? 'stage 1'} of VMID ${command.vmid} in ${slot}`),
    complete: (mask) => heard.push(`${mask} done`),
  };
  begin(false, [receiver]);
  cpus.tlbi(0, { kind: 'VMALLE1', vmid }, false);
  expect(heard).toEqual([]);
  cpus.tlbi(0, { kind: 'VMALLS12E1', vmid }, true);
  cpus.dsb(0, true);
  expect(heard).toEqual(['both stages of VMID 7 in 1', '3 done']);
});

test('CPUs without stage 2 have no guests', () => {
  world = new CpuWorld({ addresses: [IPA] });
  expect(() => world.cpus.loadGuest(0, GUEST)).toThrow(RangeError);
  expect(world.cpus.loadedGuest(0)).toBeUndefined();
});
