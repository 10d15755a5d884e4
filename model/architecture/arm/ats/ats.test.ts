import { describe, expect, it } from 'vitest';
import { COMMAND_ERROR } from '../commands/command-queue.ts';
import { EVENT } from '../layout/event.ts';
import { REGISTER } from '../layout/register.ts';
import { EATS } from '../layout/ste.ts';
import { atcInv, cfgi, SYNC, TestWorld, tlbi } from '../testing/world.ts';
import type { SmmuFeatures } from '../layout/features.ts';

const X = 0x1000;
const Y = 0x2000;
const G = 0x40_0000;
const READ = { write: false, privileged: false, instruction: false };
const WRITE = { ...READ, write: true };
const CHECK = 1 << 4;

/** Stream 1 with ATS for X and Y, stream 2 with ATS for X; X mapped to G; everything on. */
function attached(
  features: Partial<SmmuFeatures> = {},
  eats: number = EATS.FULL,
  control = CHECK,
): { world: TestWorld; bottom: number } {
  const slots = [
    { streamId: 1, substream: -1, va: X, ats: true },
    { streamId: 1, substream: -1, va: Y, ats: true },
    { streamId: 2, substream: -1, va: X, ats: true },
    { streamId: 1, substream: -1, va: X + 0x10_0000 },
  ] as const;
  const world = new TestWorld(slots, { ats: true, ...features });
  const { top, bottom } = world.tree(X);
  world.map(bottom, X, G);
  for (const streamId of [1, 2]) {
    world.cd(streamId, { ASID: 5, TTB0: top });
    world.ste(streamId, { EATS: eats });
  }
  world.smmu.writeRegister(REGISTER.CR0, 9 | control);
  return { world, bottom };
}

const tlbInv = tlbi('TLBI_NH_VA', { ASID: 5, Address: X });
const inv = atcInv({ StreamID: 1, Address: X });

describe('what an ATC may hold (§3.9.1)', () => {
  it('is everything that a translation request may bring', () => {
    const { world } = attached();
    expect(world.see(0)).toEqual(['→400000', '⇒400000']);
    expect(world.see(1)).toEqual(['f10']);
    // A slot whose device does not use ATS for it.
    expect(world.see(3)).toEqual(['f10']);
  });

  it('outlives the tables, TLB invalidation and the STE', () => {
    const { world, bottom } = attached();
    world.map(bottom, X);
    world.sync(tlbi('TLBI_NSNH_ALL'));
    expect(world.see(0)).toEqual(['f10', '⇒400000']);
    world.clearCd(1);
    world.sync(cfgi('CFGI_STE', { StreamID: 1 }), tlbi('TLBI_NSNH_ALL'));
    expect(world.see(0)).toEqual(['fa', '⇒400000']);
  });

  it('goes when the invalidation of the TLB has completed before the ATC is invalidated (§4.5.1)', () => {
    const { world, bottom } = attached();
    world.map(bottom, X);
    world.sync(tlbInv);
    world.issue(inv, SYNC);
    expect(world.see(0)).toEqual(['f10', '⇒400000']);
    world.complete();
    expect(world.see(0)).toEqual(['f10']);
    expect(world.see(2)).toEqual(['f10', '⇒400000']);
  });

  it('stays stale if the ATC is invalidated before the invalidation of the TLB has completed', () => {
    const { world, bottom } = attached();
    world.map(bottom, X);
    world.sync(tlbInv, inv);
    expect(world.see(0)).toEqual(['f10', '⇒400000']);
    const { world: reversed, bottom: last } = attached();
    reversed.map(last, X);
    reversed.sync(inv, tlbInv);
    expect(reversed.see(0)).toEqual(['f10', '⇒400000']);
  });

  it('a CMD_SYNC between the two is enough: what is behind it begins when it has completed (§4.7.3)', () => {
    const { world, bottom } = attached();
    world.map(bottom, X);
    world.issue(tlbInv, SYNC, inv, SYNC);
    // Another look at the same slot must not bring the entry back.
    world.map(bottom, Y);
    world.smmu.writeRegister(REGISTER.CR0, 9 | CHECK);
    expect(world.see(0)).toEqual(['f10', '→400000', '⇒400000']);
    world.complete();
    expect(world.see(0)).toEqual(['f10']);
  });

  it('a change after that comes back', () => {
    const { world, bottom } = attached();
    world.map(bottom, X);
    world.issue(tlbInv, SYNC, inv, SYNC);
    world.map(bottom, X, G);
    world.map(bottom, X);
    world.complete();
    expect(world.see(0)).toEqual(['f10', '→400000', '⇒400000']);
  });

  it('is used without the SMMU having been asked again', () => {
    const { world, bottom } = attached();
    world.map(bottom, X);
    world.sync(tlbi('TLBI_NSNH_ALL'));
    expect(world.smmu.outcomesFor(0, WRITE)).toContainEqual({ kind: 'bypass', pa: G });
    expect(world.smmu.ats?.direct(0)).toHaveLength(1);
  });

  it('needs ATS at the endpoint, and is there again with it', () => {
    const { world } = attached();
    world.smmu.ats?.setEnabled(1, false);
    expect(world.see(0)).toEqual(['→400000']);
    expect(world.see(2)).toEqual(['→400000', '⇒400000']);
    world.smmu.ats?.setEnabled(1, true);
    expect(world.see(0)).toEqual(['→400000', '⇒400000']);
  });

  it('is nothing where ATS is not implemented', () => {
    const { world } = attached({ ats: false });
    expect(world.smmu.ats).toBeUndefined();
    expect(world.see(0)).toEqual(['→400000']);
  });

  it('steps back', () => {
    const { world, bottom } = attached();
    world.map(bottom, X);
    world.sync(tlbInv);
    const mark = world.store.mark();
    const { prod } = world;
    world.sync(inv);
    expect(world.see(0)).toEqual(['f10']);
    world.store.rollback(mark);
    world.prod = prod;
    expect(world.see(0)).toEqual(['f10', '⇒400000']);
  });

  it('is described, covered and explained', () => {
    const { world } = attached();
    expect(world.smmu.covers(inv).map(({ text }) => text)).toEqual(['(ATC of StreamID 1: 0x1000 → 0x400000)']);
    expect(world.smmu.covers(atcInv({ StreamID: 3, Size: 52 }))).toEqual([]);
    expect(world.smmu.heldTranslations().filter(({ kind }) => kind === 'ATC')).toHaveLength(2);
    for (const outcome of world.smmu.outcomes(0)) expect(world.smmu.explain(0, outcome)).not.toEqual([]);
    world.issue(inv);
    expect(world.smmu.coveredByLastCommands).toBe(1);
  });
});

describe('permissions (§13.7.1)', () => {
  it('are those of the request: an access that was not granted is not made', () => {
    const { world, bottom } = attached();
    world.map(bottom, X, G, { AP: 3 });
    world.sync(tlbInv);
    world.sync(atcInv({ StreamID: 1, Size: 52 }));
    world.map(bottom, X);
    world.sync(tlbInv);
    expect(world.smmu.outcomesFor(0, READ)).toContainEqual({ kind: 'bypass', pa: G });
    expect(world.smmu.outcomesFor(0, WRITE).map(({ kind }) => kind)).toEqual(['fault']);
  });

  it('a page that only privileged accesses reach is denied without a PASID', () => {
    const { world, bottom } = attached();
    world.map(bottom, X, G, { AP: 0 });
    world.sync(tlbInv);
    world.sync(atcInv({ StreamID: 1, Size: 52 }));
    expect(world.see(0)).toEqual(['→400000']);
    expect(world.smmu.ats?.completions(0, READ)).toEqual([{ kind: 'denied' }]);
  });
});

describe('translation requests (§3.9.1.2)', () => {
  it('are granted, denied, or aborted', () => {
    const { world, bottom } = attached();
    const granted = { kind: 'granted', address: G, read: true, execute: false };
    expect(world.smmu.ats?.completions(0, WRITE)).toEqual([{ ...granted, write: true }]);
    expect(world.smmu.ats?.completions(0, READ)).toEqual([{ ...granted, write: 'maybe' }]);
    expect(world.smmu.ats?.completions(1, READ)).toEqual([{ kind: 'denied' }]);
    world.map(bottom, Y, 2 ** 47);
    world.clearCd(2);
    world.sync(cfgi('CFGI_STE', { StreamID: 2 }));
    expect(world.smmu.ats?.completions(2, READ)).toEqual([{ kind: 'aborted' }]);
  });

  it.each([
    ['EATS 0', {}, 'unsupported', true],
    ['EATS 3 without device permission tables', { EATS: 3 }, 'unsupported', true],
    ['bypass', { Config: 4, EATS: 1 }, 'unsupported', true],
    ['abort', { Config: 0, EATS: 1 }, 'unsupported', false],
    ['an illegal STE', { V: 0, EATS: 1 }, 'aborted', undefined],
    ['a bad SubstreamID setting', { S1CDMax: 4, EATS: 1 }, 'aborted', undefined],
  ])('%s', (_name, ste, kind, recorded) => {
    const { world } = attached();
    world.ste(1, ste);
    world.sync(cfgi('CFGI_STE', { StreamID: 1 }));
    const completions = world.smmu.ats?.completions(0, READ) ?? [];
    expect(completions.map((completion) => completion.kind)).toEqual([kind]);
    const [only] = completions;
    if (only?.kind === 'unsupported') {
      expect(only.record !== undefined).toBe(recorded);
      if (recorded === true) expect((only.record?.[0] ?? 0) & 0xff).toBe(EVENT.F_BAD_ATS_TREQ);
    }
  });

  it('without translation', () => {
    const { world } = attached();
    world.smmu.writeRegister(REGISTER.CR0, 8 | CHECK);
    expect(world.smmu.ats?.completions(0, READ)).toMatchObject([{ kind: 'unsupported' }]);
    expect(world.see(0)).toEqual(['bypass', '⇒f7']);
  });

  it('where stage 1 is skipped by S1DSS are granted everything (§13.6.4)', () => {
    const { world } = attached();
    world.ste(1, { EATS: 1, S1CDMax: 4, S1DSS: 1 });
    world.sync(cfgi('CFGI_STE', { StreamID: 1 }));
    const granted = { kind: 'granted', address: X, read: true, write: true, execute: false };
    expect(world.smmu.ats?.completions(0, WRITE)).toEqual([granted]);
    world.sync(atcInv({ StreamID: 1, Size: 52 }));
    expect(world.see(0)).toEqual(['bypass', '⇒1000']);
  });
});

describe('translated accesses are judged by the configuration of now (§3.9.1.3)', () => {
  it.each([
    ['EATS 0', { EATS: 0 }, ['⇒400000', '⇒f7']],
    ['bypass', { Config: 4, EATS: 1 }, ['⇒400000', '⇒f7']],
    ['abort', { Config: 0, EATS: 1 }, ['⇒400000', '⇒abort']],
    ['an illegal STE', { V: 0, EATS: 1 }, ['⇒400000', '⇒abort']],
    ['an STE whose CD cannot be used', { EATS: 1, S1CDMax: 4 }, ['⇒400000', '⇒400000']],
  ])('%s', (_name, ste, [unchecked, checked]) => {
    for (const [control, expected] of [
      [0, unchecked],
      [CHECK, checked],
    ] as const) {
      const { world } = attached({}, EATS.FULL, control);
      world.ste(1, ste);
      world.sync(cfgi('CFGI_STE', { StreamID: 1 }));
      expect(world.see(0).filter((seen) => seen.startsWith('⇒'))).toEqual([expected]);
    }
  });

  it('ATSCHK counts from now on', () => {
    const { world } = attached({}, EATS.FULL, 0);
    world.ste(1);
    world.sync(cfgi('CFGI_STE', { StreamID: 1 }));
    expect(world.see(0)).toEqual(['→400000', '⇒400000']);
    world.smmu.writeRegister(REGISTER.CR0, 9 | CHECK);
    expect(world.see(0)).toEqual(['→400000', '⇒f7']);
  });

  it('during a change of the STE, by either', () => {
    const { world } = attached();
    world.ste(1);
    expect(world.see(0)).toEqual(['→400000', '⇒400000', '⇒f7']);
  });

  it('are checked although the SMMU gave the address long ago, and pass again with EATS', () => {
    const { world, bottom } = attached();
    world.map(bottom, X);
    world.sync(tlbInv);
    world.ste(1);
    world.sync(cfgi('CFGI_STE', { StreamID: 1 }));
    expect(world.see(0)).toEqual(['f10', '⇒f7']);
    world.ste(1, { EATS: EATS.FULL });
    world.sync(cfgi('CFGI_STE', { StreamID: 1 }));
    expect(world.see(0)).toEqual(['f10', '⇒400000']);
  });

  it('leave a record with the address that was believed to be translated (§7.3.8)', () => {
    const { world } = attached();
    world.ste(1);
    world.sync(cfgi('CFGI_STE', { StreamID: 1 }));
    const [result] = world.smmu.ats?.translated(0, 0x1_2345_6000, true) ?? [];
    expect(result).toMatchObject({ kind: 'fault', event: EVENT.F_TRANSL_FORBIDDEN, aborted: true });
    expect(result?.kind === 'fault' && result.record).toEqual([7, 1, 0, 0, 0x2345_6000, 1, 0, 0]);
  });

  it('beyond the output size are aborted or truncated (§3.9.1.1)', () => {
    const { world } = attached({ oas: 40 });
    expect(world.smmu.ats?.translated(0, 2 ** 40 + G, false)).toEqual([{ kind: 'abort' }, { kind: 'bypass', pa: G }]);
  });
});

describe('CMD_ATC_INV (§4.5.1)', () => {
  it('does nothing without translation', () => {
    const { world, bottom } = attached();
    world.map(bottom, X);
    world.sync(tlbInv);
    world.smmu.writeRegister(REGISTER.CR0, 8 | CHECK);
    world.sync(inv);
    world.smmu.writeRegister(REGISTER.CR0, 9 | CHECK);
    expect(world.see(0)).toEqual(['f10', '⇒400000']);
  });

  it('may be processed when translation has been disabled, and is then ignored', () => {
    const { world, bottom } = attached();
    world.map(bottom, X);
    world.sync(tlbInv);
    world.issue(inv, SYNC);
    world.smmu.writeRegister(REGISTER.CR0, 8 | CHECK);
    world.complete();
    world.smmu.writeRegister(REGISTER.CR0, 9 | CHECK);
    expect(world.see(0)).toEqual(['f10', '⇒400000']);
  });

  it('stops the queue at the CMD_SYNC behind it if the device does not answer (§3.9.1.4, §7.1)', () => {
    const { world, bottom } = attached();
    world.map(bottom, X);
    world.sync(tlbInv);
    world.smmu.ats?.setAnswers(1, false);
    world.issue(inv, atcInv({ StreamID: 2, Address: X }), SYNC);
    const cons = (): number => world.smmu.readRegister(REGISTER.CMDQ_CONS);
    expect([cons() >>> 24, cons() & 0xff]).toEqual([COMMAND_ERROR.ATC_INV_SYNC, world.prod - 1]);
    expect(world.smmu.readRegister(REGISTER.GERROR)).toBe(1);
    world.complete();
    expect(world.see(0)).toEqual(['f10', '⇒400000']);
    expect(world.see(2)).toEqual(['f10', '⇒400000']);
    // Acknowledged, the CMD_SYNC completes: other devices have answered, this one still has what it had.
    world.smmu.writeRegister(REGISTER.GERRORN, 1);
    world.complete();
    expect(cons() & 0xff).toBe(world.prod);
    expect(world.see(0)).toEqual(['f10', '⇒400000']);
    expect(world.see(2)).toEqual(['f10']);
    world.smmu.ats?.setAnswers(1, true);
    world.sync(inv);
    expect(world.see(0)).toEqual(['f10']);
  });

  it('without translation nobody is asked, so nobody fails to answer', () => {
    const { world } = attached();
    world.smmu.ats?.setAnswers(1, false);
    world.smmu.writeRegister(REGISTER.CR0, 8 | CHECK);
    world.sync(inv);
    expect(world.smmu.readRegister(REGISTER.GERROR)).toBe(0);
  });

  it('needs no TLB invalidation if nothing was held', () => {
    const { world } = attached();
    world.ste(1, { Config: 0 });
    world.sync(cfgi('CFGI_STE', { StreamID: 1 }));
    world.sync(inv);
    expect(world.see(0)).toEqual(['abort']);
  });
});
