/** `stalemate hazards`: the kill matrix, with a family whose every outcome is known. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { STRATEGY_NAMES } from '../properties/campaign.ts';
import type { Family } from '../properties/family.ts';
import { ledger } from '../traces/testing/ledger.ts';
import { exitCode } from './exit.ts';
import { stalemate } from './testing/stalemate.ts';

const folder = mkdtempSync(join(tmpdir(), 'stalemate-hazards-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('shows how often and how fast each is found', async () => {
  const { code, terminal } = await stalemate('hazards --seeds 2 --seconds 5');
  expect(code).toBe(exitCode.holds);
  expect(terminal.text.match(/ 2\/2 /g)).toHaveLength(3);
  expect(terminal.text).toMatch(/portfolio found every hazard \(3\) from every seed\./);
});

test('names what survives', async () => {
  const { code, terminal } = await stalemate('hazards --seeds 1 --seconds 0 --hazard deposit-without-lock');
  expect(code).toBe(exitCode.harness);
  expect(terminal.text).toMatch(/deposit-without-lock +0\/1 .*lost-deposit expected/);
  expect(terminal.text).toMatch(/1 hazard not found from every seed by portfolio: deposit-without-lock\./);
});

test('with every strategy is judged by the portfolio, and written as Markdown', async () => {
  const file = join(folder, 'matrix.md');
  const line = `hazards --matrix --seeds 2 --seconds 5 --minimise 5 --markdown ${file}`;
  const { code, terminal } = await stalemate(line);
  expect(code).toBe(exitCode.holds);
  expect(terminal.text).toMatch(new RegExp(`hazard +${STRATEGY_NAMES.join(' +')} +minimal +violation`));
  const text = readFileSync(file, 'utf8');
  expect(text).toMatch(/Made by `stalemate hazards --matrix --seeds 2 --seconds 5`/);
  expect(text).toMatch(
    /\| `transfer-lock-order` +\| lock-cycle +(\| 2\/2 · [\d,]+ · [\d.]+ s +){6}\| 2 ops \d sw \d+ st ✓ /,
  );
  const columns = text
    .split('\n')
    .filter((row) => row.startsWith('|'))
    .map((row) => row.length);
  expect(new Set(columns).size).toBe(1);
});

test('flags a violation that the hazard does not say it shows as', async () => {
  const [first, ...others] = ledger.hazards;
  if (first === undefined) throw new Error('the ledger has hazards');
  const vague: Family = {
    ...ledger,
    hazards: [{ ...first, expected: [{ monitor: 'ledger', rule: 'other' }] }, ...others],
  };
  const { code, terminal } = await stalemate(`hazards --seeds 1 --hazard ${first.id}`, [vague]);
  expect(code).toBe(exitCode.holds);
  expect(terminal.text).toMatch(/lost-deposit \(not expected\)/);
  expect(terminal.text).toMatch(/Note: deposit-without-lock was also found as lost-deposit/);
});

test('writes one JSON object for each hazard', async () => {
  const { terminal } = await stalemate('hazards --seeds 2 --hazard audit-never-told --strategy pct random --json');
  const kill = {
    executions: expect.any(Number),
    seconds: expect.any(Number),
    monitor: 'deadlock',
    rule: 'lost-wake-up',
    expected: true,
  };
  const hunts = [1, 2].map((seed) => ({ seed, kill }));
  expect(terminal.events).toEqual([
    {
      event: 'hazard',
      family: 'ledger',
      hazard: 'audit-never-told',
      expected: ['lost-wake-up'],
      strategies: [
        { strategy: 'pct', hunts },
        { strategy: 'random', hunts },
      ],
    },
  ]);
});

test.each([
  ['hazards --strategy luck', /Allowed choices are random/],
  ['hazards --workers 0', /--workers must be 1 or more/],
  ['hazards --seeds 1 --seconds 1 --markdown /nowhere/at/all.md', /\/nowhere\/at\/all\.md cannot be written/],
])('%s is a usage error', async (line, message) => {
  const { code, stderr } = await stalemate(line);
  expect(code).toBe(exitCode.usage);
  expect(stderr).toMatch(message);
});

test('of devices are hunted by the device check, and have a section of their own', async () => {
  const file = join(folder, 'devices.md');
  const line = `hazards --seeds 2 --seconds 30 --markdown ${file}`;
  await stalemate(`${line} --hazard deposit-without-lock`);
  const { code, terminal } = await stalemate(`${line} --family conformance --hazard device-block-mask`);
  expect(code).toBe(exitCode.holds);
  expect(terminal.text).toMatch(/device-block-mask +2\/2 /);
  const text = readFileSync(file, 'utf8');
  expect(text).toMatch(/\| `device-block-mask` \| the TLB compares one address bit too few \| programs \| 2\/2 /);
  // Each leaves what the other made.
  expect(text).toMatch(/## ledger/);
  await stalemate(`${line} --hazard deposit-without-lock`);
  expect(readFileSync(file, 'utf8').match(/^## .*/gm)).toEqual(['## ledger', '## Devices']);
}, 120_000);
