import { describe, expect, it } from 'vitest';
import { REGISTER } from '../layout/register.ts';
import { EATS, S1DSS } from '../layout/ste.ts';
import { atcInv, cfgi, SYNC, TestWorld, tlbi } from '../testing/world.ts';

const X = 0x1000;
const G = 0x40_0000;
const H = 0x50_0000;
const ANY = { write: true, privileged: true, instruction: true };
const CHECK = 1 << 4;

const tlbInv = tlbi('TLBI_NH_VA', { ASID: 5, Address: X });
const inv = atcInv({ StreamID: 1, Size: 52 });

interface Attached {
  readonly world: TestWorld;
  readonly top: number;
  readonly bottom: number;
}

/** Stream 1 with ATS for X, which is mapped to G, under a substream or without. */
function attached(substream = -1): Attached {
  const world = new TestWorld([{ streamId: 1, substream, va: X, ats: true }], { ats: true, oas: 40 });
  const { top, bottom } = world.tree(X);
  world.map(bottom, X, G);
  world.cd(1, { ASID: 5, TTB0: top });
  world.ste(1, substream < 0 ? { EATS: EATS.FULL } : { EATS: EATS.FULL, S1CDMax: 1, S1DSS: S1DSS.BYPASS });
  world.smmu.writeRegister(REGISTER.CR0, 9 | CHECK);
  return { world, top, bottom };
}

describe('translation requests', () => {
  it('without a PASID are for unprivileged data, whatever they ask for (§13.7)', () => {
    const { world } = attached();
    const granted = { kind: 'granted', address: G, read: true, write: true, execute: false };
    expect(world.smmu.ats?.completions(0, ANY)).toEqual([granted]);
  });

  it('with PASID 0 ask for privilege and execution like those with any other', () => {
    const { world, bottom } = attached(0);
    world.map(bottom, X, G, { AP: 0, UXN: 1 });
    world.sync(tlbInv);
    const granted = { kind: 'granted', address: G, read: true, write: true, execute: true };
    expect(world.smmu.ats?.completions(0, ANY)).toEqual([granted]);
    expect(world.smmu.ats?.completions(0, { ...ANY, privileged: false })).toEqual([{ kind: 'denied' }]);
  });

  it('end in each way once, however many configurations lead there', () => {
    const { world, top } = attached();
    world.cd(1, { ASID: 6, TTB0: top });
    expect(world.see()).toEqual(['→400000', '⇒400000']);
    expect(world.smmu.ats?.completions(0, ANY)).toMatchObject([{ kind: 'granted', address: G }]);
    world.clearCd(1);
    world.ste(1, { V: 0 });
    const kinds = world.smmu.ats?.completions(0, ANY).map(({ kind }) => kind);
    expect(kinds?.filter((kind) => kind === 'aborted')).toEqual(['aborted']);
  });
});

describe('what a device holds', () => {
  it('is every answer that it may get, also a second one for the same page', () => {
    const { world, bottom } = attached();
    world.map(bottom, X, H);
    // F_TLB_CONFLICT is what an access that is not translated may meet besides.
    expect(world.see()).toEqual(['f20', '→400000', '→500000', '⇒400000', '⇒500000']);
  });

  it('explains the outcomes that come of it, each by its own entry', () => {
    const { world, bottom } = attached();
    world.map(bottom, X, H);
    const translated = world.smmu.outcomes(0).filter(({ kind }) => kind === 'translated');
    const texts = translated.map((outcome) => world.smmu.ats?.explain(0, outcome).map(({ text }) => text));
    expect(texts).toEqual([['(ATC of StreamID 1: 0x1000 → 0x400000)'], ['(ATC of StreamID 1: 0x1000 → 0x500000)']]);
  });

  it('is named without ASID, and was not read from memory', () => {
    const { world } = attached();
    expect(world.smmu.ats?.held()).toMatchObject([{ kind: 'ATC', asid: -1, readFrom: -1, doomed: false }]);
  });

  it('stays if a request may bring it behind the CMD_ATC_INV, although nobody asks later (§4.7.3)', () => {
    const { world, bottom } = attached();
    world.issue(tlbInv, SYNC, inv, SYNC);
    expect(world.smmu.ats?.held().map(({ doomed }) => doomed)).toEqual([false]);
    world.smmu.ats?.setEnabled(1, false);
    expect(world.smmu.ats?.enabled(1)).toBe(false);
    world.complete();
    world.map(bottom, X);
    world.sync(tlbInv);
    world.smmu.ats?.setEnabled(1, true);
    expect(world.smmu.ats?.enabled(1)).toBe(true);
    expect(world.see()).toEqual(['f10', '⇒400000']);
  });
});

describe('a translated access', () => {
  it('may be truncated from the first address that is beyond the output size on (§3.9.1.1)', () => {
    const { world } = attached();
    const last = 2 ** 40 - 4096;
    expect(world.smmu.ats?.translated(0, last, false)).toEqual([{ kind: 'bypass', pa: last }]);
    expect(world.smmu.ats?.translated(0, 2 ** 40, false)).toEqual([{ kind: 'abort' }, { kind: 'bypass', pa: 0 }]);
  });

  it('is made where the STE is cached, until that is invalidated', () => {
    const { world } = attached();
    world.ste(1);
    expect(world.see()).toEqual(['→400000', '⇒400000', '⇒f7']);
    world.sync(cfgi('CFGI_STE', { StreamID: 1 }));
    expect(world.see()).toEqual(['→400000', '⇒f7']);
  });
});
