import { describe, expect, it } from 'vitest';
import type { SmmuFeatures } from '../../layout/features.ts';
import { STAGE2_LEAF } from '../../layout/descriptor.ts';
import { EVENT, EVENT_CLASS, EVENT_IPA, EVENT_RECORD } from '../../layout/event.ts';
import { decode, read, type FieldValues } from '../../layout/layout.ts';
import { STE } from '../../layout/ste.ts';
import type { Access, FaultResult } from '../../outcomes/event-record.ts';
import { leafOfStageTwo, StageTwoWorld } from '../../testing/stage-two.ts';
import { cfgi, SYNC, tlbi } from '../../testing/world.ts';
import type { Universe } from '../../universe.ts';

const X = 0x5000;
const P = 0x40_0000;
const READ: Access = { write: false, privileged: true, instruction: false };

/** Stream 1 with stage 2 alone, VMID 1. */
function attached(
  addresses: number[] = [X],
  ste: FieldValues<typeof STE> = {},
  features: Partial<SmmuFeatures> = {},
): StageTwoWorld {
  const slots: Universe['slots'] = addresses.map((va) => ({ streamId: 1, substream: -1, va }));
  const world = new StageTwoWorld(slots, features);
  world.steTwo(1, ste);
  world.enable();
  return world;
}

const ipa = (values: Record<string, number> = {}): number[] => tlbi('TLBI_S2_IPA', { VMID: 1, Address: X, ...values });

function fault(world: StageTwoWorld, access: Access = READ, slot = 0): FaultResult {
  const results = world.smmu.outcomesFor(slot, access);
  expect(results).toHaveLength(1);
  const [result] = results;
  if (result?.kind !== 'fault') throw new Error(`not a fault: ${result?.kind}`);
  return result;
}

describe('stage 2 alone', () => {
  it('translates the input address, and holds what it read until TLBI_S2_IPA', () => {
    const world = attached();
    expect(world.see()).toEqual(['f10']);
    world.mapIpa(X, P);
    world.sync(ipa());
    expect(world.see()).toEqual(['→400000']);
    world.mapIpa(X);
    expect(world.see()).toEqual(['f10', '→400000']);
    world.issue(ipa(), SYNC);
    expect(world.see()).toEqual(['f10', '→400000']);
    world.complete();
    expect(world.see()).toEqual(['f10']);
  });

  it.each([
    ['S2_IPA', ipa(), true],
    ['S2_IPA, leaf', ipa({ Leaf: 1 }), true],
    ['S2_IPA of another VMID', ipa({ VMID: 2 }), false],
    ['S2_IPA of another address', ipa({ Address: 0x6000 }), false],
    ['S2_IPA, range', ipa({ Address: 0x4000, TG: 1, Num: 1, TTL: 3 }), true],
    ['S2_IPA, range of another granule', ipa({ Address: 0x4000, TG: 2, Num: 1 }), false],
    ['S2_IPA, range of another level', ipa({ Address: 0, TG: 1, Num: 1, Scale: 9, TTL: 2 }), false],
    ['S12_VMALL', tlbi('TLBI_S12_VMALL', { VMID: 1 }), true],
    ['S12_VMALL of another VMID', tlbi('TLBI_S12_VMALL', { VMID: 2 }), false],
    ['NSNH_ALL', tlbi('TLBI_NSNH_ALL'), true],
    ['NH_ALL', tlbi('TLBI_NH_ALL', { VMID: 1 }), false],
    ['NH_VAA', tlbi('TLBI_NH_VAA', { VMID: 1, Address: X }), false],
    ['CFGI_STE', cfgi('CFGI_STE', { StreamID: 1 }), false],
  ] as [string, number[], boolean][])('%s: drops the entry %o', (_name, command, drops) => {
    const world = attached();
    world.mapIpa(X, P);
    world.mapIpa(X);
    world.sync(command);
    expect(world.see()).toEqual(drops ? ['f10'] : ['f10', '→400000']);
  });

  it('keeps table descriptors unless Leaf = 0', () => {
    for (const [Leaf, kept] of [
      [1, true],
      [0, false],
    ] as const) {
      const world = attached();
      world.mapIpa(X, P);
      world.word(world.middle, 0, 0);
      world.sync(ipa({ Leaf }));
      expect(world.see()).toEqual(kept ? ['f10', '→400000'] : ['f10']);
      expect(world.smmu.tableHeld(world.pages, 4096) !== undefined).toBe(kept);
    }
  });

  it('tags entries with the VMID alone: streams with one VMID share them', () => {
    const world = new StageTwoWorld([1, 2, 3].map((streamId) => ({ streamId, substream: -1, va: X })));
    world.steTwo(1);
    world.enable();
    world.mapIpa(X, P);
    world.mapIpa(X);
    world.steTwo(2);
    world.steTwo(3, { S2VMID: 2 });
    world.sync(cfgi('CFGI_STE', { StreamID: 2 }), cfgi('CFGI_STE', { StreamID: 3 }));
    expect([world.see(0), world.see(1), world.see(2)]).toEqual([['f10', '→400000'], ['f10', '→400000'], ['f10']]);
    expect(world.smmu.vmidInUse(1)?.kind).toBe('configuration');
    expect(world.smmu.vmidInUse(3)).toBeUndefined();
  });

  it('refuses a SubstreamID', () => {
    const world = new StageTwoWorld([{ streamId: 1, substream: 0, va: X }]);
    world.steTwo(1);
    world.enable();
    expect(world.see()).toEqual(['f8']);
  });

  it('goes on from blocks, and from any page of a contiguous run', () => {
    const world = attached([0x20_3000, X, 0x7000]);
    world.write(world.middle + 8, leafOfStageTwo(0x60_0000, {}, 2));
    expect(world.see()).toEqual(['→603000']);
    world.mapIpa(X, P + X, { Contiguous: 1 });
    expect([world.see(1), world.see(2)]).toEqual([['→405000'], ['f10', '→407000']]);
  });

  it('starts in concatenated tables', () => {
    const va = 2 ** 39 + 0x5000;
    const world = attached([va], { S2T0SZ: 24 });
    // The second of two tables of level 1 follows the first one: it is the table of level 2 of the first.
    world.word(world.root + 4096, 0, 0);
    const lanes = leafOfStageTwo(0x8000_0000, {}, 1);
    world.write(world.root + 4096, lanes);
    world.sync(tlbi('TLBI_NSNH_ALL'));
    expect(world.see()).toEqual(['→80005000']);
  });

  it('is disabled, and remembers, with SMMUEN', () => {
    const world = attached();
    world.mapIpa(X, P);
    world.enable(false);
    expect(world.see()).toEqual(['bypass']);
    world.mapIpa(X, P + 0x1000);
    world.mapIpa(X);
    world.enable();
    expect(world.see()).toEqual(['f10', '→400000']);
  });
});

describe('faults of stage 2', () => {
  it.each([
    ['a descriptor that is not valid', (world: StageTwoWorld) => world.mapIpa(X), EVENT.F_TRANSLATION],
    ['AF', (world: StageTwoWorld) => world.mapIpa(X, P, { AF: 0 }), EVENT.F_ACCESS],
    ['an address beyond S2PS', (world: StageTwoWorld) => world.mapIpa(X, 2 ** 47), EVENT.F_ADDR_SIZE],
  ] as [string, (world: StageTwoWorld) => void, number][])('%s', (_why, spoil, event) => {
    const world = attached([X], { S2PS: 4 });
    spoil(world);
    const result = fault(world);
    expect(result).toMatchObject({ event, stage: 2, class: EVENT_CLASS.INPUT, ipa: X, aborted: true, stalled: false });
    const record = decode(EVENT_RECORD, result.record ?? []);
    expect(record).toMatchObject({ Event: event, S2: 1, CLASS: EVENT_CLASS.INPUT, InputAddrLow: X, RnW: 1, PnU: 1 });
    expect(read(EVENT_IPA, result.record ?? [])).toBe(X);
  });

  it('an aborted fetch gives the address of the descriptor, and aborts whatever S2S says', () => {
    const world = attached([X], { S2S: 1 });
    world.link(world.middle, 0, 2, 0x100_0000);
    world.sync(tlbi('TLBI_S12_VMALL', { VMID: 1 }));
    const result = fault(world);
    expect(result).toMatchObject({ event: EVENT.F_WALK_EABT, stage: 2, class: EVENT_CLASS.INPUT, stalled: false });
    expect(result.fetchAddress).toBe(0x100_0028);
    expect(decode(EVENT_RECORD, result.record ?? [])).toMatchObject({ S2: 1, CLASS: 2, FetchAddr: 0x100_0028 });
  });

  it('an input address beyond the region is F_TRANSLATION at stage 2, beyond IAS it is F_ADDR_SIZE at stage 1', () => {
    const world = attached([2 ** 39, 2 ** 48]);
    expect(fault(world)).toMatchObject({ event: EVENT.F_TRANSLATION, stage: 2, ipa: 2 ** 39 });
    expect(fault(world, READ, 1)).toMatchObject({ event: EVENT.F_ADDR_SIZE, stage: 1, class: EVENT_CLASS.INPUT });
  });

  it.each([
    [{ S2R: 0 }, { record: undefined, aborted: true, stalled: false }],
    [
      { S2R: 0, S2S: 1 },
      { aborted: false, stalled: true },
    ],
  ])('end as S2R and S2S say: %o', (values, expected) => {
    expect(fault(attached([X], values))).toMatchObject(expected);
  });

  it('AF counts as 1 with S2AFFD', () => {
    const world = attached([X], { S2AFFD: 1 });
    world.mapIpa(X, P, { AF: 0 });
    expect(world.see()).toContain('→400000');
  });
});

describe('permissions of stage 2', () => {
  const can = (values: FieldValues<typeof STAGE2_LEAF>, features: Partial<SmmuFeatures> = {}): string => {
    const world = attached([X], {}, features);
    world.mapIpa(X, P, values);
    world.sync(ipa());
    let allowed = '';
    for (const [letter, access] of [
      ['r', READ],
      ['w', { ...READ, write: true }],
      ['x', { ...READ, instruction: true }],
      ['u', { ...READ, instruction: true, privileged: false }],
    ] as [string, Access][]) {
      const [result] = world.smmu.outcomesFor(0, access);
      if (result?.kind === 'translation') allowed += letter;
      else expect(result).toMatchObject({ event: EVENT.F_PERMISSION, stage: 2, class: EVENT_CLASS.INPUT, ipa: X });
    }
    return allowed;
  };

  it.each([
    [{ S2AP: 0, XN: 2 }, {}, ''],
    [{ S2AP: 1, XN: 2 }, {}, 'r'],
    [{ S2AP: 2, XN: 2 }, {}, 'w'],
    [{ S2AP: 3, XN: 2 }, {}, 'rw'],
    [{ S2AP: 0, XN: 0 }, {}, 'xu'],
    [{ S2AP: 1, XN: 1 }, {}, 'ru'],
    [{ S2AP: 1, XN: 3 }, {}, 'rx'],
    [{ S2AP: 1, XN: 1 }, { xnx: false }, 'rxu'],
    [{ S2AP: 1, XN: 3 }, { xnx: false }, 'r'],
  ] as [FieldValues<typeof STAGE2_LEAF>, Partial<SmmuFeatures>, string][])('%o %o: %s', (values, features, allowed) => {
    expect(can(values, features)).toBe(allowed);
  });

  it('apply after PRIVCFG and INSTCFG, and records show the attributes after them', () => {
    const world = attached([X], { PRIVCFG: 2, INSTCFG: 3 });
    world.mapIpa(X, P, { XN: 3 });
    world.sync(ipa());
    const [result] = world.smmu.outcomesFor(0, READ);
    expect(result).toMatchObject({ event: EVENT.F_PERMISSION });
    const record = result?.kind === 'fault' ? result.record : undefined;
    expect(decode(EVENT_RECORD, record ?? [])).toMatchObject({ PnU: 0, InD: 1, RnW: 1 });
  });

  it('attributes are those of stage 2, as they are', () => {
    const world = attached();
    world.mapIpa(X, P, { MemAttr: 5, SH: 3 });
    world.sync(ipa());
    expect(world.smmu.outcomesFor(0, READ)).toEqual([{ kind: 'translation', pa: P, attributes: (5 | (3 << 4)) << 8 }]);
  });
});

describe('overlapping entries of stage 2', () => {
  it.each([
    [0, ['f20', '→400000', '→605000']],
    [2, ['→400000', '→605000']],
  ] as [0 | 2, string[]][])('BBML %i', (bbml, expected) => {
    const world = attached([X], {}, { bbml });
    world.mapIpa(X, P);
    world.sync(ipa());
    world.write(world.middle, leafOfStageTwo(0x60_0000, {}, 2));
    expect(world.see()).toEqual(expected);
  });
});

describe('what is held of stage 2, in words', () => {
  it('names VMID and IPA', () => {
    const world = attached();
    world.mapIpa(X, P);
    expect(world.smmu.heldTranslations().map(({ text }) => text)).toEqual([
      '(VMID 1, IPA 0x5000 → 0x400000), walked through the stage 2 table at 0x82000',
      '(VMID 1, IPA from 0x0) → stage 2 table of level 2 at 0x81000',
      '(VMID 1, IPA from 0x0) → stage 2 table of level 3 at 0x82000',
    ]);
    expect(world.smmu.tableHeld(world.root, 8)?.text).toBe(
      '(VMID 1, IPA from 0x0) → stage 2 table of level 1 at 0x80000, from an STE',
    );
    expect(world.smmu.covers(ipa())).toHaveLength(3);
    expect(world.smmu.covers(ipa({ Leaf: 1 }))).toHaveLength(1);
    expect(world.smmu.covers(tlbi('TLBI_NH_ALL', { VMID: 1 }))).toEqual([]);
    expect(world.smmu.vmidInUse(1)?.text).toBe('StreamID 1 may be translated by stage 2 under VMID 1');
  });

  it('explains outcomes', () => {
    const world = attached();
    world.mapIpa(X, P);
    world.mapIpa(X);
    const texts = world.smmu.outcomes(0).map((outcome) => world.smmu.explain(0, outcome)[0]?.text);
    expect(texts.sort()).toEqual([
      '(VMID 1, IPA 0x5000 → 0x400000), walked through the stage 2 table at 0x82000',
      'the stage 2 descriptor at 0x82028 for IPA 0x5000, read in the table at 0x82000 (level 3)',
    ]);
  });

  it('is in use until it has been invalidated', () => {
    const world = attached();
    world.mapIpa(X, P);
    world.ste(1, { Config: 0 });
    world.mapIpa(X);
    world.sync(cfgi('CFGI_STE', { StreamID: 1 }));
    expect(world.smmu.vmidInUse(1)?.kind).toBe('translation');
    world.sync(tlbi('TLBI_S12_VMALL', { VMID: 1 }));
    expect(world.smmu.vmidInUse(1)).toBeUndefined();
    expect(world.smmu.tableHeld(world.root, 0x3000)).toBeUndefined();
  });
});
