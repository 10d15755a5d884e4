/** Known failures: each must come back exactly, and must not exist without its hazard. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { bugOfRun } from '../properties/bug-of-run.ts';
import { families } from '../properties/index.ts';
import { fingerprint } from '../engine/failure.ts';
import { loadTrace } from './load.ts';
import { familyOf, replaySoftware, searchWithoutHazard } from './replay.ts';
import { softwareReport } from './report/software.ts';
import { reportWidth, widthOf } from './report/text.ts';

const folder = 'traces/corpus';
const files = readdirSync(folder).filter((name) => name.endsWith('.json'));
/** States of the correct implementation to look at; minimal programs are much smaller. */
const statesMax = 300_000;

describe.each(files)('%s', (name) => {
  const file = join(folder, name);
  const trace = loadTrace(file);
  if (trace.kind !== 'software') throw new Error('the corpus holds traces of software');
  const family = familyOf(trace, families);

  test('comes back, step by step', async () => {
    const replayed = replaySoftware(trace, family);
    expect(replayed.alignment).toMatchObject({ added: 0 });
    expect(replayed.alignment.misfit).toBeUndefined();
    expect(replayed.failure && fingerprint(replayed.failure)).toBe(trace.expected.fingerprint);
    expect(replayed.alignment.schedule).toHaveLength(trace.schedule.length);
    const bug = bugOfRun(family.world(trace.configuration, trace.hazard), trace.program, replayed.alignment.schedule);
    // Of the races of a run, the trace has the necessary ones.
    expect({ ...trace.expected.bug, races: [] }).toEqual({ ...bug, races: [] });
    expect(bug.races).toEqual(expect.arrayContaining(trace.expected.bug?.races ?? []));
    const report = softwareReport({ trace, family, replayed, file, colour: false });
    await expect(report).toMatchFileSnapshot(`goldens/${name.replace('.json', '.txt')}`);
    expect(report.split('\n').filter((line) => widthOf(line) > reportWidth)).toEqual([]);
  });

  test('does not exist without its hazard', () => {
    expect(searchWithoutHazard(trace, family, statesMax).failure).toBeUndefined();
  });

  test('is minimal', () => {
    expect(trace.minimal).toMatchObject({ operations: 'proved', arguments: 'proved', schedule: 'proved' });
  });
});

test('every hazard has its trace, in each family of which there is any', () => {
  const complete = families.filter(({ name }) => files.some((file) => file.startsWith(`${name}-`)));
  const hazards = complete.flatMap((family) => family.hazards.map(({ id }) => `${family.name}-${id}.json`));
  expect(complete.map(({ name }) => name)).toContain('asid');
  expect(files.toSorted()).toEqual(hazards.toSorted());
});
