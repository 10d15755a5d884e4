/**
 * Makes `traces/corpus/`: one minimised trace for each hazard, found unguided. Run it after a change that makes the old
 * traces not fit any more (`npm run corpus`), and look at what has changed.
 */
import { mkdirSync } from 'node:fs';
import { fuzz, type Found } from '../properties/campaign.ts';
import { families } from '../properties/index.ts';
import { minimise } from '../properties/minimise.ts';
import { toTrace } from './record.ts';
import { saveTrace } from './save.ts';

const folder = 'traces/corpus';
const secondsEach = 60;
/** Only hazards whose name contains this. */
const [, , only = ''] = process.argv;

mkdirSync(folder, { recursive: true });
for (const family of families)
  for (const { id } of family.hazards.filter((hazard) => hazard.id.includes(only))) {
    const all: Found[] = [];
    const onFound = (found: Found): 'stop' => {
      all.push(found);
      return 'stop';
    };
    await fuzz(family, { hazard: id, seed: 1, seconds: secondsEach, onFound });
    const [found] = all;
    if (found === undefined) {
      console.error(`${id}: not found`);
      process.exitCode = 1;
      continue;
    }
    const minimised = await minimise(family, found, { seconds: secondsEach });
    const { file } = saveTrace(toTrace(family, minimised), folder, `${family.name}-${id}.json`);
    const { operations, schedule, switches } = minimised.minimal;
    console.log(
      `${file}: operations ${operations}, schedule ${schedule}, ${minimised.schedule.length} steps, ${switches} switches`,
    );
  }
