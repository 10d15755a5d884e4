import { describe, expect, test } from 'vitest';
import { invalidationOf, type TlbMaintenance } from '../cpu/maintenance.ts';
import type { SmmuFeatures } from '../layout/features.ts';
import { REGISTER } from '../layout/register.ts';
import { nest, StageTwoWorld } from '../testing/stage-two.ts';
import { EL2, EL2_E2H } from '../translation/stream-world.ts';
import { attach, cfgi, TestWorld, tlbi, type Attached } from '../testing/world.ts';

const VA = 0x1000;
const PAGE = 0x40_0000;
const OLD = '→400000';

/** A CPU executes a TLBI and a DSB. */
function broadcast(world: TestWorld, maintenance: TlbMaintenance): void {
  world.smmu.dvm.invalidate(invalidationOf(maintenance), 2);
  world.smmu.dvm.complete(1 << 2);
}

/** A stream with stage 1 alone; what its page was is left in the TLB. */
function stale(
  cd: Parameters<typeof attach>[1] = {},
  features: Partial<SmmuFeatures> = {},
  ste: Parameters<TestWorld['ste']>[1] = {},
  global = false,
): Attached {
  const made = attach([VA], cd, { btm: true, ...features });
  made.world.ste(1, ste);
  made.world.sync(cfgi('CFGI_STE', { StreamID: 1 }));
  made.world.map(made.bottom, VA, PAGE, global ? { nG: 0 } : {});
  made.world.map(made.bottom, VA);
  return made;
}

const BY_ASID: readonly TlbMaintenance[] = [
  { kind: 'VAE1', vmid: 1, asid: 5, va: VA },
  { kind: 'VALE1', vmid: 1, asid: 5, va: VA },
  { kind: 'ASIDE1', vmid: 1, asid: 5 },
];
const WITHOUT_ASID: readonly TlbMaintenance[] = [
  { kind: 'VAAE1', vmid: 1, va: VA },
  { kind: 'VAALE1', vmid: 1, va: VA },
  { kind: 'VMALLE1', vmid: 1 },
  { kind: 'VMALLS12E1', vmid: 1 },
  { kind: 'ALLE1' },
];
const OF_OTHERS: readonly TlbMaintenance[] = [
  { kind: 'VAE1', vmid: 1, asid: 6, va: VA },
  { kind: 'VAE1', vmid: 2, asid: 5, va: VA },
  { kind: 'VAE1', vmid: 1, asid: 5, va: 0x2000 },
  { kind: 'ASIDE1', vmid: 1, asid: 6 },
  { kind: 'ASIDE1', vmid: 2, asid: 5 },
  { kind: 'VMALLE1', vmid: 2 },
  { kind: 'VMALLS12E1', vmid: 2 },
  { kind: 'IPAS2E1', vmid: 1, ipa: VA },
];

describe('an entry of stage 1 (§3.17)', () => {
  const withAset = (ASET: number, maintenance: TlbMaintenance, global = false): string[] => {
    const { world } = stale({ ASET }, {}, { S2VMID: 1 }, global);
    broadcast(world, maintenance);
    return world.see();
  };

  test.each(BY_ASID)('goes by ASID with ASET = 0 alone: $kind', (maintenance) => {
    expect(withAset(0, maintenance)).toEqual(['f10']);
    expect(withAset(1, maintenance)).toEqual(['f10', OLD]);
  });

  test.each(WITHOUT_ASID)('goes with either ASET: $kind', (maintenance) => {
    expect(withAset(0, maintenance)).toEqual(['f10']);
    expect(withAset(1, maintenance)).toEqual(['f10']);
  });

  test.each(OF_OTHERS)('stays if another is meant: %o', (maintenance) => {
    expect(withAset(0, maintenance)).toEqual(['f10', OLD]);
    expect(withAset(1, maintenance)).toEqual(['f10', OLD]);
  });

  test('that is global goes by address and any ASID with ASET = 0, by address with either, and never by ASID', () => {
    const other: TlbMaintenance = { kind: 'VAE1', vmid: 1, asid: 6, va: VA };
    expect([0, 1].map((aset) => withAset(aset, other, true).length)).toEqual([1, 2]);
    const any: TlbMaintenance = { kind: 'VAAE1', vmid: 1, va: VA };
    expect([0, 1].map((aset) => withAset(aset, any, true).length)).toEqual([1, 1]);
    const all: TlbMaintenance = { kind: 'ASIDE1', vmid: 1, asid: 5 };
    expect([0, 1].map((aset) => withAset(aset, all, true).length)).toEqual([2, 2]);
  });

  test.each([
    tlbi('TLBI_NH_ASID', { VMID: 1, ASID: 5 }),
    tlbi('TLBI_NH_VA', { VMID: 1, ASID: 5, Address: VA, Leaf: 1 }),
  ])('goes by a command whatever its ASET: %o', (...command) => {
    const { world } = stale({ ASET: 1 }, {}, { S2VMID: 1 });
    world.sync(command);
    expect(world.see()).toEqual(['f10']);
  });

  test('that CDs with ASET = 0 and ASET = 1 may both have made outlives a broadcast by ASID', () => {
    const { world, bottom, top } = attach([VA], {}, { btm: true });
    world.map(bottom, VA, PAGE);
    world.replaceCd(1, { ASID: 5, ASET: 1, TTB0: top });
    world.map(bottom, VA);
    broadcast(world, { kind: 'ASIDE1', asid: 5 });
    expect(world.see()).toEqual(['f10', OLD]);
    world.sync(tlbi('TLBI_NH_ASID', { ASID: 5 }));
    expect(world.see()).toEqual(['f10']);
  });

  test('that a CD with ASET = 1 has made serves the same ASID with ASET = 0', () => {
    const { world, top } = stale({ ASET: 1 });
    world.replaceCd(1, { ASID: 5, TTB0: top });
    broadcast(world, { kind: 'ASIDE1', asid: 5 });
    expect(world.see()).toEqual(['f10', OLD]);
  });
});

describe('walk caches (§3.21.1)', () => {
  const unlinked = (cd: Parameters<typeof attach>[1] = {}): TestWorld => {
    const { world, middle, bottom } = attach([VA], cd, { btm: true });
    world.link(middle, VA, 2);
    world.map(bottom, VA, PAGE);
    return world;
  };

  test('are covered by address, unless only the last level is meant', () => {
    const world = unlinked();
    broadcast(world, { kind: 'VALE1', asid: 5, va: VA });
    expect(world.see()).toEqual(['f10', OLD]);
    broadcast(world, { kind: 'VAE1', asid: 5, va: VA });
    expect(world.see()).toEqual(['f10']);
  });

  test('opt out with ASET = 1 as leaves do', () => {
    const world = unlinked({ ASET: 1 });
    broadcast(world, { kind: 'VAE1', asid: 5, va: VA });
    expect(world.see()).toEqual(['f10', OLD]);
    broadcast(world, { kind: 'VAAE1', va: VA });
    expect(world.see()).toEqual(['f10']);
  });
});

describe('stage 2', () => {
  const DATA = 0x6000;
  /** Stream 1 nested and stream 2 with stage 2 alone: what the IPA of their page was is left. */
  const nested = (cd: Parameters<typeof nest>[1] = {}): StageTwoWorld => {
    const { world, bottom } = nest([VA], cd, { btm: true }, [{ streamId: 2, substream: -1, va: DATA }]);
    world.steTwo(2);
    world.sync(cfgi('CFGI_STE', { StreamID: 2 }));
    world.map(bottom, VA, DATA);
    world.mapIpa(DATA, PAGE);
    world.mapIpa(DATA);
    return world;
  };

  test('entries go by IPA, combined ones do not (§4.4.3.1)', () => {
    const world = nested({ ASET: 1 });
    broadcast(world, { kind: 'IPAS2LE1', vmid: 1, ipa: DATA });
    expect([world.see(0), world.see(1)]).toEqual([['f10', OLD], ['f10']]);
    broadcast(world, { kind: 'VMALLE1', vmid: 1 });
    expect(world.see(0)).toEqual(['f10']);
  });

  test('entries have no ASET; all of a VMID goes at once', () => {
    for (const kind of ['VMALLS12E1', 'VMALLE1'] as const) {
      const world = nested({ ASET: 1 });
      broadcast(world, { kind, vmid: 1 });
      const stays = kind === 'VMALLE1' ? ['f10', OLD] : ['f10'];
      expect([world.see(0), world.see(1)]).toEqual([stays, stays]);
    }
  });

  test('is not meant by VMALLE1, whatever is executed before it or after it', () => {
    const world = nested();
    for (const kind of ['VMALLE1', 'VMALLS12E1', 'VMALLE1'] as const) {
      world.mapIpa(DATA, PAGE);
      world.mapIpa(DATA);
      broadcast(world, { kind, vmid: 1 });
      expect(world.see(1)).toEqual(kind === 'VMALLE1' ? ['f10', OLD] : ['f10']);
    }
  });

  test('entries of another VMID, or at another IPA, stay', () => {
    const world = nested();
    broadcast(world, { kind: 'IPAS2E1', vmid: 2, ipa: DATA });
    broadcast(world, { kind: 'IPAS2E1', vmid: 1, ipa: 0x7000 });
    broadcast(world, { kind: 'VMALLS12E1', vmid: 2 });
    broadcast(world, { kind: 'ASIDE1', vmid: 1, asid: 5 });
    expect([world.see(0), world.see(1)]).toEqual([
      ['f10', OLD],
      ['f10', OLD],
    ]);
  });

  test('entries of a stage-2-only SMMU are affected by what is of both stages, and no entry by stage 1 (§3.17)', () => {
    const slots = [{ streamId: 2, substream: -1, va: DATA }];
    const world = new StageTwoWorld(slots, { btm: true, stage1: false });
    world.mapIpa(DATA, PAGE);
    world.steTwo(2);
    world.enable();
    world.mapIpa(DATA);
    broadcast(world, { kind: 'VMALLE1', vmid: 1 });
    expect(world.see()).toEqual(['f10', OLD]);
    broadcast(world, { kind: 'ALLE1' });
    expect(world.see()).toEqual(['f10']);
  });
});

describe('VMIDs', () => {
  test('without stage 2 entries have VMID 0, whatever S2VMID says', () => {
    const { world } = stale({}, { stage2: false }, { S2VMID: 1 });
    broadcast(world, { kind: 'VMALLE1', vmid: 1 });
    broadcast(world, { kind: 'IPAS2E1', vmid: 0, ipa: VA });
    expect(world.see()).toEqual(['f10', OLD]);
    broadcast(world, { kind: 'VMALLS12E1', vmid: 0 });
    expect(world.see()).toEqual(['f10']);
  });

  test('of 8 bits need not match those of 16 bits (§3.17.4)', () => {
    const { world } = stale({}, { vmid16: false, asid16: false }, { S2VMID: 1 });
    broadcast(world, { kind: 'VMALLE1', vmid: 0x101 });
    broadcast(world, { kind: 'ASIDE1', vmid: 1, asid: 0x105 });
    expect(world.see()).toEqual(['f10', OLD]);
  });

  test.each([0, 1])('EL2 has none, so that no maintenance of EL1 reaches it, E2H = %i (§3.17.5)', (e2h) => {
    const made = attach([VA], {}, { btm: true, hyp: true });
    const { world, bottom } = made;
    world.enable(false);
    world.smmu.writeRegister(REGISTER.CR2, 2 | e2h);
    world.enable();
    world.ste(1, { STRW: 2 });
    world.sync(cfgi('CFGI_STE', { StreamID: 1 }), tlbi('TLBI_NSNH_ALL'));
    world.map(bottom, VA, PAGE);
    world.map(bottom, VA);
    for (const maintenance of [...BY_ASID, ...WITHOUT_ASID])
      broadcast(world, { ...maintenance, vmid: 0 } as TlbMaintenance);
    expect(world.see()).toContain(OLD);
    world.sync(tlbi('TLBI_EL2_ALL'));
    expect(world.see()).not.toContain(OLD);
  });
});

describe.each([
  ['EL2', 0, EL2],
  ['EL2-E2H', 1, EL2_E2H],
] as const)('a broadcast of %s', (_name, e2h, regime) => {
  /** An entry of the regime, after a broadcast by a CPU of EL2. */
  const after = (ASET: number, by: TlbMaintenance, of: number): string[] => {
    const { world, bottom } = attach([VA], { ASET }, { btm: true, hyp: true });
    world.enable(false);
    world.smmu.writeRegister(REGISTER.CR2, 2 | e2h);
    world.ste(1, { STRW: 2 });
    world.sync(cfgi('CFGI_STE', { StreamID: 1 }), tlbi('TLBI_NSNH_ALL'));
    world.enable();
    world.map(bottom, VA, PAGE);
    world.map(bottom, VA);
    world.smmu.dvm.invalidate({ ...invalidationOf(by), vmid: of }, 2);
    world.smmu.dvm.complete(1 << 2);
    return world.see().filter((outcome) => outcome === OLD);
  };

  test('reaches entries of its own regime alone (§3.17.5)', () => {
    expect(after(0, { kind: 'VAAE1', va: VA }, regime)).toEqual([]);
    expect(after(0, { kind: 'VAAE1', va: VA }, regime === EL2 ? EL2_E2H : EL2)).toEqual([OLD]);
  });

  test('may miss entries with ASET = 1 by ASID, and in EL2 by address, but not those of all (§3.17, §16.7.7)', () => {
    const [address, asid, all] = [
      { kind: 'VAAE1', va: VA },
      { kind: 'VAE1', va: VA, asid: 5 },
      { kind: 'VMALLE1' },
    ] as const;
    expect(after(1, address, regime)).toEqual(regime === EL2 ? [OLD] : []);
    expect(after(1, asid, regime)).toEqual([OLD]);
    expect(after(1, all, regime)).toEqual([]);
  });
});

describe('what broadcasts do not reach', () => {
  test('configuration caches', () => {
    const { world } = attach([VA], {}, { btm: true });
    world.clearCd(1);
    broadcast(world, { kind: 'ALLE1' });
    expect(world.see()).toEqual(['f10', 'fa']);
    world.sync(cfgi('CFGI_CD', { StreamID: 1, Leaf: 1 }));
    expect(world.see()).toEqual(['fa']);
  });

  test('ATCs: a device keeps what it was given, but is given no more', () => {
    const world = new TestWorld([{ streamId: 1, substream: -1, va: VA, ats: true }], { btm: true, ats: true });
    const { top, bottom } = world.tree(VA);
    world.cd(1, { ASID: 5, TTB0: top });
    world.ste(1, { EATS: 1 });
    world.enable();
    world.map(bottom, VA, PAGE);
    world.map(bottom, VA);
    broadcast(world, { kind: 'ALLE1' });
    expect(world.see()).toContain('⇒400000');
    expect(world.see()).not.toContain(OLD);
  });
});

describe('SMMUEN and PTM', () => {
  test('a broadcast acts while translation is disabled, and nothing is read then (§6.3.9.6)', () => {
    const { world, bottom } = attach([VA], {}, { btm: true });
    world.map(bottom, VA, PAGE);
    world.enable(false);
    broadcast(world, { kind: 'VALE1', asid: 5, va: VA });
    world.map(bottom, VA);
    world.enable();
    expect(world.see()).toEqual(['f10']);
  });

  test('nor does a command bring back what it takes away while translation is disabled', () => {
    const { world, bottom } = attach([VA], {}, { btm: true });
    world.map(bottom, VA, PAGE);
    world.enable(false);
    world.sync(tlbi('TLBI_NH_VA', { ASID: 5, Address: VA, Leaf: 1 }));
    world.map(bottom, VA);
    world.enable();
    expect(world.see()).toEqual(['f10']);
  });

  test('a change of PTM counts from the next SMMUEN = 1 on, and until then nothing is sure to go (§6.3.12.1)', () => {
    const { world } = stale();
    world.enable(false);
    world.smmu.writeRegister(REGISTER.CR2, 2 | 4);
    world.smmu.writeRegister(REGISTER.CR2, 2);
    expect(world.smmu.broadcast).toBe('permitted');
    broadcast(world, { kind: 'ALLE1' });
    world.enable();
    expect([world.smmu.broadcast, ...world.see()]).toEqual(['required', 'f10', OLD]);
    broadcast(world, { kind: 'ALLE1' });
    expect(world.see()).toEqual(['f10']);
  });

  test('what was ignored does not act when PTM is changed before the DSB', () => {
    const { world } = stale();
    const participate = (yes: boolean): void => {
      world.enable(false);
      world.smmu.writeRegister(REGISTER.CR2, yes ? 2 : 2 | 4);
      world.enable();
    };
    participate(false);
    world.smmu.dvm.invalidate(invalidationOf({ kind: 'ALLE1' }), 2);
    participate(true);
    world.smmu.dvm.complete(1 << 2);
    expect(world.see()).toEqual(['f10', OLD]);
  });

  test('nothing of stage 1 is read through stage 2 while translation is disabled', () => {
    const [DATA, OTHER] = [0x6000, 0x7000];
    const { world, bottom } = nest([VA], {}, { btm: true });
    world.identity(DATA, OTHER);
    world.map(bottom, VA, DATA);
    world.enable(false);
    world.map(bottom, VA, OTHER);
    broadcast(world, { kind: 'IPAS2E1', vmid: 1, ipa: bottom });
    world.map(bottom, VA, DATA);
    world.enable();
    expect(world.see()).toEqual(['→6000']);
  });

  test('a DSB does not wait for an SMMU that has stopped to take part, whose number may mean another TLBI then', () => {
    const { world } = stale();
    world.smmu.dvm.invalidate(invalidationOf({ kind: 'ALLE1' }), 2);
    world.enable(false);
    world.smmu.writeRegister(REGISTER.CR2, 4);
    world.smmu.dvm.complete(1 << 2);
    world.smmu.writeRegister(REGISTER.CR2, 0);
    world.enable();
    broadcast(world, { kind: 'ASIDE1', asid: 6 });
    expect(world.see()).toEqual(['f10', OLD]);
  });
});
