import { describe, expect, it } from 'vitest';
import { AP, STAGE2_LEAF } from '../../layout/descriptor.ts';
import { EVENT, EVENT_CLASS, EVENT_IPA, EVENT_RECORD } from '../../layout/event.ts';
import { decode, read, type FieldValues } from '../../layout/layout.ts';
import type { Access, FaultResult } from '../../outcomes/event-record.ts';
import { leafOfStageTwo, nest, StageTwoWorld, type Nested } from '../../testing/stage-two.ts';
import { AT, cfgi, leafLanes, SYNC, tlbi } from '../../testing/world.ts';

const X = 0x1000;
/** Where stage 1 sends X, and where stage 2 sends that. */
const I = 0x6000;
const P = 0x40_0000;
const READ: Access = { write: false, privileged: true, instruction: false };

const va = (values: Record<string, number> = {}): number[] =>
  tlbi('TLBI_NH_VA', { VMID: 1, ASID: 5, Address: X, ...values });
const ipa = (Address = I, values: Record<string, number> = {}): number[] =>
  tlbi('TLBI_S2_IPA', { VMID: 1, Address, ...values });
const ALL_OF_VM = tlbi('TLBI_S12_VMALL', { VMID: 1 });
const NH_ALL = tlbi('TLBI_NH_ALL', { VMID: 1 });

/** X is mapped to I by stage 1, and I to P by stage 2. */
function mapped(addresses: number[] = [X], features = {}): Nested {
  const nested = nest(addresses, {}, features);
  nested.world.map(nested.bottom, X, I);
  nested.world.mapIpa(I, P);
  nested.world.sync(ALL_OF_VM);
  return nested;
}

function fault(world: StageTwoWorld, access: Access = READ): FaultResult {
  const results = world.smmu.outcomesFor(0, access);
  expect(results).toHaveLength(1);
  const [result] = results;
  if (result?.kind !== 'fault') throw new Error(`not a fault: ${result?.kind}`);
  return result;
}

describe('nested translation', () => {
  it('composes both stages', () => {
    const { world } = mapped();
    expect(world.see()).toEqual(['→400000']);
    expect(world.smmu.outcomes(0)[0]).toMatchObject({ pa: P, stage2: { ipa: I } });
  });

  it('keeps a combined entry after S2_IPA, until stage 1 maintenance (§4.4.3.1)', () => {
    const { world } = mapped();
    world.mapIpa(I);
    world.sync(ipa());
    expect(world.see()).toEqual(['f10', '→400000']);
    world.sync(va({ Leaf: 1 }));
    expect(world.see()).toEqual(['f10']);
  });

  it('makes the combined entry again from an entry of stage 2 that stage 1 maintenance does not reach', () => {
    const { world } = mapped();
    world.mapIpa(I);
    world.sync(NH_ALL);
    expect(world.see()).toEqual(['f10', '→400000']);
    world.sync(ipa());
    world.sync(NH_ALL);
    expect(world.see()).toEqual(['f10']);
  });

  it.each([
    ['S2_IPA; SYNC; NH_ALL; SYNC', [[ipa()], [NH_ALL]], true],
    ['S2_IPA; NH_ALL; SYNC: the old entry of stage 2 may be used once more', [[ipa(), NH_ALL]], false],
    ['NH_ALL; SYNC; S2_IPA; SYNC', [[NH_ALL], [ipa()]], false],
    ['S2_IPA; SYNC; NH_VAA; SYNC', [[ipa()], [tlbi('TLBI_NH_VAA', { VMID: 1, Address: X, Leaf: 1 })]], true],
    ['S2_IPA; SYNC; NH_VA of another ASID; SYNC', [[ipa()], [va({ ASID: 6 })]], false],
    ['S2_IPA; SYNC; NH_ALL of another VMID; SYNC', [[ipa()], [tlbi('TLBI_NH_ALL', { VMID: 2 })]], false],
    ['S2_IPA of another page; SYNC; NH_ALL; SYNC', [[ipa(0x7000)], [NH_ALL]], false],
    ['S12_VMALL; SYNC', [[ALL_OF_VM]], true],
    ['NSNH_ALL; SYNC', [[tlbi('TLBI_NSNH_ALL')]], true],
  ] as [string, number[][][], boolean][])('%s', (_name, syncs, drops) => {
    const { world } = mapped();
    world.mapIpa(I);
    for (const commands of syncs) world.sync(...commands);
    expect(world.see()).toEqual(drops ? ['f10'] : ['f10', '→400000']);
  });

  it('tags combined entries with ASID, or as global', () => {
    const { world, bottom } = mapped();
    world.map(bottom, X);
    world.sync(tlbi('TLBI_NH_ASID', { VMID: 1, ASID: 6 }));
    expect(world.see()).toEqual(['f10', '→400000']);
    world.sync(tlbi('TLBI_NH_ASID', { VMID: 1, ASID: 5 }));
    expect(world.see()).toEqual(['f10']);
    world.map(bottom, X, I, { nG: 0 });
    world.map(bottom, X);
    world.sync(tlbi('TLBI_NH_ASID', { VMID: 1, ASID: 5 }));
    expect(world.see()).toEqual(['f10', '→400000']);
    world.sync(va({ ASID: 9, Leaf: 1 }));
    expect(world.see()).toEqual(['f10']);
  });

  it('follows a change of stage 2 below a stage 1 that stays, also for IPAs that nobody names', () => {
    const { world } = mapped([X], { bbml: 2 });
    world.mapIpa(I, P + 0x1000);
    expect(world.see()).toEqual(['→400000', '→401000']);
  });

  it('splits blocks of stage 1 by pages of stage 2, and an invalidation of any address of the block covers all', () => {
    const Y = 0x3000;
    const { world, middle } = mapped([X, Y]);
    world.write(world.entry(middle, X, 2), leafLanes(0, {}, 2));
    world.mapIpa(X, P + X);
    world.mapIpa(Y, P + 0x9000);
    world.sync(ALL_OF_VM);
    expect([world.see(0), world.see(1)]).toEqual([['→401000'], ['→409000']]);
    expect(world.smmu.outcomes(1)[0]).toMatchObject({ stage2: { ipa: Y } });
    world.link(middle, X, 2);
    world.sync(va({ Address: Y, Leaf: 1 }));
    expect([world.see(0), world.see(1)]).toEqual([['f10'], ['f10']]);
  });

  it('goes no further through a block of stage 1 than a page of stage 2 does', () => {
    const next = X + 0x1000;
    const { world, middle } = mapped([X, next]);
    world.write(world.entry(middle, X, 2), leafLanes(0, {}, 2));
    world.mapIpa(X, P + X);
    world.sync(ALL_OF_VM);
    expect([world.see(0), world.see(1)]).toEqual([['→401000'], ['f10']]);
  });

  it('takes small pieces of large blocks of stage 2', () => {
    const { world, bottom } = mapped();
    world.write(world.middle + 8, leafOfStageTwo(0x60_0000, {}, 2));
    world.map(bottom, X, 0x20_7000);
    world.sync(ALL_OF_VM);
    expect(world.see()).toEqual(['→607000']);
    expect(world.smmu.heldTranslations()[1]?.text).toBe(
      '(VMID 1, ASID 5, 0x1000 → IPA 0x207000 → 0x607000), of both stages',
    );
  });

  it('may report overlapping combined entries as a conflict, with BBML below 2', () => {
    for (const bbml of [0, 2] as const) {
      const { world } = mapped([X], { bbml });
      world.mapIpa(I, P + 0x1000);
      const conflicts = world.smmu.outcomes(0).filter(({ kind }) => kind === 'fault');
      // The combined entries are in conflict, and so are those of stage 2 that they were made of.
      expect(conflicts.map((one) => 'stage2' in one && one.stage2?.ipa)).toEqual(bbml === 0 ? [undefined, I] : []);
      expect(world.see()).toEqual(expect.arrayContaining(['→400000', '→401000']));
    }
  });
});

describe('stage 1 tables behind stage 2', () => {
  it('are read where stage 2 has them', () => {
    const { world, bottom } = mapped([X], { bbml: 2 });
    const moved = world.table();
    world.map(moved, X, 0x7000);
    world.mapIpa(0x7000, P + 0x7000);
    world.mapIpa(bottom, moved);
    expect(world.see()).toEqual(['→400000', '→407000']);
    world.sync(ipa(bottom));
    world.sync(NH_ALL);
    expect(world.see()).toEqual(['→407000']);
    expect(world.smmu.tableHeld(bottom, 4096)).toBeUndefined();
  });

  it('may be read at the old place after S2_IPA, until stage 1 maintenance of table descriptors', () => {
    const { world, bottom } = mapped();
    world.mapIpa(bottom);
    world.sync(ipa(bottom));
    expect(world.smmu.tableHeld(bottom, 4096)?.text).toContain('of both stages');
    world.map(bottom, X, 0x7000);
    world.mapIpa(0x7000, P + 0x7000);
    world.sync(va({ Leaf: 1 }));
    expect(world.see()).toEqual(['f10', '→407000']);
    // A write where the combined entry reads is seen, and a fault there too.
    world.map(bottom, X, 0x8000);
    world.mapIpa(0x8000, P + 0x8000);
    expect(world.see()).toContain('→408000');
    world.sync(va());
    expect(world.smmu.tableHeld(bottom, 4096)).toBeUndefined();
    expect(fault(world)).toMatchObject({ stage: 2, class: EVENT_CLASS.TABLE });
  });

  it('are not read where stage 2 refuses reads', () => {
    const { world, bottom } = mapped();
    world.mapIpa(bottom, bottom, { S2AP: 2 });
    world.sync(ALL_OF_VM);
    const result = fault(world);
    expect(result).toMatchObject({ event: EVENT.F_PERMISSION, stage: 2, class: EVENT_CLASS.TABLE, ipa: bottom + 8 });
    expect(decode(EVENT_RECORD, result.record ?? [])).toMatchObject({ S2: 1, CLASS: 1, TTRnW: 1, RnW: 1 });
    expect(read(EVENT_IPA, result.record ?? [])).toBe(bottom);
  });

  it.each([
    [{ MemAttr: 0 }, {}, { S2PTW: 1 }, false],
    [{ MemAttr: 3 }, {}, { S2PTW: 1 }, false],
    [{ MemAttr: 3 }, {}, {}, true],
    [{ MemAttr: 5 }, {}, { S2PTW: 1 }, true],
    [{ MemAttr: 3 }, { fwb: true }, { S2PTW: 1, S2FWB: 1 }, false],
    [{ MemAttr: 6 }, { fwb: true }, { S2PTW: 1, S2FWB: 1 }, true],
    [{ MemAttr: 8 }, { fwb: true }, { S2PTW: 1, S2FWB: 1 }, false],
    [{ MemAttr: 8 }, { fwb: false }, { S2PTW: 1, S2FWB: 1 }, true],
  ] as [FieldValues<typeof STAGE2_LEAF>, object, object, boolean][])(
    'in memory with %o, features %o, STE with %o: read %o',
    (values, features, ste, allowed) => {
      const { world, bottom } = mapped([X], features);
      world.steTwo(1, { Config: 7, ...ste });
      world.mapIpa(bottom, bottom, values);
      world.sync(cfgi('CFGI_STE', { StreamID: 1 }));
      world.sync(ALL_OF_VM);
      if (allowed) expect(world.see()).toEqual(['→400000']);
      else expect(fault(world)).toMatchObject({ event: EVENT.F_PERMISSION, stage: 2, class: EVENT_CLASS.TABLE });
    },
  );

  it.each([
    ['not mapped', (world: StageTwoWorld, at: number) => world.mapIpa(at), EVENT.F_TRANSLATION],
    ['AF', (world: StageTwoWorld, at: number) => world.mapIpa(at, at, { AF: 0 }), EVENT.F_ACCESS],
  ] as [string, (world: StageTwoWorld, at: number) => void, number][])('stage 2: %s', (_why, spoil, event) => {
    for (const name of ['top', 'middle', 'bottom'] as const) {
      const nested = mapped();
      spoil(nested.world, nested[name]);
      nested.world.sync(ALL_OF_VM);
      const result = fault(nested.world);
      const entry = nested.world.entry(nested[name], X, { top: 1, middle: 2, bottom: 3 }[name]);
      expect(result).toMatchObject({ event, stage: 2, class: EVENT_CLASS.TABLE, ipa: entry });
      expect(read(EVENT_IPA, result.record ?? [])).toBe(nested[name]);
    }
  });

  it('aborts are of stage 1 if the descriptor is not there, and of stage 2 if its descriptor is not', () => {
    const { world, bottom } = mapped();
    world.mapIpa(bottom, 0x100_0000);
    world.sync(ALL_OF_VM);
    expect(fault(world)).toMatchObject({ event: EVENT.F_WALK_EABT, stage: 1, class: 1, fetchAddress: 0x100_0008 });
    world.link(world.middle, 0, 2, 0x100_0000);
    world.sync(ALL_OF_VM);
    const cd = (AT.cds + 0x1000) / 4096;
    const expected = { event: EVENT.F_WALK_EABT, stage: 2, class: 1, ipa: world.entry(world.root, 0) };
    world.sync(cfgi('CFGI_CD', { StreamID: 1, Leaf: 1 }));
    expect(fault(world)).toMatchObject({ ...expected, class: 0, ipa: cd * 4096, fetchAddress: 0x100_0000 + 8 * cd });
  });

  it('must lie within the IPA size: else stage 1 says F_ADDR_SIZE, stage 2 F_TRANSLATION', () => {
    const { world, middle } = mapped();
    world.link(middle, X, 2, 2 ** 40);
    world.sync(NH_ALL);
    expect(fault(world)).toMatchObject({ event: EVENT.F_TRANSLATION, stage: 2, class: 1, ipa: 2 ** 40 + 8 });
    world.replaceCd(1, { ASID: 5, TTB0: world.memory.low(AT.cds + 0x1008) >>> 0, IPS: 1 });
    world.sync(NH_ALL);
    expect(fault(world)).toMatchObject({ event: EVENT.F_ADDR_SIZE, stage: 1, class: 2, ipa: 0 });
  });
});

describe('the order of faults (§7.3.22)', () => {
  const results = (access: Access): object => {
    const { world, bottom } = mapped();
    world.map(bottom, X, I, { AP: AP.PRIVILEGED_RO });
    world.mapIpa(I, P, { S2AP: 2 });
    world.sync(ALL_OF_VM);
    return fault(world, access);
  };

  it('a permission of stage 1 comes before one of stage 2', () => {
    expect(results({ ...READ, write: true })).toMatchObject({ event: EVENT.F_PERMISSION, stage: 1, ipa: 0 });
    expect(results(READ)).toMatchObject({ event: EVENT.F_PERMISSION, stage: 2, class: EVENT_CLASS.INPUT, ipa: I });
  });

  it('a permission of stage 1 comes before any fault of its output', () => {
    const { world, bottom } = mapped();
    world.map(bottom, X, I, { AP: AP.PRIVILEGED_RO });
    world.mapIpa(I);
    world.sync(ALL_OF_VM);
    expect(fault(world, { ...READ, write: true })).toMatchObject({ event: EVENT.F_PERMISSION, stage: 1 });
    const result = fault(world);
    expect(result).toMatchObject({ event: EVENT.F_TRANSLATION, stage: 2, class: EVENT_CLASS.INPUT, ipa: I });
    expect(read(EVENT_IPA, result.record ?? [])).toBe(I);
  });

  it('each stage has its own end of faults', () => {
    const { world, bottom } = mapped();
    world.steTwo(1, { Config: 7, S2S: 1 });
    world.sync(cfgi('CFGI_STE', { StreamID: 1 }));
    world.mapIpa(I);
    world.sync(ALL_OF_VM);
    expect(fault(world)).toMatchObject({ stage: 2, stalled: true });
    world.map(bottom, X);
    world.sync(NH_ALL);
    expect(fault(world)).toMatchObject({ stage: 1, stalled: false, aborted: true });
  });

  it('faults of stage 1 come before stage 2 is asked for the output', () => {
    const { world, bottom } = mapped();
    world.map(bottom, X, 0x9000, { AF: 0 });
    world.sync(ALL_OF_VM);
    expect(fault(world)).toMatchObject({ event: EVENT.F_ACCESS, stage: 1, class: EVENT_CLASS.INPUT });
  });
});

describe('stage 1 that is off or bypassed', () => {
  it('S1DSS = 1 sends accesses without SubstreamID to stage 2', () => {
    const { world } = mapped();
    world.steTwo(1, { Config: 7, S1CDMax: 1, S1DSS: 1 });
    world.sync(cfgi('CFGI_STE', { StreamID: 1 }));
    world.mapIpa(X, P + 0x5000);
    world.sync(ALL_OF_VM);
    expect(world.see()).toEqual(['→405000']);
    expect(world.smmu.outcomes(0)[0]).toMatchObject({ stage2: { ipa: X, first: 63 } });
  });

  it('a stage-1-only stream with the same VMID and ASID shares entries with a nested one (§3.17)', () => {
    const { world } = mapped();
    world.steTwo(1, { Config: 5 });
    world.sync(cfgi('CFGI_STE', { StreamID: 1 }));
    expect(world.see()).toContain('→400000');
    world.sync(ALL_OF_VM);
    expect(world.see()).toEqual(['→6000']);
  });
});

describe('doomed entries', () => {
  it('a table of stage 1 read through a doomed translation is fresh, as stage 2 maintenance does not cover it', () => {
    const { world, bottom } = mapped();
    world.mapIpa(bottom);
    world.issue(ipa(bottom));
    world.sync(NH_ALL, SYNC);
    expect(world.smmu.tableHeld(bottom, 4096)?.doomed).toBe(false);
    world.sync(NH_ALL);
    expect(world.smmu.tableHeld(bottom, 4096)).toBeUndefined();
  });

  it('what is read through a doomed stage 1 goes with it, although stage 2 is fresh', () => {
    const { world, middle, bottom } = mapped();
    world.link(middle, X, 2);
    world.issue(va());
    world.map(bottom, X, 0x7000);
    world.mapIpa(0x7000, P + 0x7000);
    expect(world.see()).toContain('→407000');
    world.sync();
    expect(world.see()).toEqual(['f10']);
  });

  it('S12_VMALL dooms both stages at once', () => {
    const { world } = mapped();
    world.mapIpa(I);
    world.issue(ALL_OF_VM);
    expect(world.see()).toEqual(['f10', '→400000']);
    world.sync();
    expect(world.see()).toEqual(['f10']);
  });
});
