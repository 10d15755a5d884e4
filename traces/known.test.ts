import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { asid } from '../properties/asid/index.ts';
import { loadTrace } from './load.ts';
import { hazardsWith } from './known.ts';
import { replaySoftware } from './replay.ts';
import { softwareReport } from './report/software.ts';
import type { SoftwareTrace } from './format.ts';

const folder = 'traces/corpus';

function software(file: string): SoftwareTrace {
  const trace = loadTrace(join(folder, file));
  if (trace.kind !== 'software') throw new Error('the corpus holds traces of software');
  return trace;
}

test('the bug of each trace of the corpus is known', () => {
  const unknown = readdirSync(folder)
    .map(software)
    .filter(({ family, hazard, expected: { bug } }) => !bug || !hazardsWith(family, bug).includes(hazard ?? ''));
  expect(unknown.map(({ hazard }) => hazard)).toEqual([]);
});

test('a failure of software that is not known to be wrong is recognised', () => {
  const file = 'asid-share-asid-unmap-window.json';
  const { hazard, ...trace } = software(file);
  const wrong = {
    ...asid,
    world: (configuration: SoftwareTrace['configuration']) => asid.world(configuration, hazard),
  };
  const report = softwareReport({
    trace,
    family: wrong,
    replayed: replaySoftware(trace, wrong),
    file: undefined,
    colour: false,
  });
  expect(report).toMatch(/^ {4}Same as {4}hazard share-asid-unmap-window: unmap invalidates/m);
  expect(report).not.toContain('Hazard  ');
});

test('a bug that nobody knows is like none', () => {
  expect(hazardsWith('asid', { rule: 'test/new', races: [] })).toEqual([]);
});
