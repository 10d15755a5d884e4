/** `stalemate fuzz --cost`: what it prints and exits with. What is counted is checked in `properties/cost`. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { signals, signalScenario } from '../properties/cost/testing/signals.ts';
import { ledger } from '../traces/testing/ledger.ts';
import { exitCode } from './exit.ts';
import { stalemate } from './testing/stalemate.ts';

const folder = mkdtempSync(join(tmpdir(), 'stalemate-cost-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const safe = [signals('off', 'on'), ledger];

describe('fuzz --cost', () => {
  test('prints a table with a column for each design', async () => {
    const { code, terminal } = await stalemate('fuzz signals --cost --seed 1 --runs 20', safe);
    expect(code).toBe(exitCode.holds);
    expect(terminal.text).toMatch(/^signals · cost of designs · seed 1 · 20 executions under each\n/);
    expect(terminal.text).toMatch(/\n +off +on\nbroadcast TLBIs of CPUs +\d+ +\d+\n/);
    expect(terminal.text).toMatch(/ {4}valid ones of private spaces of stage 1 +0\.00 +1\.00\n/);
    expect(terminal.text).toMatch(/ {2}and so loses of what it holds +0\.0 % +100\.0 %\n/);
    expect(terminal.text).toMatch(/ {2}CMD_TLBI +[\d.]+ +0\.00\n/);
    expect(terminal.text).toMatch(/ {2}all schedules of two-cpus +✓ \d+ states +✓ 9 states\n/);
    expect(terminal.text).toMatch(/\noff: design off\non: design on\n\n✓ signals: every design is as it should be\.$/);
  });

  test('prints the same again, and without a name all families that have designs', async () => {
    const first = await stalemate('fuzz signals --cost --seed 7 --runs 20', safe);
    expect((await stalemate('fuzz --cost --seed 7 --runs 20', safe)).terminal.text).toBe(first.terminal.text);
    expect((await stalemate('fuzz --cost --seed 8 --runs 20', safe)).terminal.text).not.toBe(first.terminal.text);
  });

  test('says it in JSON', async () => {
    const { terminal } = await stalemate('fuzz signals --cost --seed 1 --runs 20 --json', safe);
    expect(terminal.events.map(({ event, design, safe: holds }) => [event, design, holds])).toEqual([
      ['cost', 'off', true],
      ['cost', 'on', true],
    ]);
    expect(terminal.events[1]).toMatchObject({ shareLost: 100, executions: 20, commands: { tlbi: 0 } });
  });

  test('ends with 1 if a design is violated, and says how', async () => {
    const line = `fuzz --cost --seed 1 --runs 20 --minimise 0 --out ${folder}`;
    const { code, terminal } = await stalemate(line, [signals('on', 'rash')]);
    expect(code).toBe(exitCode.violation);
    expect(terminal.text).toMatch(/\n {2}Replay {3}npx stalemate replay .*signals-too-many-.*\.json\n/);
    const [file = '', ...others] = readdirSync(folder);
    expect(others).toEqual([]);
    expect((await stalemate(`replay ${join(folder, file)}`, [signals('on', 'rash')])).code).toBe(exitCode.violation);
    expect(terminal.text).toMatch(/safety: executions violated +0 +\d+\n/);
    expect(terminal.text).toMatch(/all schedules of two-cpus +✓ 9 states +✗ violated\n/);
    expect(terminal.text).toMatch(
      /\nrash: signals\/too-many in \d+ executions\nrash: signals\/too-many in two-cpus\n\n✗ signals: a design is violated\.$/,
    );
  });

  test('counts units by themselves', async () => {
    const { terminal } = await stalemate('fuzz signals --cost --seed 1 --runs 4', safe);
    expect(terminal.text).toMatch(
      /\ncommands of some operations: .*\n {2}both CPUs +4\/0\/0\/0 \+4 −0 +0\/0\/0\/0 \+4 −8\n/,
    );
  });

  test('does not count the violations of a design that is known not to be safe, but their absence', async () => {
    const seen = await stalemate('fuzz --cost --seed 1 --runs 20', [signals('on', 'bad')]);
    expect(seen.code).toBe(exitCode.holds);
    expect(seen.terminal.text).toMatch(/\nbad: design bad \(known not to be safe\)\nbad: signals\/too-many in /);
    const missed = [{ ...signals('bad'), cost: { ...signalScenario('bad'), litmus: [] } }];
    expect((await stalemate('fuzz --cost --seed 1 --runs 0', missed)).code).toBe(exitCode.harness);
  });

  test('ends with 3 if nothing was invalidated', async () => {
    const { code } = await stalemate('fuzz --cost --seed 1 --runs 0', safe);
    expect(code).toBe(exitCode.harness);
  });

  test('refuses families without designs, and options that it does not go with', async () => {
    const none = await stalemate('fuzz ledger --cost', safe);
    expect(none.code).toBe(exitCode.usage);
    expect(none.stderr).toMatch(
      /There is no family with designs whose cost can be compared "ledger"\. Possible: signals\./,
    );
    expect((await stalemate('fuzz --cost', [ledger])).stderr).toMatch(/No family has designs/);
    const timed = await stalemate('fuzz signals --cost --seconds 3', safe);
    expect(timed.code).toBe(exitCode.usage);
    expect(timed.stderr).toMatch(/--cost goes with --seed, --runs, --out, --minimise, --json; leave out --seconds\./);
  });
});
