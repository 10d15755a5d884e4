import { beforeEach, describe, expect, test } from 'vitest';
import { Store } from '../../../../engine/store.ts';
import { CpuTlbs } from '../cpu/cpu-tlbs.ts';
import { invalidationOf } from '../cpu/maintenance.ts';
import { FULL_FEATURES, type SmmuFeatures } from '../layout/features.ts';
import { CD, TG0, TG1 } from '../layout/cd.ts';
import { encode, type FieldValues } from '../layout/layout.ts';
import { REGISTER } from '../layout/register.ts';
import { STE } from '../layout/ste.ts';
import { SmmuV3 } from '../smmuv3.ts';
import { leafOfStageTwo } from '../testing/stage-two.ts';
import { leafLanes, shortly, TestMemory } from '../testing/world.ts';

/** Addresses of structures: stream tables and CDs of each SMMU, and one table of a level, 64 KiB of input, for everybody. */
const AT = {
  streams: [0x1_0000, 0x1_8000],
  cds: [0x2_0000, 0x2_8000],
  stageOne: 0x4_0000,
  stageTwo: 0x5_0000,
} as const;
const VA = 0x1000;
const PAGE = 0x40_0000;
const OLD = '→400000';

/** Two CPUs and SMMUs on one bus, over one memory. Stream 1 of each SMMU has the same tables as the CPUs. */
class System {
  readonly store = new Store();
  readonly memory = new TestMemory(this.store);
  readonly smmus: readonly SmmuV3[];
  readonly cpus: CpuTlbs;

  constructor(features: readonly Partial<SmmuFeatures>[], stes: readonly FieldValues<typeof STE>[], ptm: number[]) {
    const slots = [{ streamId: 1, substream: -1, va: VA }];
    this.smmus = features.map(
      (more, at) =>
        new SmmuV3(this.store, this.memory, { ...FULL_FEATURES, stt: true, ...more }, { slots }, { name: `SMMU${at}` }),
    );
    const options = { cpus: 2, addresses: [VA], common: false, capacity: 64 };
    const receivers = this.smmus.map(({ dvm }) => dvm);
    const stageTwo = { granule: 12 as const, inputBits: 25, ipas: [VA] };
    this.cpus = new CpuTlbs(this.store, this.memory, { ...options, stageTwo, receivers });
    for (const [at, smmu] of this.smmus.entries()) {
      const controls = { V: 1, AA64: 1, A: 1, R: 1, IPS: 5, T0SZ: 48, TG0: TG0.GRANULE_4K };
      const upper = { T1SZ: 25, TG1: TG1.GRANULE_4K, EPD1: 1 };
      const cd = encode(CD, { ...controls, ...upper, ASID: 5, TTB0: AT.stageOne });
      this.write((AT.cds[at] as number) + 64, cd);
      const values = { V: 1, Config: 5, S1ContextPtr: (AT.cds[at] as number) + 64, ...stes[at] };
      this.write((AT.streams[at] as number) + 64, encode(STE, values));
      smmu.writeRegister(REGISTER.STRTAB_BASE, AT.streams[at] as number, 0);
      smmu.writeRegister(REGISTER.STRTAB_BASE_CFG, 6);
      smmu.writeRegister(REGISTER.CR2, (ptm[at] as number) << 2);
      smmu.writeRegister(REGISTER.CR0, 9);
    }
    this.cpus.load(0, { table: AT.stageOne, asid: 5 });
  }

  write(pa: number, lanes: ArrayLike<number>): void {
    for (let at = 0; at < lanes.length; at += 2) {
      this.memory.set(pa + 4 * at, lanes[at] as number, lanes[at + 1] as number);
      for (const smmu of this.smmus) smmu.memoryWritten(pa + 4 * at);
      this.cpus.written(pa + 4 * at);
    }
  }

  map(mapped: boolean): void {
    this.write(AT.stageOne + 8, mapped ? leafLanes(PAGE) : [0, 0]);
  }

  /** Whether each SMMU still reaches the page. */
  reached(): boolean[] {
    return this.smmus.map((smmu) => smmu.outcomes(0).map(shortly).includes(OLD));
  }
}

describe('one TLBI and two SMMUs', () => {
  test.each([
    ['IDR0.BTM = 0', { btm: false }, 0],
    ['CR2.PTM = 1', { btm: true }, 1],
  ] as const)('the one that takes part forgets, the one with %s does not', (_name, features, ptm) => {
    const system = new System([{ btm: true }, features], [{}, {}], [0, ptm]);
    system.map(true);
    system.map(false);
    expect(system.reached()).toEqual([true, true]);
    system.cpus.tlbi(0, { kind: 'VALE1', asid: 5, va: VA }, true);
    expect(system.reached()).toEqual([true, true]);
    system.cpus.dsb(1, true);
    system.cpus.dsb(0, false);
    expect(system.reached()).toEqual([true, true]);
    system.cpus.dsb(0, true);
    expect([...system.reached(), system.cpus.outcomes(0, VA)]).toEqual([false, true, []]);
  });

  test('a local TLBI reaches neither', () => {
    const system = new System([{ btm: true }, { btm: true }], [{}, {}], [0, 0]);
    system.map(true);
    system.map(false);
    system.cpus.tlbi(0, { kind: 'VMALLE1' }, false);
    system.cpus.dsb(0, true);
    expect([...system.reached(), system.cpus.outcomes(0, VA)]).toEqual([true, true, []]);
  });

  test('a local and a broadcast TLBI have different numbers, so that one does not complete the other', () => {
    const system = new System([{ btm: true }, { btm: true }], [{}, {}], [0, 0]);
    system.map(true);
    system.map(false);
    system.cpus.tlbi(0, { kind: 'VMALLE1' }, false);
    system.cpus.tlbi(0, { kind: 'VMALLE1' }, true);
    system.cpus.dsb(0, false);
    expect(system.reached()).toEqual([true, true]);
    system.cpus.dsb(0, true);
    expect(system.reached()).toEqual([false, false]);
  });

  test('each hears of its own stage: a TLBI by ASID says nothing to one with stage 2 alone, by VMID both hear', () => {
    const stageTwo = { S2VMID: 1, S2AA64: 1, S2T0SZ: 39, S2SL0: 3, S2PS: 5, S2TTB: AT.stageTwo, S2R: 1 };
    const features = [{ btm: true }, { btm: true, stage1: false }];
    const system = new System(features, [{ S2VMID: 1 }, { Config: 6, ...stageTwo }], [0, 0]);
    system.map(true);
    system.write(AT.stageTwo + 8, leafOfStageTwo(PAGE));
    expect(system.reached()).toEqual([true, true]);
    system.map(false);
    system.write(AT.stageTwo + 8, [0, 0]);
    const execute = (...[maintenance]: [Parameters<CpuTlbs['tlbi']>[1]]): boolean[] => {
      system.cpus.tlbi(0, maintenance, true);
      system.cpus.dsb(0, true);
      return system.reached();
    };
    expect(execute({ kind: 'IPAS2E1', vmid: 2, ipa: VA })).toEqual([true, true]);
    expect(execute({ kind: 'ASIDE1', vmid: 1, asid: 5 })).toEqual([false, true]);
    expect(execute({ kind: 'IPAS2E1', vmid: 1, ipa: VA })).toEqual([false, false]);
  });
});

test('what one SMMU holds is not what another holds: their states are told apart', () => {
  const prints = [0, 1].map((which) => {
    const system = new System([{ btm: true }, { btm: true }], [{}, {}], [0, 0]);
    system.map(true);
    // Nothing but what is held is different: with translation disabled all outcomes are the same.
    for (const smmu of system.smmus) smmu.writeRegister(REGISTER.CR0, 8);
    const { dvm } = system.smmus[which] as SmmuV3;
    dvm.invalidate(invalidationOf({ kind: 'ALLE1' }), 0);
    dvm.complete(1);
    const { cells, identities } = system.store;
    return cells.reduce((print, value, cell) => print ^ (identities?.low(cell, value) ?? 0), 0);
  });
  expect(prints[0]).not.toBe(prints[1]);
});

describe('TLBIs of two CPUs', () => {
  let system: System;
  beforeEach(() => {
    system = new System([{ btm: true }, { btm: false }], [{}, {}], [0, 0]);
    system.map(true);
    system.map(false);
    system.cpus.tlbi(0, { kind: 'ASIDE1', asid: 5 }, true);
  });

  test('whichever completes first takes the entry away', () => {
    system.cpus.tlbi(1, { kind: 'VMALLE1' }, true);
    system.cpus.dsb(1, true);
    expect(system.reached()).toEqual([false, true]);
  });

  test('what is read again between them goes with the second alone', () => {
    system.map(true);
    system.cpus.tlbi(1, { kind: 'VMALLE1' }, true);
    system.map(false);
    system.cpus.tlbi(1, { kind: 'VMALLE1' }, true);
    system.cpus.dsb(0, true);
    expect(system.reached()).toEqual([true, true]);
    system.cpus.dsb(1, true);
    expect(system.reached()).toEqual([false, true]);
  });

  test('a TLBI that is repeated under the number that it has covers what has been read since', () => {
    system.map(true);
    system.map(false);
    system.cpus.tlbi(0, { kind: 'ASIDE1', asid: 5 }, true);
    system.cpus.dsb(0, true);
    expect(system.reached()).toEqual([false, true]);
  });
});
