import { describe, expect, it } from 'vitest';
import { FULL_FEATURES } from '../layout/features.ts';
import { REGISTER } from '../layout/register.ts';
import { EATS, STREAM_WORLD } from '../layout/ste.ts';
import type { LookupConfig } from '../configuration/lookup-config.ts';
import { atcInv, cfgi, TestWorld } from '../testing/world.ts';
import { AtsConfigs, type AtsConfigParts } from './ats-config.ts';

const X = 0x1000;
const G = 0x40_0000;
const READ = { write: false, privileged: false, instruction: false };
const CHECK = 1 << 4;

/** Stream 1 with ATS for X, mapped to G. */
function attached(eats: number, strw: number = STREAM_WORLD.EL1): TestWorld {
  const slots = [{ streamId: 1, substream: -1, va: X, ats: true as const }];
  const world = new TestWorld(slots, { ...FULL_FEATURES, ats: true, hyp: true });
  const { top, bottom } = world.tree(X);
  world.map(bottom, X, G);
  world.cd(1, { ASID: 5, TTB0: top });
  world.ste(1, { EATS: eats, STRW: strw });
  world.smmu.writeRegister(REGISTER.CR0, 9 | CHECK);
  return world;
}

describe('what a stream may do with ATS', () => {
  it.each([
    ['EL1', STREAM_WORLD.EL1],
    ['EL2', STREAM_WORLD.EL2],
  ])('is what EATS says in the world of %s', (_name, strw) => {
    const kinds = [EATS.FULL, EATS.NONE].map((eats) =>
      attached(eats, strw)
        .smmu.ats?.completions(0, READ)
        .map(({ kind }) => kind),
    );
    expect(kinds).toEqual([['granted'], ['unsupported']]);
  });

  it.each([
    ['an STE beyond the table (C_BAD_STREAMID)', REGISTER.STRTAB_BASE_CFG, 0],
    ['an STE where there is no memory (F_STE_FETCH)', REGISTER.STRTAB_BASE, 0x4000_0000],
  ])('is nothing with %s: requests and checked accesses are aborted (§3.9.1.2, §3.9.1.3)', (_what, register, value) => {
    const world = attached(EATS.FULL);
    world.enable(false);
    world.smmu.writeRegister(register, value);
    world.sync(cfgi('CFGI_STE', { StreamID: 1 }));
    world.smmu.writeRegister(REGISTER.CR0, 9 | CHECK);
    expect(world.smmu.ats?.completions(0, READ)).toEqual([{ kind: 'aborted' }]);
    expect(world.smmu.ats?.translated(0, G, false)).toEqual([{ kind: 'abort' }]);
    world.smmu.writeRegister(REGISTER.CR0, 9);
    expect(world.smmu.ats?.translated(0, G, false)).toEqual([{ kind: 'bypass', pa: G }]);
    world.smmu.writeRegister(REGISTER.CR0, 9 | CHECK);
    world.sync(atcInv({ StreamID: 1, Size: 52 }));
    expect(world.see().filter((seen) => seen.startsWith('⇒'))).toEqual([]);
  });
});

describe('configurations, and sets of them', () => {
  const none = (): AtsConfigs => new AtsConfigs({} as AtsConfigParts);
  const config = {} as LookupConfig;

  it('are one where they are equal', () => {
    const configs = none();
    expect(configs.disabled()).toBe(configs.disabled());
    expect(configs.through(true, config, undefined)).not.toBe(configs.through(false, config, undefined));
  });

  it('have a number, whatever their order, and 0 is the empty set', () => {
    const configs = none();
    const first = configs.disabled();
    const second = configs.through(true, config, undefined);
    expect([configs.set([]), configs.at(0)]).toEqual([0, []]);
    const both = configs.set([first, second]);
    expect(configs.set([second, first, second])).toBe(both);
    expect(configs.set([first, second])).toBe(both);
    expect(new Set([0, both, configs.set([first]), configs.set([second])]).size).toBe(4);
    expect(configs.at(both)).toEqual([first, second]);
  });

  it('mean the same in whatever order they came up, and different sets something else', () => {
    const [one, other] = [none(), none()];
    const some = [one.disabled(), one.through(true, config, undefined)];
    const same = [other.through(true, config, undefined), other.disabled()];
    expect(one.content(one.set(some))).toBe(other.content(other.set(same)));
    const contents = [[], some, some.slice(0, 1), some.slice(1)].map((members) => one.content(one.set(members)));
    expect(new Set(contents).size).toBe(4);
  });
});
