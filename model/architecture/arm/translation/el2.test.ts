import { describe, expect, it } from 'vitest';
import { coversTlb, decodeCommand, type TlbTarget } from '../commands/invalidation.ts';
import { FULL_FEATURES, type SmmuFeatures } from '../layout/features.ts';
import type { STE } from '../layout/ste.ts';
import { STREAM_WORLD } from '../layout/ste.ts';
import type { CD } from '../layout/cd.ts';
import type { COMMAND_TLBI, OPCODE } from '../layout/command.ts';
import type { FieldValues } from '../layout/layout.ts';
import { REGISTER } from '../layout/register.ts';
import { cfgi, TestWorld, tlbi } from '../testing/world.ts';
import { EL2, EL2_E2H, spaceName } from './stream-world.ts';

const X = 0x1000;
const G = 0x40_0000;
const HIGH = 2 ** 64 - 4096;
const USER_READ = { write: false, privileged: false, instruction: false };
const E2H = 1;

/** Stream 1 in an EL2 world with ASID 5, stream 2 in EL1 with ASID 5; both by one tree of tables. */
function attached(e2h = 0, cd: FieldValues<typeof CD> = {}): { world: TestWorld; bottom: number } {
  const slots = [
    { streamId: 1, substream: -1, va: X },
    { streamId: 2, substream: -1, va: X },
    { streamId: 1, substream: -1, va: HIGH },
  ];
  const world = new TestWorld(slots, { hyp: true });
  world.smmu.writeRegister(REGISTER.CR2, 2 | e2h);
  const { top, bottom } = world.tree(X);
  world.map(bottom, X, G);
  world.cd(1, { ASID: 5, TTB0: top, ...cd });
  world.cd(2, { ASID: 5, TTB0: top });
  const el2: FieldValues<typeof STE> = { STRW: STREAM_WORLD.EL2, S2VMID: 7 };
  world.ste(1, el2);
  world.ste(2);
  world.enable();
  return { world, bottom };
}

describe('streams of EL2 (§3.17, STRW)', () => {
  it.each([
    ['EL2', 0],
    ['EL2-E2H', E2H],
  ])('%s has entries of its own, which commands of EL1 do not cover', (_name, e2h) => {
    const { world, bottom } = attached(e2h);
    expect([world.see(0), world.see(1)]).toEqual([['→400000'], ['→400000']]);
    world.map(bottom, X);
    world.sync(tlbi('TLBI_NSNH_ALL'), tlbi('TLBI_NH_ALL'), tlbi('TLBI_NH_ALL', { VMID: 7 }));
    expect([world.see(0), world.see(1)]).toEqual([['f10', '→400000'], ['f10']]);
    world.sync(tlbi('TLBI_EL2_ALL'));
    expect(world.see(0)).toEqual(['f10']);
  });

  it('commands of EL2 do not cover entries of EL1', () => {
    const { world, bottom } = attached();
    world.map(bottom, X);
    world.sync(tlbi('TLBI_EL2_ALL'), tlbi('TLBI_EL2_VA', { ASID: 5, Address: X }));
    expect([world.see(0), world.see(1)]).toEqual([['f10'], ['f10', '→400000']]);
  });

  it('EL2 has no ASIDs: an address goes whatever the ASID, by ASID nothing need go (§4.4.2.8, §4.4.2.10)', () => {
    const { world, bottom } = attached();
    world.map(bottom, X);
    world.sync(tlbi('TLBI_EL2_ASID', { ASID: 5 }), tlbi('TLBI_EL2_ASID'));
    expect(world.see(0)).toEqual(['f10', '→400000']);
    world.sync(tlbi('TLBI_EL2_VA', { ASID: 9, Address: X }));
    expect(world.see(0)).toEqual(['f10']);
  });

  it('EL2-E2H has ASIDs', () => {
    const { world, bottom } = attached(E2H);
    world.map(bottom, X);
    world.sync(tlbi('TLBI_EL2_VA', { ASID: 9, Address: X }), tlbi('TLBI_EL2_ASID', { ASID: 9 }));
    expect(world.see(0)).toEqual(['f10', '→400000']);
    world.sync(tlbi('TLBI_EL2_ASID', { ASID: 5 }));
    expect(world.see(0)).toEqual(['f10']);
  });

  it('in EL2 every access is privileged, and what may be written may be executed (§13.4.1)', () => {
    const kinds = (e2h: number): string[] => {
      const { world } = attached(e2h);
      const execute = { ...USER_READ, privileged: true, instruction: true };
      return [USER_READ, execute].map((access) => world.smmu.outcomesFor(0, access)[0]?.kind ?? '');
    };
    expect(kinds(E2H)).toEqual(['translation', 'fault']);
    expect(kinds(0)).toEqual(['translation', 'translation']);
    const { world, bottom } = attached();
    world.map(bottom, X, G, { AP: 0 });
    world.sync(tlbi('TLBI_EL2_ALL'));
    expect(world.smmu.outcomesFor(0, USER_READ).map(({ kind }) => kind)).toEqual(['translation']);
    world.map(bottom, X, G, { AP: 2, UXN: 1 });
    world.sync(tlbi('TLBI_EL2_ALL'));
    const results = [
      { ...USER_READ, write: true },
      { ...USER_READ, instruction: true },
    ];
    for (const access of results) expect(world.smmu.outcomesFor(0, access).map(({ kind }) => kind)).toEqual(['fault']);
  });

  it('WXN holds in EL2, PAN does not', () => {
    const { world } = attached(0, { WXN: 1, PAN: 1 });
    const execute = { ...USER_READ, instruction: true };
    expect(world.smmu.outcomesFor(0, execute).map(({ kind }) => kind)).toEqual(['fault']);
    const read = { ...USER_READ, privileged: true };
    expect(world.smmu.outcomesFor(0, read).map(({ kind }) => kind)).toEqual(['translation']);
  });

  it('EL2 has neither TTB1, nor EPD0, nor global entries (§5.4)', () => {
    const { world } = attached(0, { EPD0: 1, EPD1: 0, TTB1: 2 ** 47, TG1: 0, ASID: 0x1ff });
    expect([world.see(0), world.see(2)]).toEqual([['→400000'], ['f10']]);
    const { world: host } = attached(E2H, { EPD0: 1 });
    expect(host.see(0)).toEqual(['f10']);
    const { world: other, bottom } = attached();
    other.map(bottom, X, G, { nG: 0 });
    other.sync(tlbi('TLBI_EL2_ALL'), tlbi('TLBI_NSNH_ALL'));
    other.map(bottom, X);
    other.sync(tlbi('TLBI_NH_VAA', { Address: X }));
    expect(other.see(0)).toEqual(['f10', '→400000']);
  });

  it('E2H is read when the SMMU is enabled (§6.3.12)', () => {
    const { world } = attached();
    world.smmu.writeRegister(REGISTER.CR2, 2 | E2H);
    expect(world.smmu.heldTranslations().some(({ text }) => text.startsWith('(EL2, '))).toBe(true);
    world.enable(false);
    world.smmu.writeRegister(REGISTER.CR2, 2 | E2H);
    world.enable();
    world.sync(cfgi('CFGI_STE', { StreamID: 1 }));
    expect(world.smmu.heldTranslations().some(({ text }) => text.startsWith('(EL2-E2H, '))).toBe(true);
    expect(world.smmu.asidInUse(0)).toBeUndefined();
  });

  it('has a name', () => expect([0, 3, EL2].map(spaceName)).toEqual(['', 'VMID 3, ', 'EL2, ']));
});

describe('CMD_TLBI_EL2_* (§4.4.2)', () => {
  const target = (vmid: number, asid: number): TlbTarget => ({
    stage: 1,
    vmid,
    asid,
    page: 1,
    pages: 1,
    sourcePage: 1,
    granule: 12,
    level: 3,
    leaf: true,
  });

  function covers(
    name: keyof typeof OPCODE,
    values: FieldValues<typeof COMMAND_TLBI>,
    e2h: boolean,
    of: TlbTarget,
    features: Partial<SmmuFeatures> = {},
  ): boolean | string {
    const command = decodeCommand({ ...FULL_FEATURES, hyp: true, ...features }, tlbi(name, values), e2h);
    return command.kind === 'tlb' ? coversTlb(command, of) : command.kind;
  }

  it('are illegal without EL2', () => {
    for (const name of ['TLBI_EL2_ALL', 'TLBI_EL2_ASID', 'TLBI_EL2_VA', 'TLBI_EL2_VAA'] as const)
      expect(covers(name, {}, false, target(0, 0), { hyp: false })).toBe('illegal');
  });

  it.each([
    ['TLBI_EL2_VA', false, [true, false]],
    ['TLBI_EL2_VA', true, [false, true]],
    ['TLBI_EL2_VAA', false, [true, false]],
    ['TLBI_EL2_VAA', true, [false, true]],
    ['TLBI_EL2_ALL', false, [true, true]],
    ['TLBI_EL2_ALL', true, [true, true]],
    ['TLBI_EL2_ASID', false, [false, true]],
    ['TLBI_EL2_ASID', true, [false, true]],
  ] as const)('%s with E2H = %s', (name, e2h, expected) => {
    const targets = [target(EL2, 0), target(EL2_E2H, 5)];
    expect(targets.map((of) => covers(name, { ASID: 5, Address: X }, e2h, of))).toEqual(expected);
  });

  it('ignore the VMID, take ranges, and cover global entries by address only', () => {
    const values = { VMID: 0x1ff, ASID: 5, Address: X };
    const small = { vmid16: false, stage2: false };
    expect(covers('TLBI_EL2_VA', values, true, target(EL2_E2H, 5), small)).toBe(true);
    expect(covers('TLBI_EL2_VA', { ...values, ASID: 0x105 }, true, target(EL2_E2H, 5), { asid16: false })).toBe('none');
    expect(covers('TLBI_EL2_VA', { ...values, Address: 0, TG: 1, Num: 1 }, true, target(EL2_E2H, 5))).toBe(true);
    expect(covers('TLBI_EL2_VA', values, true, target(EL2_E2H, -1))).toBe(true);
    expect(covers('TLBI_EL2_ASID', values, true, target(EL2_E2H, -1))).toBe(false);
    expect(covers('TLBI_EL2_VAA', values, true, target(EL2_E2H, 9))).toBe(true);
    expect(covers('TLBI_NSNH_ALL', {}, false, target(EL2, 0))).toBe(false);
    expect(covers('TLBI_EL2_ALL', {}, false, target(0, 5))).toBe(false);
  });
});
