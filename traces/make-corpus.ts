/**
 * Makes `traces/corpus/`: one minimised trace for each hazard, found unguided. Run it after a change that makes the old
 * traces not fit any more (`npm run corpus`), and look at what has changed.
 */
import { mkdirSync } from 'node:fs';
import { fuzz, type Found } from '../properties/campaign.ts';
import { families } from '../properties/index.ts';
import type { Family, Hazard } from '../properties/family.ts';
import { minimise } from '../properties/minimise/minimise.ts';
import { toTrace } from './record.ts';
import { saveTrace } from './save.ts';

const folder = 'traces/corpus';
const secondsEach = 60;
/** Seeds tried for a failure of the hazard's usual kind. */
const seedsMax = 10;
/** Only hazards whose name contains this. */
const [, , only = ''] = process.argv;

/** A failure of the kind that the hazard usually shows as, from the first seed that has one; else the first one at all. */
async function find(family: Family, hazard: Hazard): Promise<Found | undefined> {
  const [usual] = hazard.expected;
  let first: Found | undefined;
  for (let seed = 1; seed <= seedsMax; seed++) {
    const all: Found[] = [];
    const onFound = (found: Found): 'stop' => {
      all.push(found);
      return 'stop';
    };
    await fuzz(family, { hazard: hazard.id, seed, seconds: secondsEach, onFound });
    const [found] = all;
    first ??= found;
    if (found?.failure.monitor === usual?.monitor && found?.failure.rule === usual?.rule) return found;
  }
  return first;
}

mkdirSync(folder, { recursive: true });
for (const family of families)
  for (const hazard of family.hazards.filter(({ id }) => id.includes(only))) {
    const found = await find(family, hazard);
    if (found === undefined) {
      console.error(`${hazard.id}: not found`);
      process.exitCode = 1;
      continue;
    }
    const minimised = await minimise(family, found, { seconds: secondsEach });
    const { file } = saveTrace(toTrace(family, minimised), folder, `${family.name}-${hazard.id}.json`);
    const { operations, schedule, switches } = minimised.minimal;
    console.log(
      `${file}: ${minimised.failure.rule}, operations ${operations}, schedule ${schedule}, ${minimised.schedule.length} steps, ${switches} switches`,
    );
  }
