/** Each hazard, found unguided from several seeds: what it is minimised to stays the same bug, and there are few of them. */
import { expect, test } from 'vitest';
import { bugName, type Bug } from '../../engine/bug/bug.ts';
import { asid } from '../asid/index.ts';
import { bugOfRun } from '../bug-of-run.ts';
import { fuzz, type Found } from '../campaign.ts';
import { minimise } from './minimise.ts';

/** More of them is a check to make by hand: STALEMATE_SEEDS=10 npx vitest run properties/minimise/every-hazard */
const seeds = Number(process.env['STALEMATE_SEEDS'] ?? 1);
/** Different bugs that one hazard may show as, from however many seeds. */
const bugsMax = 8;

async function find(hazard: string, seed: number): Promise<Found | undefined> {
  const all: Found[] = [];
  await fuzz(asid, { hazard, seed, runs: 20_000, seconds: 8, onFound: (found) => (all.push(found), 'stop') });
  return all[0];
}

/** A bug but for its races: a run has more of them than are necessary. */
function withoutRaces(bug: Bug): Bug {
  return { ...bug, races: [] };
}

test.each(asid.hazards.map(({ id }) => id))('%s', { timeout: 600_000 }, async (hazard) => {
  const names: string[] = [];
  for (let seed = 1; seed <= seeds; seed++) {
    const found = await find(hazard, seed);
    if (found === undefined) continue;
    const small = await minimise(asid, found, { seconds: 60 });
    const raw = bugOfRun(asid.world(found.configuration, hazard), found.program, found.schedule);
    const left = bugOfRun(asid.world(small.configuration, hazard), small.program, small.schedule);
    expect(withoutRaces(left)).toEqual(withoutRaces(raw));
    expect(withoutRaces(small.bug)).toEqual(withoutRaces(raw));
    expect(left.races).toEqual(expect.arrayContaining([...small.bug.races]));
    names.push(bugName(small.bug));
  }
  const different = [...new Set(names)].map((name) => `${names.filter((one) => one === name).length} × ${name}`);
  console.log(`${hazard}: ${different.length === 0 ? 'not found' : different.join(', ')}`);
  expect(different.length).toBeLessThanOrEqual(bugsMax);
});
