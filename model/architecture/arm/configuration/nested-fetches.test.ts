import { describe, expect, it } from 'vitest';
import { CD_TABLE_L1 } from '../layout/cd.ts';
import { EVENT, EVENT_CLASS, EVENT_IPA } from '../layout/event.ts';
import { encode, read } from '../layout/layout.ts';
import type { FaultResult } from '../outcomes/event-record.ts';
import { nest, StageTwoWorld, type Nested } from '../testing/stage-two.ts';
import { AT, cdLanes, cfgi, tlbi } from '../testing/world.ts';

const X = 0x1000;
const I = 0x6000;
const P = 0x40_0000;
/** The IPA of the CD of stream 1. */
const CD = AT.cds + 0x1000;

const CFGI_CD = cfgi('CFGI_CD', { StreamID: 1, Leaf: 1 });
const ALL_OF_VM = tlbi('TLBI_S12_VMALL', { VMID: 1 });

function mapped(features = {}): Nested {
  const nested = nest([X], {}, features);
  nested.world.map(nested.bottom, X, I);
  nested.world.mapIpa(I, P);
  flush(nested.world);
  return nested;
}

function flush(world: StageTwoWorld): void {
  world.sync(cfgi('CFGI_STE', { StreamID: 1 }));
  world.sync(ALL_OF_VM);
  // What of the configuration could be fetched through what was still cached of stage 2.
  world.sync(cfgi('CFGI_STE', { StreamID: 1 }));
}

function fault(world: StageTwoWorld): FaultResult {
  const results = world.smmu.outcomesFor(0, { write: true, privileged: false, instruction: false });
  expect(results).toHaveLength(1);
  const [result] = results;
  if (result?.kind !== 'fault') throw new Error(`not a fault: ${result?.kind}`);
  return result;
}

describe('the fetch of a CD behind stage 2', () => {
  it('is made where stage 2 has it', () => {
    const { world, top } = mapped({ bbml: 2 });
    const moved = 0x4_0000;
    const other = world.tree(X);
    world.identity(other.top, other.middle, other.bottom);
    world.map(other.bottom, X, 0x7000);
    world.mapIpa(0x7000, P + 0x7000);
    world.structure(moved, cdLanes({ ASID: 6, TTB0: other.top }));
    expect(world.see()).toEqual(['→400000']);
    world.mapIpa(CD, moved);
    expect(world.see()).toEqual(['→400000', '→407000']);
    expect(top).not.toBe(other.top);
    // Maintenance of the TLB does not reach the cached CD, and maintenance of configuration not what translates it.
    world.sync(ALL_OF_VM);
    expect(world.smmu.asidInUse(5)?.kind).toBe('configuration');
    world.sync(CFGI_CD);
    expect(world.smmu.asidInUse(5)?.kind).not.toBe('configuration');
  });

  it('may use stage 2 entries that are still held', () => {
    const { world } = mapped();
    world.mapIpa(CD);
    world.sync(CFGI_CD);
    expect(world.see()).toContain('→400000');
    world.sync(tlbi('TLBI_NH_ALL', { VMID: 1 }), CFGI_CD);
    expect(world.see()).toContain('→400000');
    world.sync(tlbi('TLBI_S2_IPA', { VMID: 1, Address: CD }));
    world.sync(CFGI_CD);
    expect(world.see()).toEqual(['f10']);
  });

  it.each([
    ['not mapped', (world: StageTwoWorld) => world.mapIpa(CD), EVENT.F_TRANSLATION],
    ['AF', (world: StageTwoWorld) => world.mapIpa(CD, CD, { AF: 0 }), EVENT.F_ACCESS],
    ['not readable', (world: StageTwoWorld) => world.mapIpa(CD, CD, { S2AP: 2 }), EVENT.F_PERMISSION],
    ['beyond S2PS', (world: StageTwoWorld) => world.mapIpa(CD, 2 ** 47), EVENT.F_ADDR_SIZE],
  ] as [string, (world: StageTwoWorld) => void, number][])('has faults of its own: %s', (_why, spoil, event) => {
    const { world } = mapped();
    world.steTwo(1, { Config: 7, S2PS: 4 });
    spoil(world);
    flush(world);
    const result = fault(world);
    expect(result).toMatchObject({ event, stage: 2, class: EVENT_CLASS.CD, ipa: CD, aborted: true });
    expect(read(EVENT_IPA, result.record ?? [])).toBe(CD);
  });

  it('obeys S2S, S2R and S2PTW', () => {
    const { world } = mapped();
    world.mapIpa(CD, CD, { MemAttr: 0 });
    flush(world);
    expect(world.see()).toEqual(['→400000']);
    world.steTwo(1, { Config: 7, S2PTW: 1, S2R: 0 });
    flush(world);
    expect(fault(world)).toMatchObject({ event: EVENT.F_PERMISSION, class: EVENT_CLASS.CD, record: undefined });
    world.steTwo(1, { Config: 7, S2PTW: 1, S2S: 1 });
    flush(world);
    expect(fault(world)).toMatchObject({ stalled: true });
  });

  it('is F_CD_FETCH with the physical address where nothing answers', () => {
    const { world } = mapped();
    world.mapIpa(CD, 0x100_0000);
    flush(world);
    expect(fault(world)).toMatchObject({ event: EVENT.F_CD_FETCH, stage: 1, fetchAddress: 0x100_0000 });
  });

  it('reads a write to the CD where it is', () => {
    const { world } = mapped();
    world.mapIpa(CD, 0x4_0000);
    flush(world);
    expect(world.see()).toEqual(['fa']);
    world.structure(0x4_0000, cdLanes({ ASID: 7, TTB0: AT.tables }));
    flush(world);
    expect(world.see()).toEqual(['→400000']);
    expect(world.smmu.asidInUse(7)?.kind).toBe('configuration');
  });

  it('beyond the IPA size: C_BAD_STE or a fault of stage 2 (§3.4.3)', () => {
    const { world } = mapped();
    world.steTwo(1, { Config: 7, S1ContextPtr: 2 ** 49 });
    flush(world);
    expect(world.see()).toEqual(['f10', 'f4']);
    const faults = world.smmu.outcomes(0).filter(({ kind }) => kind === 'fault');
    expect(faults.some((one) => 'stage2' in one && one.stage2?.ipa === 2 ** 49)).toBe(true);
  });
});

describe('two-level CD tables behind stage 2', () => {
  const L1 = 0x5_0000;
  const two = (): Nested => {
    const nested = mapped();
    const { world } = nested;
    world.steTwo(1, { Config: 7, S1CDMax: 7, S1Fmt: 1, S1DSS: 2, S1ContextPtr: L1 });
    world.write(L1, encode(CD_TABLE_L1, { V: 1, L2Ptr: CD }));
    world.identity(L1);
    flush(world);
    return nested;
  };

  it('are followed at both levels', () => {
    expect(two().world.see()).toEqual(['→400000']);
  });

  it('have a fault of stage 2 at each', () => {
    const { world } = two();
    world.mapIpa(CD);
    flush(world);
    expect(fault(world)).toMatchObject({ event: EVENT.F_TRANSLATION, class: EVENT_CLASS.CD, ipa: CD });
    world.mapIpa(L1);
    flush(world);
    expect(fault(world)).toMatchObject({ event: EVENT.F_TRANSLATION, class: EVENT_CLASS.CD, ipa: L1 });
  });

  it('may lead beyond the IPA size: C_BAD_SUBSTREAMID or a fault of stage 2', () => {
    const { world } = two();
    world.write(L1, encode(CD_TABLE_L1, { V: 1, L2Ptr: 2 ** 49 }));
    flush(world);
    expect(world.see()).toEqual(['f10', 'f8']);
  });
});

describe('the VMID of a stream', () => {
  it('is in use as soon as its STE is, whatever becomes of the CD', () => {
    const { world } = mapped();
    world.steTwo(1, { Config: 7, S2VMID: 3, S1ContextPtr: 2 ** 30 });
    flush(world);
    expect(world.smmu.vmidInUse(3)?.text).toContain('from an STE');
    expect(world.smmu.vmidInUse(1)).toBeUndefined();
  });

  it('separates what the fetches of CDs leave in the TLB', () => {
    const { world } = mapped();
    world.steTwo(1, { Config: 7, S2VMID: 3 });
    flush(world);
    world.sync(tlbi('TLBI_S12_VMALL', { VMID: 1 }));
    expect(world.see()).toEqual(['→400000']);
    expect(world.smmu.heldTranslations().every(({ vmid }) => vmid === 3)).toBe(true);
  });
});
