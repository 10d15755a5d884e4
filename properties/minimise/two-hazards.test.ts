/** Worlds with two mistakes at once: the failure of one is never minimised to the failure of the other. */
import { describe, expect, test } from 'vitest';
import { bugKey } from '../../engine/bug/bug.ts';
import { Places } from '../../engine/bug/places.ts';
import { Runner } from '../../engine/run.ts';
import { search } from '../../engine/search/search.ts';
import { replay } from '../../engine/strategies/replay.ts';
import type { Strategy } from '../../engine/strategies/strategy.ts';
import { asid, hazardNamed } from '../asid/index.ts';
import { AsidWorld } from '../asid/world.ts';
import { bugOfRun } from '../bug-of-run.ts';
import { fuzz, type Found } from '../campaign.ts';
import type { Family, Program, World } from '../family.ts';
import { minimise } from './minimise.ts';
import { following, noting, type Token } from './projection.ts';

const seeds = [1, 2, 3, 4, 5];
/** The race of share-asid-unmap-window: unmap reads the new ASID, and flushes that one only. */
const window = /^bind: domain#\.asid := # → .*: load domain#\.asid$/;

/** The family with two hazards in one kernel, which replace different parts of it. */
function both(first: string, second: string): Family {
  const [a, b] = [hazardNamed(first).parts, hazardNamed(second).parts];
  expect(Object.keys(a).filter((part) => part in b)).toEqual([]);
  return { ...asid, world: (configuration) => new AsidWorld(configuration, { ...a, ...b }) };
}

async function find(family: Family, seed: number): Promise<Found | undefined> {
  const all: Found[] = [];
  await fuzz(family, { seed, runs: 40_000, seconds: 20, onFound: (found) => (all.push(found), 'stop') });
  return all[0];
}

/** One run, and the key of what it ends in. */
function run(world: World, program: Program, choose: (runner: Runner, places: Places) => Strategy) {
  const places = new Places(world.load(program), (failure) => world.through?.(failure));
  const runner = new Runner(places.system, 4_000);
  const tokens: Token[] = [];
  runner.run(noting(choose(runner, places), runner, places.system, tokens), 0);
  const { failure } = places.system.machine;
  const key = failure === undefined ? undefined : bugKey(failure, places.of(failure));
  runner.close();
  return { key, tokens };
}

/** True if some schedule of the program fails in a world in the given way. */
function canFail(world: World, program: Program, key: string): boolean {
  const places = new Places(world.load(program), (failure) => world.through?.(failure));
  const wanted = (failure: Parameters<typeof places.of>[0]): boolean => bugKey(failure, places.of(failure)) === key;
  return search(places.system, { order: 'dfs', statesMax: 500_000, wanted }).verdict === 'violation';
}

describe.each([
  // Both leave a page reachable when unmap returns, and unmap does the same steps: only the race differs.
  ['share-asid-unmap-window', 'share-asid-cd-first'],
  ['share-asid-unmap-window', 'smmu-attach-publish-late'],
  ['pgtable-free-before-sync', 'asid-free-before-flush'],
  ['bbm-split-no-flush', 'share-asid-unmap-window'],
])('%s and %s', (...hazards) => {
  const family = both(...hazards);

  test('are kept apart', async () => {
    const results: string[] = [];
    for (const seed of seeds) {
      const found = await find(family, seed);
      if (found === undefined) continue;
      const { configuration, program, schedule } = found;
      const raw = run(family.world(configuration), program, () => replay(schedule));
      const key = raw.key ?? '';
      // Whose failure it is: the same steps fail with that hazard alone.
      const alone = hazards.filter((hazard) => {
        const follow = (runner: Runner, { system }: Places): Strategy => following(raw.tokens, runner, system);
        return run(asid.world(configuration, hazard), program, follow).key === key;
      });
      const small = await minimise(family, found, { seconds: 60 });
      const left = hazards.filter((hazard) => canFail(asid.world(small.configuration, hazard), small.program, key));
      if (alone.length === 1) expect(left).toContain(alone[0]);
      // Together they may fail as neither does alone; the race tells them apart then, too.
      const raced = bugOfRun(family.world(configuration), program, schedule).races.some((race) => window.test(race));
      expect(small.bug.races.some((race) => window.test(race))).toBe(raced);
      results.push(`${alone.join(' or ')}${raced ? ' (window)' : ''}`);
    }
    console.log(`${hazards.join(' + ')}: ${results.join(', ')}`);
    expect(results.length).toBeGreaterThan(0);
  }, 120_000);
});
