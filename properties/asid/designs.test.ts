import { describe, expect, test } from 'vitest';
import { search } from '../../engine/search/search.ts';
import type { Program } from '../family.ts';
import { verify } from '../verify/verify.ts';
import { PLAIN } from './configuration.ts';
import { REASSIGN } from './designs.ts';
import type { AsidHazard } from './hazards/hazard.ts';
import { shareAsidCdFirst } from './hazards/share-asid-cd-first.ts';
import { shareAsidUnmapWindow } from './hazards/share-asid-unmap-window.ts';
import { asid } from './index.ts';
import { AsidWorld } from './world.ts';

const NAMES = Object.keys(REASSIGN);
const duringBind: Program = {
  agents: [
    { name: 'CPU0', operations: [{ op: 'bind', process: 0, device: 0 }] },
    { name: 'CPU1', operations: [{ op: 'unmap', domain: 0, page: 0 }] },
  ],
};

/** Every schedule of a bind beside an unmap. */
function exhaust(configuration: Record<string, number | string | boolean>, hazard?: string) {
  return search(asid.world({ ...PLAIN, ...configuration }, hazard).load(duringBind), { order: 'dfs' });
}

describe.each(NAMES)('reassign=%s', (reassign) => {
  test('holds, with one device and two, and with late stores', () => {
    for (const world of [{}, { masters: 2 }, { weak: 2 }])
      expect(exhaust({ ...world, reassign }).verdict).toBe('exhausted');
  });

  test('holds for all small programs of what has to do with it', async () => {
    const kinds = ['bind', 'unbind', 'unmap', 'attach', 'domainFree'];
    const worlds = [{ name: reassign, configuration: { ...PLAIN, reassign, masters: 2, faults: true } }];
    const { found, left } = await verify(asid, { operations: 2, cpus: 2, worlds, kinds });
    expect([found?.failure, left]).toEqual([undefined, []]);
  });

  test('binds, or refuses, and moves the domain where it should', () => {
    const world = asid.world({ ...PLAIN, reassign });
    expect(
      search(world.load({ agents: [duringBind.agents[0] as Program['agents'][0]] }), { order: 'dfs' }).verdict,
    ).toBe('exhausted');
    const { witnesses, operations } = world.counters;
    const moved = (witnesses['ASID reassigned while its domain is attached and mapped'] ?? 0) > 0;
    expect(moved).toBe(reassign === 'both' || reassign === 'blocked');
    expect((operations['bind']?.rejected ?? 0) > 0).toBe(reassign === 'refuse');
  });
});

describe('an unmap that reads one number, without a barrier', () => {
  const verdictOf = (reassign: string, weak = 0): string =>
    exhaust({ reassign, ...(weak > 0 ? { weak } : {}) }, 'share-asid-unmap-window').verdict;

  test('is too little while the devices run, and enough while they are refused', () => {
    expect(NAMES.map((reassign) => [reassign, verdictOf(reassign)])).toEqual([
      ['both', 'violation'],
      ['blocked', 'exhausted'],
      ['own', 'exhausted'],
      ['refuse', 'exhausted'],
    ]);
  });

  test('needs the barrier where stores are late, unless nobody moves', () => {
    expect(['blocked', 'own', 'refuse'].map((reassign) => verdictOf(reassign, 2))).toEqual([
      'violation',
      'exhausted',
      'exhausted',
    ]);
  });
});

describe('a page that can be reached although unmap has returned', () => {
  /** In how many ends of all schedules it can still be reached, and of how many. */
  function left({ parts }: AsidHazard, masters = 1): readonly [number, number] {
    let reached = 0;
    let all = 0;
    const world = new AsidWorld({ ...PLAIN, masters }, parts, { onViolation: () => undefined });
    const system = world.load(duringBind);
    const slots = world.places
      .filter(({ iova, substream }) => iova === 0x1000 && substream < 0)
      .map(({ slot }) => slot);
    const quiescent = (): void => {
      all++;
      const results = slots.flatMap((slot) => world.architecture.outcomes(slot));
      if (results.some(({ kind }) => kind === 'translation')) reached++;
    };
    expect(search({ ...system, quiescent }, { order: 'dfs' }).verdict).toBe('exhausted');
    return [reached, all];
  }

  test('cannot be when bind has returned, too, if unmap reads the one number of the domain', () => {
    for (const masters of [1, 2]) {
      const [reached, all] = left(shareAsidUnmapWindow, masters);
      expect([reached, all > 0]).toEqual([0, true]);
    }
  });

  test('can be for ever, if the context descriptor goes first', () => {
    const [reached, all] = left(shareAsidCdFirst);
    expect(reached).toBeGreaterThan(0);
    expect(reached).toBeLessThan(all);
  });
});

test('unknown ways are refused, and hazards in a way that is not taken', () => {
  expect(() => asid.world({ ...PLAIN, reassign: 'later' })).toThrow(/no way to reassign "later"; there are both/);
  expect(() => asid.world({ ...PLAIN, reassign: 'own' }, 'share-asid-cd-first')).toThrow(
    /share-asid-cd-first is in the way/,
  );
});
