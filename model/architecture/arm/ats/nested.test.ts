import { describe, expect, it } from 'vitest';
import { EVENT, EVENT_CLASS, EVENT_RECORD } from '../layout/event.ts';
import { read } from '../layout/layout.ts';
import { REGISTER } from '../layout/register.ts';
import { EATS, S1DSS } from '../layout/ste.ts';
import { StageTwoWorld } from '../testing/stage-two.ts';
import { AT, atcInv, cfgi, tlbi } from '../testing/world.ts';

const X = 0x1000;
/** Where stage 1 sends X, and where stage 2 sends that. */
const IPA = 0x18_0000;
const PA = 0x70_0000;
const OTHER = 0x71_0000;
const READ = { write: false, privileged: false, instruction: false };
const WRITE = { ...READ, write: true };
const CHECK = 1 << 4;
const atcAll = atcInv({ StreamID: 1, Size: 52 });
const ste = cfgi('CFGI_STE', { StreamID: 1 });

function attached(eats: number, control = CHECK): { world: StageTwoWorld; bottom: number } {
  const world = new StageTwoWorld([{ streamId: 1, substream: -1, va: X, ats: true }], { ats: true });
  const { top, middle, bottom } = world.tree(X);
  world.identity(AT.cds + 0x1000, top, middle, bottom);
  world.mapIpa(IPA, PA);
  world.map(bottom, X, IPA);
  world.cd(1, { ASID: 5, TTB0: top });
  world.steTwo(1, { Config: 7, EATS: eats });
  world.smmu.writeRegister(REGISTER.CR0, 9 | control);
  return { world, bottom };
}

const granted = (address: number, write: boolean) => ({
  kind: 'granted',
  address,
  read: true,
  write,
  execute: false,
});

describe('full ATS with both stages (§13.6.3)', () => {
  it('gives physical addresses, which outlive stage 2', () => {
    const { world } = attached(EATS.FULL);
    expect(world.see()).toEqual(['→700000', '⇒700000']);
    expect(world.smmu.ats?.completions(0, WRITE)).toEqual([granted(PA, true)]);
    world.mapIpa(IPA, OTHER);
    world.sync(tlbi('TLBI_NSNH_ALL'));
    expect(world.see()).toEqual(['→710000', '⇒700000', '⇒710000']);
    world.sync(atcAll);
    expect(world.see()).toEqual(['→710000', '⇒710000']);
  });

  it('grants what both stages allow', () => {
    const { world } = attached(EATS.FULL);
    world.mapIpa(IPA, PA, { S2AP: 1 });
    world.sync(tlbi('TLBI_NSNH_ALL'));
    expect(world.smmu.ats?.completions(0, WRITE)).toEqual([granted(PA, false)]);
  });

  it('denies where stage 2 faults, also at the CD, and records nothing (§3.9.1.2)', () => {
    const { world } = attached(EATS.FULL);
    world.mapIpa(IPA);
    world.sync(tlbi('TLBI_NSNH_ALL'));
    expect(world.smmu.ats?.completions(0, READ)).toEqual([{ kind: 'denied' }]);
    world.mapIpa(AT.cds + 0x1000);
    world.sync(ste, tlbi('TLBI_NSNH_ALL'));
    world.sync(ste, tlbi('TLBI_NSNH_ALL'));
    expect(world.smmu.ats?.completions(0, READ)).toEqual([{ kind: 'denied' }]);
  });

  it('gives the output of stage 2 where stage 1 is skipped (§13.6.4)', () => {
    const { world } = attached(EATS.FULL);
    world.mapIpa(X, OTHER);
    world.steTwo(1, { Config: 7, EATS: EATS.FULL, S1CDMax: 2, S1DSS: S1DSS.BYPASS });
    world.sync(ste);
    expect(world.smmu.ats?.completions(0, WRITE)).toEqual([granted(OTHER, true)]);
    world.steTwo(1, { Config: 6, EATS: EATS.FULL });
    world.sync(ste);
    expect(world.smmu.ats?.completions(0, WRITE)).toEqual([granted(OTHER, true)]);
  });
});

describe('split-stage ATS (§13.6.3)', () => {
  it('gives IPAs, which stage 2 translates when they are used', () => {
    const { world } = attached(EATS.SPLIT_STAGE);
    expect(world.smmu.ats?.completions(0, WRITE)).toEqual([granted(IPA, true)]);
    expect(world.see()).toEqual(['→700000', '⇒700000']);
    world.mapIpa(IPA, OTHER);
    world.sync(tlbi('TLBI_NSNH_ALL'));
    expect(world.see()).toEqual(['→710000', '⇒710000']);
  });

  it('faults at stage 2 are recorded with the IPA as input (§3.9.1.3)', () => {
    const { world } = attached(EATS.SPLIT_STAGE);
    world.mapIpa(IPA);
    world.sync(tlbi('TLBI_NSNH_ALL'));
    expect(world.see()).toEqual(['f10', '⇒f10']);
    const outcomes = world.smmu.outcomes(0).filter(({ kind }) => kind === 'translated');
    const [result] = outcomes.map(
      (outcome) => outcome.kind === 'translated' && world.smmu.ats?.resultOf(outcome, 0, READ),
    );
    expect(result).toMatchObject({ kind: 'fault', event: EVENT.F_TRANSLATION, aborted: true });
    const record = (result && result.kind === 'fault' && result.record) || [];
    const { InputAddrLow, S2, CLASS, SSV } = EVENT_RECORD.fields;
    expect([InputAddrLow, S2, CLASS, SSV].map((field) => read(field, record))).toEqual([IPA, 1, EVENT_CLASS.INPUT, 0]);
  });

  it('permissions of stage 2 are those of now', () => {
    const { world } = attached(EATS.SPLIT_STAGE);
    world.mapIpa(IPA, PA, { S2AP: 1 });
    world.sync(tlbi('TLBI_NSNH_ALL'));
    const [reads, writes] = [READ, WRITE].map((access) =>
      world.smmu.outcomes(0).flatMap((outcome) => {
        if (outcome.kind !== 'translated' || (outcome.granted & 16) === 0) return [];
        return [world.smmu.ats?.resultOf(outcome, 0, access)?.kind];
      }),
    );
    expect([reads, writes]).toEqual([['translation'], ['fault']]);
    expect(world.smmu.ats?.completions(0, WRITE)).toEqual([granted(IPA, false)]);
  });

  it('stage 1 still needs CMD_ATC_INV', () => {
    const { world, bottom } = attached(EATS.SPLIT_STAGE);
    world.map(bottom, X);
    world.sync(tlbi('TLBI_NSNH_ALL'));
    expect(world.see()).toEqual(['f10', '⇒700000']);
    world.sync(atcAll);
    expect(world.see()).toEqual(['f10']);
  });

  it('a CD that cannot be used does not matter to translated accesses', () => {
    const { world } = attached(EATS.SPLIT_STAGE);
    world.clearCd(1);
    world.sync(ste, tlbi('TLBI_NSNH_ALL'));
    expect(world.see()).toEqual(['fa', '⇒700000']);
  });

  it('is off without ATSCHK: what the device has been given then goes to memory as it is (§3.9.2)', () => {
    const { world } = attached(EATS.SPLIT_STAGE);
    world.smmu.writeRegister(REGISTER.CR0, 9);
    expect(world.smmu.ats?.completions(0, READ)).toMatchObject([{ kind: 'unsupported' }]);
    expect(world.see()).toEqual(['→700000', '⇒180000']);
  });

  it('a change from one mode to the other takes IPAs for physical addresses, and the reverse (§3.9.2)', () => {
    const { world } = attached(EATS.SPLIT_STAGE);
    world.steTwo(1, { Config: 7, EATS: EATS.FULL });
    world.sync(ste);
    expect(world.see()).toEqual(['→700000', '⇒180000', '⇒700000']);
    world.steTwo(1, { Config: 7, EATS: EATS.SPLIT_STAGE });
    world.sync(ste);
    expect(world.see()).toEqual(['→700000', '⇒700000', '⇒f10']);
  });

  it('goes on with another VMID, whose stage 2 it then is', () => {
    const { world } = attached(EATS.SPLIT_STAGE);
    world.steTwo(1, { Config: 7, EATS: EATS.SPLIT_STAGE, S2VMID: 2 });
    world.mapIpa(IPA, OTHER);
    world.sync(ste);
    world.sync(tlbi('TLBI_NSNH_ALL'));
    expect(world.see()).toEqual(['→710000', '⇒710000']);
  });

  it('skips stage 1 with S1DSS (§13.6.5)', () => {
    const { world } = attached(EATS.SPLIT_STAGE);
    world.sync(atcAll);
    world.mapIpa(X, OTHER);
    world.steTwo(1, { Config: 7, EATS: EATS.SPLIT_STAGE, S1CDMax: 2, S1DSS: S1DSS.BYPASS });
    world.sync(ste);
    expect(world.smmu.ats?.completions(0, WRITE)).toEqual([granted(X, true)]);
    world.sync(atcAll);
    expect(world.see()).toEqual(['→710000', '⇒710000']);
  });

  it('an address beyond the input size is an error of stage 1, any other is an IPA', () => {
    const { world } = attached(EATS.SPLIT_STAGE);
    expect(world.smmu.ats?.translated(0, 2 ** 48, false)).toMatchObject([{ kind: 'fault', event: EVENT.F_ADDR_SIZE }]);
    expect(world.smmu.ats?.translated(0, 0x18_5000, false)).toMatchObject([
      { kind: 'fault', event: EVENT.F_TRANSLATION },
    ]);
    world.mapIpa(0x18_5000, OTHER);
    expect(world.smmu.ats?.translated(0, 0x18_5000, false)).toMatchObject([{ kind: 'translation', pa: OTHER }]);
  });

  it('steps back', () => {
    const { world, bottom } = attached(EATS.SPLIT_STAGE);
    const mark = world.store.mark();
    const { prod } = world;
    world.map(bottom, X, IPA + 0x1000);
    world.mapIpa(IPA + 0x1000, OTHER);
    world.sync(tlbi('TLBI_NSNH_ALL'));
    const after = world.see();
    expect(after).toEqual(['→710000', '⇒700000', '⇒710000']);
    world.store.rollback(mark);
    world.prod = prod;
    expect(world.see()).toEqual(['→700000', '⇒700000']);
    world.map(bottom, X, IPA + 0x1000);
    world.mapIpa(IPA + 0x1000, OTHER);
    world.sync(tlbi('TLBI_NSNH_ALL'));
    expect(world.see()).toEqual(after);
  });
});
