import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { fuzz, type Found } from '../../properties/campaign.ts';
import { minimise } from '../../properties/minimise/minimise.ts';
import { traceSchema, type ConformanceTrace, type SoftwareTrace } from '../format.ts';
import { toTrace } from '../record.ts';
import { replaySoftware } from '../replay.ts';
import { ledger, twoClerks } from '../testing/ledger.ts';
import { conformanceNotice, conformanceReport } from './conformance.ts';
import { markdownSummary } from './markdown.ts';
import { softwareReport } from './software.ts';
import { ends, pad, plural, reportWidth, widthOf, wrap } from './text.ts';

const goldens = '../goldens';
const file = 'traces/found/example.json';

async function find(hazard: string): Promise<Found> {
  const found: Found[] = [];
  const onFound = (one: Found) => (found.push(one), 'stop' as const);
  await fuzz(ledger, { hazard, seed: 1, runs: 5_000, strategy: 'random', onFound });
  const [first] = found;
  if (first === undefined) throw new Error(`nothing found for ${hazard}`);
  return first;
}

function report(trace: SoftwareTrace, colour = false): string {
  return softwareReport({
    trace,
    family: ledger,
    replayed: replaySoftware(trace, ledger),
    file,
    seconds: 0.02,
    colour,
  });
}

function linesTooLong(text: string): string[] {
  return text.split('\n').filter((line) => widthOf(line) > reportWidth);
}

const deviation = traceSchema.parse(
  JSON.parse(readFileSync('traces/report/testing/deviation.json', 'utf8')),
) as ConformanceTrace;

describe('the report of', () => {
  test.each(ledger.hazards.map(({ id }) => id))('%s is the golden one', async (hazard) => {
    const trace = toTrace(ledger, await minimise(ledger, await find(hazard), { seconds: 30 }));
    const text = report(trace);
    await expect(text).toMatchFileSnapshot(`${goldens}/ledger-${hazard}.txt`);
    expect(linesTooLong(text)).toEqual([]);
  });

  test('a failure that was not minimised says so', async () => {
    const text = report(toTrace(ledger, await find('deposit-without-lock')));
    await expect(text).toMatchFileSnapshot(`${goldens}/ledger-raw.txt`);
    expect(text).toContain('not proved minimal');
  });

  test('a long interleaving shows its beginning and its end', () => {
    const deposits = Array.from({ length: 30 }, () => ({ op: 'deposit', account: 0, amount: 1 }));
    const text = report(
      toTrace(ledger, {
        family: 'ledger',
        hazard: 'deposit-without-lock',
        configuration: { balance: 10 },
        program: twoClerks(deposits, [{ op: 'transfer', from: 0, amount: 1 }]),
        // ANN loads, BOB runs to his end (8 steps), ANN stores what she has loaded: the transfer is lost.
        schedule: [0, ...Array.from({ length: 8 }, () => 1), ...Array.from({ length: 89 }, () => 0)],
        failure: { monitor: 'ledger', rule: 'lost-deposit', message: 'A deposit is lost.' },
        provenance: { seed: 1, strategy: 'random', executions: 1, seconds: 0 },
      }),
    );
    expect(text).toContain('98 steps, 1 switch');
    expect(text).toContain('… 18 steps; --step shows them …');
    expect(text).toMatch(/^ {2}20 {2}.*\n.* 18 steps; .*\n {2}39 {2}/m);
  });

  test('a deviation of a device is the golden one', async () => {
    const text = conformanceReport({ trace: deviation, file, colour: false });
    await expect(text).toMatchFileSnapshot(`${goldens}/deviation.txt`);
    expect(linesTooLong(text)).toEqual([]);
  });

  test('a list of deviations is the golden one', async () => {
    await expect(`${conformanceNotice({ trace: deviation, file, colour: false })}\n`).toMatchFileSnapshot(
      `${goldens}/deviation-notice.txt`,
    );
  });

  test('a CI job is the golden one', async () => {
    const trace = toTrace(ledger, await minimise(ledger, await find('transfer-lock-order'), { seconds: 30 }));
    const listed = [
      { file, trace, report: report(trace) },
      { file: 'traces/found/device.json', trace: deviation, report: 'a report\n' },
    ];
    await expect(markdownSummary(listed)).toMatchFileSnapshot(`${goldens}/summary.md`);
    expect(markdownSummary([])).toContain('Nothing');
  });
});

test('colour changes nothing but colours', async () => {
  const trace = toTrace(ledger, await find('transfer-lock-order'));
  const coloured = report(trace, true);
  // eslint-disable-next-line no-control-regex -- that is what colours are made of
  expect(coloured.replaceAll(/\u001B\[\d+m/g, '')).toBe(report(trace));
  expect(coloured).toContain('\u001B[31m');
});

describe('text in columns', () => {
  test('is padded by what is seen', () => {
    expect(pad('→', 3)).toBe('→  ');
    expect(pad('long', 2)).toBe('long');
  });

  test('is broken between words, and inside of words that are too long', () => {
    expect(wrap('one two three', 7)).toEqual(['one two', '  three']);
    expect(wrap('abcdefghij', 4, '')).toEqual(['abcd', 'efgh', 'ij']);
    expect(wrap('', 4)).toEqual(['']);
  });

  test('goes to two lines when both ends do not fit', () => {
    expect(ends('left', 'right', 12)).toEqual(['left   right']);
    expect(ends('left', 'right', 10)).toEqual(['left', '     right']);
    expect(ends('left', '', 3)).toEqual(['left']);
  });

  test('counts in English', () => {
    expect([plural(0, 'step'), plural(1, 'switch'), plural(2000, 'switch')]).toEqual([
      '0 steps',
      '1 switch',
      '2,000 switches',
    ]);
  });
});
