import { describe, expect, it } from 'vitest';
import { EVENT } from '../layout/event.ts';
import { REGISTER } from '../layout/register.ts';
import { EATS, S1DSS } from '../layout/ste.ts';
import { PERMISSION } from '../outcomes/outcome.ts';
import { atcInv, cfgi, TestWorld, tlbi } from '../testing/world.ts';
import { grantedBy } from './response.ts';

const X = 0x1000;
const G = 0x40_0000;
const H = 0x50_0000;
const READ = { write: false, privileged: false, instruction: false };
const { PR, PW, PX, UR, UW, UX } = PERMISSION;

/** Stream 1 with ATS: X without PASID (slot 0) and with PASID 1, 2 and 9 (slots 1 to 3); two CDs, X mapped in both. */
function attached(s1dss: number = S1DSS.BYPASS): { world: TestWorld; bottoms: number[] } {
  const slots = [-1, 1, 2, 9].map((substream) => ({ streamId: 1, substream, va: X, ats: true as const }));
  const world = new TestWorld(slots, { ats: true });
  const bottoms = [];
  for (const [index, pa] of [
    [1, G],
    [2, H],
  ] as const) {
    const { top, bottom } = world.tree(X);
    world.map(bottom, X, pa);
    world.cd(1, { ASID: 4 + index, TTB0: top }, index);
    bottoms.push(bottom);
  }
  world.ste(1, { EATS: EATS.FULL, S1CDMax: 2, S1DSS: s1dss });
  world.smmu.writeRegister(REGISTER.CR0, 9 | (1 << 4));
  return { world, bottoms };
}

describe('translation requests with a PASID (§3.9.1)', () => {
  it('bring what the CD of the PASID says; without one, what S1DSS says', () => {
    const { world } = attached();
    expect([0, 1, 2, 3].map((slot) => world.see(slot))).toEqual([
      ['bypass', '⇒1000'],
      ['→400000', '⇒400000'],
      ['→500000', '⇒500000'],
      ['f8'],
    ]);
    expect(world.smmu.ats?.completions(3, READ)).toEqual([{ kind: 'aborted' }]);
  });

  it('without a PASID are aborted where S1DSS terminates', () => {
    const { world } = attached(S1DSS.TERMINATE);
    expect(world.see(0)).toEqual(['f6']);
    expect(world.smmu.ats?.completions(0, READ)).toEqual([{ kind: 'aborted' }]);
  });

  it('entries of one PASID stay when another is invalidated, and go when all are', () => {
    const { world, bottoms } = attached();
    for (const bottom of bottoms) world.map(bottom, X);
    world.sync(tlbi('TLBI_NSNH_ALL'));
    world.sync(atcInv({ StreamID: 1, SSV: 1, SubstreamID: 1, Size: 52 }));
    expect([0, 1, 2].map((slot) => world.see(slot))).toEqual([['bypass', '⇒1000'], ['f10'], ['f10', '⇒500000']]);
    world.sync(atcInv({ StreamID: 1, Size: 52 }));
    expect([0, 1, 2].map((slot) => world.see(slot))).toEqual([['bypass', '⇒1000'], ['f10'], ['f10']]);
  });

  it('entries outlive the CD of their PASID, and changes of S1DSS', () => {
    const { world } = attached();
    world.clearCd(1, 1);
    world.ste(1, { EATS: EATS.FULL, S1CDMax: 2, S1DSS: S1DSS.TERMINATE });
    world.sync(cfgi('CFGI_STE', { StreamID: 1 }), tlbi('TLBI_NSNH_ALL'));
    expect([0, 1].map((slot) => world.see(slot))).toEqual([
      ['f6', '⇒1000'],
      ['fa', '⇒400000'],
    ]);
  });

  it('are refused with the PASID in the record (§7.3.6)', () => {
    const { world } = attached();
    world.ste(1, { S1CDMax: 2 });
    world.sync(cfgi('CFGI_STE', { StreamID: 1 }));
    const [refused] = world.smmu.ats?.completions(2, READ) ?? [];
    expect(refused?.kind === 'unsupported' && refused.record?.slice(0, 2)).toEqual([
      EVENT.F_BAD_ATS_TREQ | (1 << 11) | (2 << 12),
      1,
    ]);
    // A PASID beyond S1CDMax changes nothing of that: EATS is looked at first.
    expect(world.smmu.ats?.completions(3, READ)).toMatchObject([{ kind: 'unsupported' }]);
  });

  it('privilege and execution count with a PASID only', () => {
    const { world, bottoms } = attached();
    world.map(bottoms[0] as number, X, G, { AP: 0, PXN: 0, UXN: 1 });
    world.sync(tlbi('TLBI_NSNH_ALL'));
    world.sync(atcInv({ StreamID: 1, Size: 52 }));
    const asked = { write: true, privileged: true, instruction: true };
    const granted = { kind: 'granted', address: G, read: true, write: true, execute: true };
    expect(world.smmu.ats?.completions(1, asked)).toEqual([granted]);
    expect(world.smmu.ats?.completions(1, { ...asked, instruction: false })).toEqual([{ ...granted, execute: false }]);
    expect(world.smmu.ats?.completions(1, { ...asked, privileged: false })).toEqual([{ kind: 'denied' }]);
    world.map(bottoms[0] as number, X);
    world.sync(tlbi('TLBI_NSNH_ALL'));
    const access = { write: true, privileged: true, instruction: false };
    expect(world.smmu.outcomesFor(1, access)).toContainEqual({ kind: 'bypass', pa: G });
    expect(world.smmu.outcomesFor(1, { ...access, privileged: false }).map(({ kind }) => kind)).toEqual(['fault']);
  });
});

describe('granted permissions (§13.7, §13.7.1)', () => {
  const privcfg = { none: 0, unprivileged: 2, privileged: 3 } as const;
  const data = 2 << 2;
  const instruction = 3 << 2;
  it.each([
    ['User-RO, Priv-RW, executable', UR | PR | PW | UX | PX, 0, UR | UX | PR | PW | PX],
    ['execute-only for users', UX | PR | PW, 0, PR | PW],
    ['INSTCFG = data: what can be read can be executed', UR | PW, data, UR | UX | PW],
    ['INSTCFG = instruction: what can be executed can be read', UX | PR, instruction, UX | UR],
    ['PRIVCFG = privileged', UR | PR | PW, privcfg.privileged, UR | UW | PR | PW],
    ['PRIVCFG = unprivileged', UR | PR | PW, privcfg.unprivileged, UR | PR],
    ['nothing', 0, 0, 0],
  ])('%s', (_name, permissions, override, granted) => {
    expect(grantedBy(permissions, override, true)).toBe(granted);
    expect(grantedBy(permissions, override, false)).toBe(granted & (UR | UW));
  });
});
