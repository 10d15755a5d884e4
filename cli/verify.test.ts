/** `stalemate verify`: what it prints and exits with. That it is right is checked in `properties/verify`. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { asid } from '../properties/asid/index.ts';
import { loadTrace } from '../traces/load.ts';
import { exitCode } from './exit.ts';
import { stalemate } from './testing/stalemate.ts';

const folder = mkdtempSync(join(tmpdir(), 'stalemate-verify-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('holds for the correct implementation, and says what was exhausted and what was not', async () => {
  const { code, terminal } = await stalemate('verify asid --ops 1', [asid]);
  expect(code).toBe(exitCode.holds);
  expect(terminal.text).toMatch(/1 {2}two-masters +✓ exhausted +58 +\d+ +\d+ +[\d.]+ s/);
  expect(terminal.text).toMatch(/✓ asid holds for every program of up to 1 operation on up to 1 CPU, from \d+ worlds/);
  expect(terminal.text).toMatch(/operations .*attach \d.*witnesses .*not checked .*more than 1 operation/s);
});

test('finds a mistake, makes it small, saves it, and says how to replay it', async () => {
  const out = join(folder, 'found');
  const hazard = '--hazard pgtable-free-before-sync';
  const { code, terminal } = await stalemate(`verify asid ${hazard} --world plain --out ${out}`, [asid]);
  expect(code).toBe(exitCode.violation);
  expect(terminal.text).toMatch(/✗ asid: violated by a program of 1 operation;/);
  const [name = ''] = readdirSync(out);
  expect(loadTrace(join(out, name))).toMatchObject({
    kind: 'software',
    provenance: { strategy: 'verify --ops 2' },
    minimal: { operations: 'proved', schedule: 'proved' },
  });
  const replayed = await stalemate(`replay ${join(out, name)}`, [asid]);
  expect(replayed.code).toBe(exitCode.violation);
});

test('that ends at a bound is no success', async () => {
  const bounded = await stalemate('verify asid --world plain --states 1000', [asid]);
  expect(bounded.code).toBe(exitCode.harness);
  expect(bounded.terminal.text).toMatch(
    /2\s+operations\s+from\s+plain: ended at the\s+bound on states,\s+after 1,000 states/,
  );
  const late = await stalemate('verify asid --seconds 0', [asid]);
  expect(late.code).toBe(exitCode.harness);
  expect(late.terminal.text).toMatch(
    /1 operation from no-master, .*not\s+begun;\s+2\s+operations\s+from\s+all\s+worlds:\s+not\s+begun/s,
  );
});

test('writes one JSON object for each search, and a summary', async () => {
  const { terminal } = await stalemate('verify asid --ops 1 --world plain --world lazy --json', [asid]);
  expect(terminal.events).toEqual([
    expect.objectContaining({ event: 'verified', world: 'plain', ended: 'exhausted', operations: 1, programs: 58 }),
    expect.objectContaining({ event: 'verified', world: 'lazy', ended: 'exhausted', operations: 1, programs: 69 }),
    expect.objectContaining({ event: 'summary', verdict: 'holds', left: [], programs: 127 }),
  ]);
});

test('starts from a world with a difference', async () => {
  const { code, terminal } = await stalemate('verify asid --ops 1 --configuration masters=2 mapped=2', [asid]);
  expect(code).toBe(exitCode.holds);
  expect(terminal.text).toMatch(/1 {2}plain masters=2 mapped=2 +✓ exhausted/);
});

test('counts interleavings and traces of each program on its own', async () => {
  const line = 'verify asid --traces --world lazy --only dmaMap dmaFlush';
  const { code, terminal } = await stalemate(line, [asid]);
  expect(code).toBe(exitCode.holds);
  const [, programs, interleavings, traces] =
    /lazy: (\d+) programs, each on its own: ([\d,]+) interleavings, ([\d,]+) different traces/.exec(terminal.text) ??
    [];
  expect(programs).toBe('135');
  expect(Number(interleavings?.replaceAll(',', ''))).toBeGreaterThan(10 * Number(traces?.replaceAll(',', '')));
});

test('of some operations only takes more of them', async () => {
  const only = '--ops 4 --agents 1 --only dmaMap dmaUnmap dmaFlush --world lazy';
  const { code, terminal } = await stalemate(`verify asid ${only}`, [asid]);
  expect(code).toBe(exitCode.holds);
  expect(terminal.text).toMatch(/up to 4 operations of dmaMap, dmaUnmap, dmaFlush on up to 1 CPU, from 1 world/);
  expect(terminal.text).toMatch(/not checked .*operations\s+other\s+than\s+dmaMap/s);
});

test.each([
  ['verify asid --only dmaMap --world plain', /no operation in these worlds "dmaMap"/],
  ['verify ledger', /ledger has no small worlds/],
  ['verify asid --world plan', /no world "plan".*Did you mean plain/],
  ['verify asid --configuration masters=9', /masters and mapped are 0 to 2/],
  ['verify asid --configuration masters', /write field=value/],
  ['verify asid --ops 0', /must be 1 or more/],
  ['verify asid --hazard nothing', /no hazard of asid "nothing"/],
])('%s is a usage error that says what is possible', async (line, message) => {
  const { ledger } = await import('../traces/testing/ledger.ts');
  const { code, stderr, terminal } = await stalemate(line, [asid, ledger]);
  expect(code).toBe(exitCode.usage);
  expect(stderr + terminal.warnings.join()).toMatch(message);
});
