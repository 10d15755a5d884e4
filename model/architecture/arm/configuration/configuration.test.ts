import { describe, expect, it } from 'vitest';
import { CD_TABLE_L1 } from '../layout/cd.ts';
import { COMMAND_CFGI_STE_RANGE, OPCODE } from '../layout/command.ts';
import { encode } from '../layout/layout.ts';
import { REGISTER } from '../layout/register.ts';
import { AT, cdLanes, cfgi, TestWorld, tlbi } from '../testing/world.ts';

const X = 0x1000;
const ALL = encode(COMMAND_CFGI_STE_RANGE, { Opcode: OPCODE.CFGI_STE_RANGE, Range: 31 });

/** One stream (ID 1) and its tables: X at 0x400000. */
function world(features = {}, substreams = [-1]): { world: TestWorld; top: number; bottom: number } {
  const made = new TestWorld(
    substreams.map((substream) => ({ streamId: 1, substream, va: X })),
    features,
  );
  const { top, bottom } = made.tree(X);
  made.map(bottom, X, 0x40_0000);
  return { world: made, top, bottom };
}

/** Another tree, where X is at `pa`. */
function otherTree(made: TestWorld, pa: number): number {
  const { top, bottom } = made.tree(X);
  made.map(bottom, X, pa);
  return top;
}

describe('with the SMMU disabled', () => {
  it('bypasses, aborts beyond the output size, or aborts all by GBPA', () => {
    const made = new TestWorld([
      { streamId: 1, substream: -1, va: X },
      { streamId: 1, substream: -1, va: 2 ** 48 },
    ]);
    expect([made.see(0), made.see(1)]).toEqual([['bypass'], ['abort']]);
    made.smmu.writeRegister(REGISTER.GBPA, 0x8010_0000);
    expect([made.see(0), made.see(1)]).toEqual([['abort'], ['abort']]);
    expect(made.smmu.readRegister(REGISTER.GBPA)).toBe(0x10_0000);
  });

  it('fetches nothing, but forgets nothing', () => {
    const { world: made, top, bottom } = world();
    made.cd(1, { ASID: 5, TTB0: top });
    made.ste(1);
    expect(made.smmu.asidInUse(5)).toBeUndefined();
    made.enable();
    made.enable(false);
    expect(made.see()).toEqual(['bypass']);
    expect(made.smmu.asidInUse(5)?.kind).toBe('translation');
    made.map(bottom, X, 0x40_1000);
    made.map(bottom, X);
    made.enable();
    expect(made.see()).toEqual(['f10', '→400000']);
  });

  it('walks again from held tables when it is enabled', () => {
    const { world: made, top, bottom } = world();
    made.cd(1, { ASID: 5, TTB0: top });
    made.ste(1);
    made.enable();
    made.enable(false);
    made.clearCd(1);
    made.map(bottom, X, 0x40_2000);
    made.enable();
    // The cached CD and its table may still be used, and the table has been written.
    expect(made.see()).toEqual(['f20', 'fa', '→400000', '→402000']);
  });
});

describe('the STE', () => {
  it('gives each of its configurations', () => {
    const { world: made } = world({}, [-1, 0]);
    made.enable();
    made.sync(ALL);
    expect(made.see()).toEqual(['f4']);
    made.ste(1, { Config: 0 });
    made.sync(ALL);
    expect(made.see()).toEqual(['abort']);
    made.ste(1, { Config: 4 });
    made.sync(ALL);
    expect([made.see(0), made.see(1)]).toEqual([['bypass'], ['f8']]);
    made.ste(1, { Config: 7 });
    made.sync(ALL);
    expect(made.see()).toEqual(['f4']);
    made.ste(1);
    made.sync(ALL);
    expect([made.see(0), made.see(1)]).toEqual([['fa'], ['f8']]);
  });

  it('bypasses up to the output size', () => {
    const made = new TestWorld([{ streamId: 1, substream: -1, va: 2 ** 48 }]);
    made.ste(1, { Config: 4 });
    made.enable();
    expect(made.see()).toEqual(['f11']);
  });

  it('is held, valid or not, until CFGI', () => {
    const { world: made, top } = world();
    made.enable();
    made.cd(1, { ASID: 5, TTB0: top });
    made.ste(1);
    expect(made.see()).toEqual(['f4', '→400000']);
    made.sync(cfgi('CFGI_STE', { StreamID: 2, Leaf: 1 }));
    expect(made.see()).toEqual(['f4', '→400000']);
    made.sync(cfgi('CFGI_STE', { StreamID: 1, Leaf: 1 }));
    expect(made.see()).toEqual(['→400000']);
  });

  it('may be torn: every mix of its words', () => {
    const { world: made, top } = world();
    made.cd(1, { ASID: 5, TTB0: top });
    made.ste(1, { S2VMID: 1 });
    made.enable();
    expect(made.smmu.asidInUse(5, 1)).toBeDefined();
    const before = made.store.mark();
    // Words 0 and 2 change together: bypass with VMID 1, or translation with VMID 2, may be seen.
    made.ste(1, { S2VMID: 2, S1ContextPtr: AT.cds + 0x9000 });
    expect(made.smmu.asidInUse(5, 2)?.kind).toBe('configuration');
    made.sync(cfgi('CFGI_STE', { StreamID: 1, Leaf: 1 }));
    expect(made.smmu.asidInUse(5, 2)?.kind).toBe('translation');
    made.store.rollback(before);
    // Changed by way of an invalid STE, the mix is impossible.
    made.prod = 0;
    made.ste(1, { V: 0, S2VMID: 1 });
    made.sync(cfgi('CFGI_STE', { StreamID: 1, Leaf: 1 }));
    made.ste(1, { V: 0, S2VMID: 2, S1ContextPtr: AT.cds + 0x9000 });
    made.sync(cfgi('CFGI_STE', { StreamID: 1, Leaf: 1 }));
    made.ste(1, { S2VMID: 2, S1ContextPtr: AT.cds + 0x9000 });
    made.sync(cfgi('CFGI_STE', { StreamID: 1, Leaf: 1 }));
    expect(made.smmu.asidInUse(5, 2)).toBeUndefined();
  });

  it('does not notice words and bits that mean nothing', () => {
    const { world: made, top } = world();
    made.cd(1, { ASID: 5, TTB0: top });
    made.ste(1);
    made.enable();
    made.sync(ALL);
    made.smmu.takeDirtySlots();
    made.ste(1, { SW_RESERVED: 5, S2T0SZ: 20, S1CIR: 1 });
    made.sync(ALL);
    expect(made.smmu.takeDirtySlots()).toEqual([]);
    made.ste(1, { S1ContextPtr: AT.cds + 0x5000 });
    expect(made.smmu.takeDirtySlots()).toEqual([0]);
  });

  it('is not cached if its fetch is aborted', () => {
    const { world: made } = world();
    made.smmu.writeRegister(REGISTER.STRTAB_BASE, 0x100_0000, 0);
    made.enable();
    expect(made.see()).toEqual(['f3']);
    made.smmu.writeRegister(REGISTER.STRTAB_BASE, AT.streamTable, 0);
    expect(made.see()).toEqual(['f4']);
  });

  it('may be used from the cache after the stream table has moved', () => {
    const { world: made, top } = world();
    made.cd(1, { ASID: 5, TTB0: top });
    made.ste(1);
    made.enable();
    made.smmu.writeRegister(REGISTER.STRTAB_BASE, 0x5_0000, 0);
    expect(made.see()).toEqual(['f4', '→400000']);
    // What lies at the old place is no longer fetched.
    made.ste(1, { Config: 4 });
    expect(made.see()).toEqual(['f4', '→400000']);
    made.sync(ALL);
    expect(made.see()).toEqual(['f4']);
  });

  it('needs a StreamID within the table', () => {
    const made = new TestWorld([{ streamId: 64, substream: -1, va: X }]);
    made.enable();
    expect(made.see()).toEqual(['f2']);
    made.enable(false);
    made.smmu.writeRegister(REGISTER.CR2, 0);
    made.enable();
    expect(made.see()).toEqual(['abort']);
    // It is read-only while the SMMU is enabled (§6.3.12).
    made.smmu.writeRegister(REGISTER.CR2, 2);
    expect(made.see()).toEqual(['abort']);
  });
});

describe('the CD', () => {
  it('is held until an invalidation of its stream and index', () => {
    const { world: made, top } = world();
    made.cd(1, { ASID: 5, TTB0: top });
    made.ste(1);
    made.enable();
    made.clearCd(1);
    expect(made.see()).toEqual(['fa', '→400000']);
    made.sync(cfgi('CFGI_CD', { StreamID: 2, Leaf: 1 }));
    made.sync(cfgi('CFGI_CD', { StreamID: 1, SubstreamID: 1, Leaf: 1 }));
    expect(made.see()).toEqual(['fa', '→400000']);
    made.sync(cfgi('CFGI_CD', { StreamID: 1, Leaf: 1 }));
    expect(made.see()).toEqual(['fa']);
  });

  it.each(['CFGI_CD_ALL', 'CFGI_STE'] as const)('goes with %s too', (name) => {
    const { world: made, top } = world();
    made.cd(1, { ASID: 5, TTB0: top });
    made.ste(1);
    made.enable();
    made.clearCd(1);
    made.sync(cfgi(name, { StreamID: 1, Leaf: 1 }));
    expect(made.see()).toEqual(['fa']);
  });

  it('is cached for each stream that shares it', () => {
    const made = new TestWorld([
      { streamId: 1, substream: -1, va: X },
      { streamId: 2, substream: -1, va: X },
    ]);
    const { top, bottom } = made.tree(X);
    made.map(bottom, X, 0x40_0000);
    made.cd(1, { ASID: 5, TTB0: top });
    made.ste(1);
    made.ste(2, { S1ContextPtr: AT.cds + 0x1000 });
    made.enable();
    made.clearCd(1);
    made.sync(cfgi('CFGI_CD', { StreamID: 1, Leaf: 1 }));
    expect([made.see(0), made.see(1)]).toEqual([['fa'], ['fa', '→400000']]);
  });

  it('is not followed from an STE that has gone', () => {
    const { world: made, top } = world();
    made.cd(1, { ASID: 5, TTB0: top });
    made.ste(1);
    made.enable();
    expect(made.smmu.tableHeld(AT.cds + 0x1000, 64)?.kind).toBe('CD');
    made.ste(1, { Config: 0 });
    expect(made.smmu.tableHeld(AT.cds + 0x1000, 64)?.kind).toBe('CD');
    made.issue(cfgi('CFGI_STE', { StreamID: 1, Leaf: 1 }));
    // A fetch in flight may read the CD until the invalidation has completed, but not longer.
    made.cd(1, { ASID: 6, TTB0: top });
    expect(made.smmu.asidInUse(6)?.kind).toBe('configuration');
    made.sync();
    expect(made.smmu.tableHeld(AT.cds + 0x1000, 64)).toBeUndefined();
    expect(made.see()).toEqual(['abort']);
    made.cd(1, { ASID: 7, TTB0: top });
    expect(made.smmu.asidInUse(7)).toBeUndefined();
  });

  it('leads to F_CD_FETCH where its fetch is aborted', () => {
    const { world: made } = world();
    made.ste(1, { S1ContextPtr: 0x100_0000 });
    made.enable();
    expect(made.see()).toEqual(['f9']);
    const [outcome] = made.smmu.outcomes(0);
    expect(outcome).toMatchObject({ fetchAddress: 0x100_0000 });
  });

  it('must be invalidated between filling it in and making it valid', () => {
    for (const careful of [true, false]) {
      const { world: made, top } = world();
      const other = otherTree(made, 0x50_0000);
      made.cd(1, { ASID: 5, TTB0: top });
      made.ste(1);
      made.enable();
      made.clearCd(1);
      made.sync(cfgi('CFGI_CD', { StreamID: 1, Leaf: 1 }), tlbi('TLBI_NH_ALL'));
      made.sync(tlbi('TLBI_NH_ALL'));
      if (careful) made.replaceCd(1, { ASID: 6, TTB0: other });
      else made.cd(1, { ASID: 6, TTB0: other });
      made.sync(cfgi('CFGI_CD', { StreamID: 1, Leaf: 1 }));
      // Otherwise the invalid CD may have been cached with the old table, and then V alone been read again.
      expect(made.see().includes('→400000')).toBe(!careful);
    }
  });

  it('may be torn between ASID and table', () => {
    const { world: made, top } = world();
    const other = otherTree(made, 0x50_0000);
    made.cd(1, { ASID: 5, TTB0: top });
    made.ste(1);
    made.enable();
    made.cd(1, { ASID: 6, TTB0: other });
    made.sync(cfgi('CFGI_CD', { StreamID: 1, Leaf: 1 }), tlbi('TLBI_NH_ASID', { ASID: 5 }));
    // Under ASID 6 both tables may have been walked.
    expect(made.see()).toEqual(['f20', '→400000', '→500000']);
    made.sync(tlbi('TLBI_NH_ASID', { ASID: 6 }));
    expect(made.see()).toEqual(['→500000']);
  });
});

describe('substreams', () => {
  it('select CDs in a linear table, each invalidated by its own index', () => {
    const { world: made, top } = world({}, [-1, 0, 1, 9]);
    const other = otherTree(made, 0x50_0000);
    made.cd(1, { ASID: 5, TTB0: top }, 0);
    made.cd(1, { ASID: 6, TTB0: other }, 1);
    made.ste(1, { S1CDMax: 3, S1DSS: 2 });
    made.enable();
    expect([0, 1, 2, 3].map((slot) => made.see(slot))).toEqual([['→400000'], ['f6'], ['→500000'], ['f8']]);
    made.clearCd(1);
    made.clearCd(1, 1);
    made.sync(cfgi('CFGI_CD', { StreamID: 1, SubstreamID: 1, Leaf: 1 }));
    expect([0, 2].map((slot) => made.see(slot))).toEqual([['fa', '→400000'], ['fa']]);
  });

  it('may bypass without a SubstreamID', () => {
    const { world: made } = world({}, [-1]);
    made.ste(1, { S1CDMax: 3, S1DSS: 1 });
    made.enable();
    expect(made.see()).toEqual(['bypass']);
  });

  /** An L1 table at 0x60000 whose first entry leads to the CDs of stream 1. */
  function twoLevel(substreams: number[]): TestWorld {
    const { world: made, top } = world({}, substreams);
    made.cd(1, { ASID: 5, TTB0: top }, 1);
    made.cd(1, { ASID: 6, TTB0: top }, 2);
    made.write(0x6_0000, encode(CD_TABLE_L1, { V: 1, L2Ptr: AT.cds + 0x1000 }));
    made.ste(1, { S1CDMax: 8, S1Fmt: 1, S1ContextPtr: 0x6_0000 });
    made.enable();
    return made;
  }

  it('are found through two levels', () => {
    const made = twoLevel([1, 2, 100]);
    expect([0, 1, 2].map((slot) => made.see(slot))).toEqual([['→400000'], ['→400000'], ['f8']]);
    expect(made.smmu.tableHeld(0x6_0000, 8)?.kind).toBe('L1CD');
  });

  it('keep the L1CD unless the invalidation covers it', () => {
    const made = twoLevel([1]);
    made.write(0x6_0000, [0, 0]);
    expect(made.see()).toEqual(['f8', '→400000']);
    made.sync(cfgi('CFGI_CD', { StreamID: 1, SubstreamID: 1, Leaf: 1 }));
    expect(made.see()).toEqual(['f8', '→400000']);
    made.sync(cfgi('CFGI_CD', { StreamID: 1, SubstreamID: 1, Leaf: 0 }));
    expect(made.see()).toEqual(['f8']);
  });

  it('need a fetch of the L1CD that succeeds, and a table within reach', () => {
    const made = twoLevel([1]);
    made.ste(1, { S1CDMax: 8, S1Fmt: 1, S1ContextPtr: 0x100_0000 });
    made.sync(ALL);
    expect(made.see()).toEqual(['f9']);
    made.write(0x6_0000, encode(CD_TABLE_L1, { V: 1, L2Ptr: 2 ** 50 }));
    made.ste(1, { S1CDMax: 8, S1Fmt: 1, S1ContextPtr: 0x6_0000 });
    made.sync(ALL);
    expect(made.see()).toEqual(['f8']);
  });
});

describe('the order of faults', () => {
  it('is that of the structures: STE, substream, CD, translation', () => {
    const { world: made, bottom, top } = world({}, [1]);
    made.enable();
    made.sync(ALL);
    expect(made.see()).toEqual(['f4']);
    made.ste(1);
    made.sync(ALL);
    expect(made.see()).toEqual(['f8']);
    made.ste(1, { S1CDMax: 2 });
    made.sync(ALL);
    expect(made.see()).toEqual(['fa']);
    made.write(AT.cds + 0x1040, cdLanes({ TTB0: top }));
    made.sync(ALL);
    expect(made.see()).toEqual(['→400000']);
    made.map(bottom, X);
    made.sync(tlbi('TLBI_NSNH_ALL'));
    expect(made.see()).toEqual(['f10']);
  });
});
