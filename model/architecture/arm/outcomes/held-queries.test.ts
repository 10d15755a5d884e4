import { describe, expect, it } from 'vitest';
import { CD_TABLE_L1 } from '../layout/cd.ts';
import { encode } from '../layout/layout.ts';
import { REGISTER } from '../layout/register.ts';
import type { Outcome } from './outcome.ts';
import { AT, cfgi, shortly, SYNC, TestWorld, tlbi } from '../testing/world.ts';

const X = 0x1000;

function attached(va = X): { world: TestWorld; top: number; middle: number; bottom: number } {
  const world = new TestWorld([{ streamId: 1, substream: -1, va }]);
  const tables = world.tree(X);
  world.map(tables.bottom, X, 0x40_0000);
  world.cd(1, { ASID: 5, TTB0: tables.top });
  world.ste(1);
  world.enable();
  return { world, ...tables };
}

function outcome(world: TestWorld, name: string): Outcome {
  const found = world.smmu.outcomes(0).find((one) => shortly(one) === name);
  if (found === undefined) throw new Error(`no outcome ${name} among ${world.see().join()}`);
  return found;
}

const hex = (value: number): string => `0x${value.toString(16)}`;

describe('tableHeld', () => {
  it('finds tables, starts of walks and configuration, by any byte', () => {
    const { world, top, middle, bottom } = attached();
    expect(world.smmu.tableHeld(top, 1)).toMatchObject({ kind: 'start', doomed: false });
    expect(world.smmu.tableHeld(top, 1)?.text).toContain('from a CD');
    expect(world.smmu.tableHeld(middle + 4095, 1)?.kind).toBe('table');
    expect(world.smmu.tableHeld(middle + 4096, 8)).toBeUndefined();
    expect(world.smmu.tableHeld(bottom - 8, 8)).toBeUndefined();
    expect(world.smmu.tableHeld(bottom - 8, 9)?.text).toBe(`(ASID 5, from 0x0) → table of level 3 at ${hex(bottom)}`);
    expect(world.smmu.tableHeld(AT.streamTable + 64, 8)).toMatchObject({ kind: 'STE', readFrom: AT.streamTable + 64 });
    expect(world.smmu.tableHeld(AT.streamTable, 64)).toBeUndefined();
    world.ste(1, { S1CDMax: 7, S1Fmt: 1, S1DSS: 2, S1ContextPtr: 0x6_0000 });
    world.write(0x6_0000, encode(CD_TABLE_L1, { V: 1, L2Ptr: AT.cds + 0x1000 }));
    expect(world.smmu.tableHeld(0x6_0000, 8)?.text).toBe('L1CD of StreamID 1, index 0 at 0x60000');
  });
});

describe('the bytes of a structure', () => {
  it.each([
    ['STE', AT.streamTable + 64, 64],
    ['CD', AT.cds + 0x1000, 64],
    ['L1CD', 0x6_0000, 8],
    ['L1STD', 0x6_2000, 8],
  ])('%s', (kind, at, bytes) => {
    const { world } = attached();
    if (kind === 'L1CD') {
      world.write(0x6_0000, encode(CD_TABLE_L1, { V: 1, L2Ptr: 0x7_0000 }));
      world.ste(1, { S1CDMax: 7, S1Fmt: 1, S1DSS: 2, S1ContextPtr: 0x6_0000 });
    }
    if (kind === 'L1STD') {
      world.smmu.writeRegister(REGISTER.STRTAB_BASE, 0x6_2000, 0);
      world.smmu.writeRegister(REGISTER.STRTAB_BASE_CFG, 8 | (6 << 6) | (1 << 16));
    }
    for (const byte of [0, bytes - 1])
      expect(world.smmu.tableHeld(at + byte, 1)).toMatchObject({ kind, doomed: false });
    for (const byte of [-1, bytes]) expect(world.smmu.tableHeld(at + byte, 1)).toBeUndefined();
  });
});

describe('asidInUse', () => {
  it('prefers the configuration, then translations, then tables', () => {
    const { world, bottom } = attached();
    expect(world.smmu.asidInUse(5)).toMatchObject({ kind: 'configuration', asid: 5 });
    expect(world.smmu.asidInUse(5)?.text).toBe('StreamID 1 may be translated under ASID 5');
    expect(world.smmu.asidInUse(5, 1)).toBeUndefined();
    world.clearCd(1);
    world.sync(cfgi('CFGI_CD', { StreamID: 1, Leaf: 1 }));
    expect(world.smmu.asidInUse(5)).toMatchObject({ kind: 'translation', readFrom: world.entry(bottom, X) });
    world.issue(tlbi('TLBI_NH_VA', { ASID: 5, Address: X, Leaf: 1 }), SYNC);
    expect(world.smmu.asidInUse(5)?.doomed).toBe(false);
    world.map(bottom, X);
    world.sync(tlbi('TLBI_NH_VA', { ASID: 5, Address: X, Leaf: 1 }));
    expect(world.smmu.asidInUse(5)?.kind).toBe('table');
    world.sync(tlbi('TLBI_NH_ASID', { ASID: 5 }));
    expect(world.smmu.asidInUse(5)).toBeUndefined();
  });
});

describe('heldTranslations and covers', () => {
  it('list what is held and what a command would reach', () => {
    const { world, bottom } = attached();
    expect(world.smmu.heldTranslations().map(({ kind }) => kind)).toEqual(['translation', 'table', 'table']);
    expect(world.smmu.covers(tlbi('TLBI_NH_VA', { ASID: 5, Address: X, Leaf: 1 }))).toEqual([
      {
        kind: 'translation',
        text: `(ASID 5, 0x1000 → 0x400000), walked through the table at ${hex(bottom)}`,
        asid: 5,
        vmid: 0,
        readFrom: world.entry(bottom, X),
        doomed: false,
      },
    ]);
    expect(world.smmu.covers(tlbi('TLBI_NH_VA', { ASID: 6, Address: X }))).toEqual([]);
    expect(world.smmu.covers(tlbi('TLBI_NH_ALL'))).toHaveLength(3);
    expect(world.smmu.covers(cfgi('CFGI_CD', { StreamID: 1 }))).toMatchObject([{ kind: 'CD', doomed: false }]);
    expect(world.smmu.covers(SYNC)).toEqual([]);
    world.clearCd(1);
    world.issue(cfgi('CFGI_CD', { StreamID: 1 }));
    expect(world.smmu.covers(cfgi('CFGI_CD', { StreamID: 1 }))).toMatchObject([{ kind: 'CD', doomed: false }]);
    world.ste(1, { Config: 0 });
    world.issue(cfgi('CFGI_STE', { StreamID: 1 }));
    expect(world.smmu.covers(cfgi('CFGI_CD', { StreamID: 1 }))).toMatchObject([{ kind: 'CD', doomed: true }]);
  });

  it('name VMIDs, globals and blocks', () => {
    const { world, middle, bottom } = attached();
    world.map(bottom, X, 0x40_0000, { nG: 0 });
    world.ste(1, { S2VMID: 3 });
    world.map(middle, X, 0x60_0000, {}, 2);
    const texts = world.smmu.heldTranslations().map(({ text }) => text);
    expect(texts.some((text) => text.startsWith('(VMID 3, ASID 5, 0x0 → 0x600000, 2048 KiB)'))).toBe(true);
    expect(texts.some((text) => text.startsWith('(global, 0x1000 → 0x400000)'))).toBe(true);
    expect(texts.some((text) => text.startsWith('(VMID 3, ASID 5, from 0x0) → table'))).toBe(true);
  });
});

describe('what is doomed', () => {
  it('is said of translations and tables', () => {
    const { world, middle, bottom } = attached();
    const doomed = (): boolean[] => world.smmu.heldTranslations().map((held) => held.doomed);
    expect(doomed()).toEqual([false, false, false]);
    world.map(bottom, X);
    world.issue(tlbi('TLBI_NH_VA', { ASID: 5, Address: X, Leaf: 1 }));
    expect(doomed()).toEqual([true, false, false]);
    world.link(middle, X, 2);
    world.issue(tlbi('TLBI_NH_ALL'));
    expect(doomed()).toEqual([true, false, true]);
    expect(world.smmu.tableHeld(bottom, 8)?.doomed).toBe(true);
  });

  it('is not listed any more when it has gone', () => {
    const { world } = attached();
    world.smmu.writeRegister(REGISTER.STRTAB_BASE, 0x5_0000, 0);
    const ste = cfgi('CFGI_STE', { StreamID: 1, Leaf: 1 });
    const addresses = (): number[] => world.smmu.covers(ste).map(({ readFrom }) => readFrom);
    expect(addresses()).toEqual([AT.streamTable + 64, AT.cds + 0x1000, 0x5_0000 + 64]);
    world.sync(ste);
    expect(addresses()).toEqual([0x5_0000 + 64]);
    expect(world.smmu.explain(0, outcome(world, 'f4'))[0]?.readFrom).toEqual([0x5_0000 + 64]);
  });
});

describe('explain', () => {
  it('names what is held of several that led there', () => {
    const { world, middle, bottom } = attached();
    const other = world.table();
    world.map(other, X, 0x40_0000);
    world.link(middle, X, 2, other);
    expect(world.smmu.explain(0, outcome(world, '→400000'))).toHaveLength(2);
    world.sync(tlbi('TLBI_NH_ALL'));
    const [source, ...more] = world.smmu.explain(0, outcome(world, '→400000'));
    expect(more).toEqual([]);
    expect(source?.text).toContain(hex(other));
    world.map(bottom, X);
    world.map(other, X);
    const faults = world.smmu.explain(0, outcome(world, 'f10'));
    expect(faults.map(({ readFrom }) => readFrom.at(-1))).toEqual([world.entry(other, X)]);
  });

  it('names the first descriptor of a walk', () => {
    const { world, top } = attached();
    world.link(top, X, 1);
    world.sync(tlbi('TLBI_NH_ALL'));
    const way = world.smmu.explain(0, outcome(world, 'f10')).map(({ readFrom }) => readFrom);
    expect(way).toEqual([[world.entry(top, X, 1)]]);
  });

  it('names the way to the descriptor that faults', () => {
    const { world, top, middle, bottom } = attached();
    world.map(bottom, X);
    const way = [world.entry(top, X, 1), world.entry(middle, X, 2), world.entry(bottom, X)];
    expect(world.smmu.explain(0, outcome(world, 'f10'))[0]?.readFrom).toEqual(way);
  });

  it('names the CD for the fault that it makes, and for no other', () => {
    const { world, top, bottom } = attached();
    world.map(bottom, X, 0x50_0000);
    world.map(bottom, X);
    world.cd(1, { ASID: 5, TTB0: top, EPD0: 1 });
    world.sync(cfgi('CFGI_CD', { StreamID: 1, Leaf: 1 }));
    const texts = (name: string): string[] => world.smmu.explain(0, outcome(world, name)).map(({ text }) => text);
    expect(texts('f10')).toContain('the CD of StreamID 1');
    expect(texts('f20')).not.toContain('the CD of StreamID 1');
    expect(texts('→400000')).toHaveLength(1);
  });

  it('names the structures of the stream meant', () => {
    const world = new TestWorld([1, 2].map((streamId) => ({ streamId, substream: 0, va: X })));
    for (const streamId of [1, 2]) world.ste(streamId, { S1CDMax: 1 });
    world.enable();
    expect(world.smmu.explain(0, outcome(world, 'fa'))).toEqual([
      {
        text: 'the configuration of StreamID 1, SubstreamID 0',
        readFrom: [AT.streamTable + 64, AT.cds + 0x1000],
      },
    ]);
  });

  it('names the held entry and the descriptors on the way', () => {
    const { world, top, middle, bottom } = attached();
    const [source] = world.smmu.explain(0, outcome(world, '→400000'));
    expect(source?.readFrom).toEqual([world.entry(top, X, 1), world.entry(middle, X, 2), world.entry(bottom, X)]);
  });

  it('names the descriptor that faults', () => {
    const { world, bottom, middle } = attached();
    world.map(bottom, X);
    expect(world.smmu.explain(0, outcome(world, 'f10'))[0]?.text).toBe(
      `the descriptor at ${hex(world.entry(bottom, X))}, read in the table at ${hex(bottom)} (level 3)`,
    );
    world.link(middle, X, 2);
    expect(world.smmu.explain(0, outcome(world, 'f10'))).toHaveLength(2);
  });

  it('names the CD where no walk is made', () => {
    const { world } = attached(2 ** 40);
    expect(world.smmu.explain(0, outcome(world, 'f10'))).toEqual([
      { text: 'the CD of StreamID 1', readFrom: [AT.streamTable + 64, AT.cds + 0x1000] },
    ]);
  });

  it('names the configuration that refuses or bypasses', () => {
    const { world } = attached();
    world.clearCd(1);
    expect(world.smmu.explain(0, outcome(world, 'fa'))[0]).toMatchObject({
      text: 'the configuration of StreamID 1',
      readFrom: [AT.streamTable + 64, AT.cds + 0x1000],
    });
    world.ste(1, { Config: 4 });
    expect(world.smmu.explain(0, outcome(world, 'bypass'))[0]?.text).toBe('StreamID 1 bypasses translation');
    expect(world.smmu.explain(99, outcome(world, 'bypass'))).toEqual([]);
  });

  it('names the entries in conflict', () => {
    const { world, bottom } = attached();
    world.map(bottom, X, 0x50_0000);
    expect(world.smmu.explain(0, outcome(world, 'f20')).map(({ text }) => text.slice(0, 27))).toEqual([
      '(ASID 5, 0x1000 → 0x400000)',
      '(ASID 5, 0x1000 → 0x500000)',
    ]);
  });

  it('names the SubstreamID', () => {
    const world = new TestWorld([{ streamId: 1, substream: 2, va: X }]);
    world.ste(1);
    world.enable();
    expect(world.smmu.explain(0, outcome(world, 'f8'))[0]?.text).toBe('the configuration of StreamID 1, SubstreamID 2');
  });
});
