/** The command in this process, with a family whose every outcome is known. */
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import type { Family } from '../properties/family.ts';
import { ledger } from '../traces/testing/ledger.ts';
import { exitCode, worst } from './exit.ts';
import { stepThrough } from './stepping.ts';
import { Recorder, stalemate } from './testing/stalemate.ts';
import { loadTrace } from '../traces/load.ts';

const folder = mkdtempSync(join(tmpdir(), 'stalemate-cli-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let out = '';
beforeEach(() => {
  out = mkdtempSync(join(folder, 'found-'));
});

describe('fuzz', () => {
  test('of the correct implementation holds, and says what it did', async () => {
    const { code, terminal } = await stalemate(`fuzz ledger --runs 5000 --seed 1 --out ${out}`);
    expect(code).toBe(exitCode.holds);
    expect(terminal.text).toMatch(/✓ ledger holds: 5,000 executions of \d+ programs .* seed 1/);
    expect(terminal.text).toMatch(/operations .*audit \d.*deposit \d.*transfer \d/s);
    expect(readdirSync(out)).toEqual([]);
  });

  test('without a family runs every family of software, and our device, and says what it has not run', async () => {
    const { code, terminal } = await stalemate(`fuzz --runs 20 --seed 1 --out ${out}`);
    expect(code).toBe(exitCode.holds);
    expect(terminal.text).toMatch(/✓ ledger holds: 20 executions/);
    expect(terminal.text).toMatch(/✓ builtin: no deviation; 20 programs/);
    expect(terminal.text).toMatch(/Not checked: QEMU's SMMUv3.*stalemate fuzz conformance --target qemu-smmuv3/);
  });

  test('of our device with a mistake in it leaves a trace that replays with it, and holds without', async () => {
    const line = `fuzz conformance --target builtin --hazard device-block-mask --runs 40 --seed 1 --out ${out}`;
    expect((await stalemate(line)).code).toBe(exitCode.violation);
    const [name = ''] = readdirSync(out);
    expect(name).toMatch(/^conformance-device-block-mask-/);
    const replay = `replay ${join(out, name)}`;
    expect((await stalemate(replay)).terminal.text).toMatch(/✗ Reproduced/);
    expect((await stalemate(`${replay} --hazard none`)).terminal.text).toMatch(/✓ No deviation/);
    expect((await stalemate(`${replay} --target architecture`)).code).toBe(exitCode.holds);
  }, 120_000);

  test('with nothing but a hazard runs the family that it belongs to', async () => {
    const { code, terminal } = await stalemate(`fuzz --hazard transfer-lock-order --runs 5000 --seed 1 --out ${out}`);
    expect(code).toBe(exitCode.violation);
    expect(terminal.text).toContain('ledger · hazard transfer-lock-order');
    const unknown = await stalemate('fuzz --hazard no-such-mistake');
    expect(unknown.code).toBe(exitCode.usage);
    expect(unknown.stderr).toMatch(/no hazard "no-such-mistake".*transfer-lock-order/s);
  });

  test.each(ledger.hazards.map(({ id }) => id))(
    'finds %s, minimises it, saves it, and says how to replay it',
    async (hazard) => {
      const { code, terminal } = await stalemate(`fuzz ledger --hazard ${hazard} --runs 5000 --seed 2 --out ${out}`);
      expect(code).toBe(exitCode.violation);
      const [name = ''] = readdirSync(out);
      expect(readdirSync(out)).toHaveLength(1);
      const trace = loadTrace(join(out, name));
      expect(trace).toMatchObject({ kind: 'software', hazard, minimal: { operations: 'proved', schedule: 'proved' } });
      expect(terminal.text).toContain(`npx stalemate replay ${join(out, name)}`);
      const replayed = await stalemate(`replay ${join(out, name)}`);
      expect(replayed.code).toBe(exitCode.violation);
      expect(replayed.terminal.text).toContain(`✗ Reproduced: ${trace.expected.fingerprint}.`);
      const without = await stalemate(`replay ${join(out, name)} --hazard none`);
      expect(without.code).toBe(exitCode.holds);
      expect(without.terminal.text).toMatch(/holds under every schedule/);
    },
  );

  test('is on disk before it is minimised', async () => {
    const saved: string[] = [];
    const slow: Family = {
      ...ledger,
      // The minimiser asks for simpler operations; by then the trace must be there.
      simplify: (operation) => {
        saved.push(...readdirSync(out));
        return ledger.simplify(operation);
      },
    };
    await stalemate(`fuzz ledger --hazard deposit-without-lock --runs 5000 --seed 1 --out ${out}`, [slow]);
    expect(saved.length).toBeGreaterThan(0);
    expect(readdirSync(out)).toEqual([...new Set(saved)]);
  });

  test('keeps the trace as it was found if the minimiser breaks', async () => {
    const broken: Family = {
      ...ledger,
      simplify: () => {
        throw new Error('out of ideas');
      },
    };
    const { code, terminal } = await stalemate(
      `fuzz ledger --hazard deposit-without-lock --runs 5000 --seed 1 --out ${out}`,
      [broken],
    );
    expect(code).toBe(exitCode.violation);
    expect(terminal.warnings.at(-1)).toMatch(/minimising broke \(out of ideas\)/);
    expect(terminal.text).toContain('not proved minimal');
  });

  test('goes on if it is told to, and reports each kind of failure once', async () => {
    const { code, terminal } = await stalemate(
      `fuzz ledger --hazard deposit-without-lock --runs 3000 --seed 1 --keep-going --minimise 0 --out ${out}`,
    );
    expect(code).toBe(exitCode.violation);
    expect(terminal.text).toMatch(/1 different failure in 3,000 executions/);
    expect(readdirSync(out)).toHaveLength(1);
  });

  test('saves elsewhere, with a warning, if the folder cannot be written', async () => {
    const blocked = join(out, 'file');
    writeFileSync(blocked, '');
    const { code, terminal } = await stalemate(
      `fuzz ledger --hazard deposit-without-lock --runs 5000 --seed 1 --out ${blocked}`,
    );
    expect(code).toBe(exitCode.violation);
    expect(terminal.warnings.join('\n')).toMatch(/cannot be written/);
    const [, file = ''] = /npx stalemate replay (\S+)/.exec(terminal.text) ?? [];
    expect(loadTrace(file)).toMatchObject({ minimal: { operations: 'proved' } });
    rmSync(file);
  });

  test.each([
    ['--json fuzz', ''],
    ['fuzz', '--json'],
  ])('writes JSON lines: %s … %s', async (before, after) => {
    const { terminal } = await stalemate(
      `${before} ledger --hazard transfer-lock-order --runs 5000 --seed 1 --out ${out} ${after}`,
    );
    expect(terminal.events.map(({ event }) => event)).toEqual(['found', 'failure', 'summary']);
    expect(terminal.events.at(-1)).toMatchObject({ verdict: 'violated', seed: 1, found: 1 });
    expect(terminal.events[1]).toMatchObject({ expected: { monitor: 'deadlock' }, minimal: { operations: 'proved' } });
  });

  test('fails if a long run does not reach a witness, and only warns after a short one', async () => {
    const blind: Family = { ...ledger, witnesses: ['a full moon'] };
    const short = await stalemate('fuzz ledger --runs 500 --seed 1', [blind]);
    expect(short.code).toBe(exitCode.holds);
    expect(short.terminal.warnings.join('\n')).toMatch(
      /a full moon not reached; a run of 40,000 executions or more would fail/,
    );
    const long = await stalemate('fuzz ledger --runs 40000 --seed 1', [blind]);
    expect(long.code).toBe(exitCode.harness);
    expect(long.terminal.text).toMatch(/✗ ledger held, but the run shows too little: a full moon never reached/);
  });

  test('ends at the first Ctrl-C with what it has', async () => {
    const pressed = setTimeout(() => process.emit('SIGINT'), 300);
    const { code, terminal } = await stalemate('fuzz --seconds 60 --seed 1');
    clearTimeout(pressed);
    expect(code).toBe(exitCode.interrupted);
    expect(terminal.warnings).toEqual(['Stopping; once more to quit at once.']);
    expect(terminal.text).toMatch(/held until it was interrupted: [\d,]+ executions/);
    expect(process.listenerCount('SIGINT')).toBe(0);
  });
});

describe('explore', () => {
  test('exhausts every litmus of a family, correct and with its hazards', async () => {
    const { code, terminal } = await stalemate('explore ledger');
    expect(code).toBe(exitCode.holds);
    expect(terminal.text.match(/✓ holds/g)).toHaveLength(3);
    expect(terminal.text.match(/✓ violated/g)).toHaveLength(3);
    expect(terminal.text).toContain('6 explorations: all as they should be.');
  });

  test('of one litmus under a hazard reports the violation', async () => {
    const { code, terminal } = await stalemate(`explore two-deposits --hazard deposit-without-lock --out ${out}`);
    expect(code).toBe(exitCode.violation);
    expect(terminal.text).toMatch(/✗ lost deposit · ledger/);
    expect(readdirSync(out)).toHaveLength(1);
  });

  test('says when a litmus shows nothing, is too large, or fails although it is correct', async () => {
    const [litmus] = ledger.litmus;
    if (litmus === undefined) throw new Error('no litmus');
    const dull: Family = { ...ledger, litmus: [{ ...litmus, hazards: ['audit-never-told'] }] };
    expect((await stalemate('explore ledger', [dull])).code).toBe(exitCode.harness);
    const bounded = await stalemate('explore ledger/two-deposits --states 3');
    expect(bounded.code).toBe(exitCode.harness);
    expect(bounded.terminal.text).toContain('not exhausted');
    const broken: Family = { ...ledger, world: (configuration) => ledger.world(configuration, 'deposit-without-lock') };
    expect((await stalemate(`explore two-deposits --out ${out}`, [broken])).code).toBe(exitCode.violation);
  });
});

describe('replay', () => {
  const found = async (): Promise<string> => {
    await stalemate(`fuzz ledger --hazard deposit-without-lock --runs 5000 --seed 1 --out ${out}`);
    return join(out, readdirSync(out)[0] ?? '');
  };

  test('walks through all steps where there is nobody to ask', async () => {
    const { code, terminal } = await stalemate(`replay ${await found()} --step`);
    expect(code).toBe(exitCode.violation);
    expect(terminal.text).toMatch(/^11 steps\./);
    expect(terminal.text).toMatch(
      / {3}1 {2}ANN · deposit\(1, 1\) · load balance1 → 10\n.*─── switch: ANN could continue/,
    );
  });

  test('walks at the pace of the user', async () => {
    const trace = loadTrace(await found());
    if (trace.kind !== 'software') throw new Error('wrong kind');
    const terminal = new Recorder();
    const answers = ['', 's', '2', 'b', 'what?', 'q'];
    const questions: string[] = [];
    const ask = (question: string) => (questions.push(question), Promise.resolve(answers.shift()));
    await stepThrough(trace, ledger, terminal, { ask, close: () => answers.push('closed') });
    expect(questions).toEqual(['0/11> ', '1/11> ', '1/11> ', '3/11> ', '2/11> ', '2/11> ']);
    expect(terminal.text).toContain('accounts are level');
    expect(terminal.text.match(/number: so many/g)).toHaveLength(2);
    expect(answers).toEqual(['closed']);
  });

  test('says where a schedule no longer fits', async () => {
    const file = await found();
    const text = readFileSync(file, 'utf8').replace('"load balance1"', '"load the dice"');
    writeFileSync(file, text);
    const { code, terminal } = await stalemate(`replay ${file}`);
    expect(code).toBe(exitCode.harness);
    expect(terminal.text).toMatch(/no longer fits the software, at choice 1 of 11: .*load the dice/);
    expect(terminal.text).toMatch(/stalemate fuzz ledger --hazard deposit-without-lock --seed 1/);
  });

  test('under another hazard is another story', async () => {
    const { code } = await stalemate(`replay ${await found()} --hazard audit-never-told`);
    expect([exitCode.harness, exitCode.holds]).toContain(code);
  });
});

test('minimise makes a raw trace small, beside it', async () => {
  await stalemate(`fuzz ledger --hazard deposit-without-lock --runs 5000 --seed 1 --minimise 0 --out ${out}`);
  const [name = ''] = readdirSync(out);
  expect(loadTrace(join(out, name))).not.toHaveProperty('minimal');
  const { code, terminal } = await stalemate(`minimise ${join(out, name)}`);
  expect(code).toBe(exitCode.violation);
  expect(terminal.text).toContain('minimal: every smaller program holds');
  const smaller = loadTrace(join(out, name.replace('.json', '.min.json')));
  expect(smaller).toMatchObject({ minimal: { operations: 'proved' } });
  const trace = loadTrace(join(out, name));
  writeFileSync(join(out, name), JSON.stringify({ ...trace, expected: { ...trace.expected, fingerprint: 'other' } }));
  expect((await stalemate(`minimise ${join(out, name)}`)).code).toBe(exitCode.usage);
});

test('summarise writes Markdown, and goes on after a file that is no trace', async () => {
  await stalemate(`fuzz ledger --hazard deposit-without-lock --runs 5000 --seed 1 --out ${out}`);
  const good = await stalemate(`summarise ${out}`);
  expect(good.code).toBe(exitCode.holds);
  expect(good.terminal.text).toMatch(
    /\*\*1 found\*\*.*\| ledger\/lost-deposit \| ledger, hazard deposit-without-lock \|/s,
  );
  writeFileSync(join(out, 'bad.json'), '{');
  const bad = await stalemate(`summarise ${out}`);
  expect(bad.code).toBe(exitCode.usage);
  expect(bad.terminal.text).toContain('**1 found**');
  expect((await stalemate(`summarise ${join(out, 'nowhere')}`)).terminal.text).toContain('Nothing was found.');
});

describe('bad input ends with exit code 2 and a message that helps', () => {
  test.each<[string, RegExp]>([
    ['fuzz leger', /no family "leger". Did you mean ledger\? Possible: ledger, conformance/],
    ['fuzz --hazard deposit-without-loc', /Did you mean deposit-without-lock\? Possible:/],
    ['fuzz conformance --target qemu', /no target "qemu".*Possible: architecture, builtin, qemu-smmuv3/],
    ['fuzz conformance --hazard x', /target builtin, not into qemu-smmuv3/],
    ['fuzz conformance --target builtin --hazard x', /no hazard of conformance "x"/],
    ['fuzz conformance --target builtin --hazard device-late-fill', /stalemate hazards --family conformance/],
    ['hazards --family conformance --hazard x', /no hazard of conformance "x"/],
    ['fuzz conformance --against no-such-qemu', /"no-such-qemu" is neither a target nor a file that can be executed/],
    ['fuzz ledger --against builtin', /--against compares devices/],
    ['fuzz ledger --target qemu-smmuv3', /runs on the target architecture/],
    ['fuzz ledger --target qemu-vtd', /no target "qemu-vtd".*Possible: architecture, builtin, qemu-smmuv3/],
    ['fuzz --seconds soon', /must be a number/],
    ['fuzz --seed -1', /whole number/],
    ['fuzz --strategy luck', /Allowed choices are random, pct, pos, urw, feedback, portfolio/],
    ['explore nothing', /no family or litmus "nothing".*two-deposits/],
    ['replay', /missing required argument/],
    ['replay nowhere.json', /nowhere\.json cannot be read/],
    ['minimise nowhere.json', /cannot be read/],
    ['hazards --family x', /no family "x"/],
    ['fizz', /unknown command 'fizz'/],
    ['--colour', /unknown option '--colour'/],
  ])('%s', async (line, message) => {
    const { code, stderr } = await stalemate(line);
    expect(code).toBe(exitCode.usage);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/ {4}at /);
  });

  test('replay of a truncated trace, a trace of the future, of another family, of an unknown hazard', async () => {
    await stalemate(`fuzz ledger --hazard deposit-without-lock --runs 5000 --seed 1 --out ${out}`);
    const file = join(out, readdirSync(out)[0] ?? '');
    const text = readFileSync(file, 'utf8');
    mkdirSync(join(out, 'bad'));
    const bad = join(out, 'bad', 'x.json');
    const messages: string[] = [];
    for (const content of [
      text.slice(0, 300),
      text.replace(/"version": \d+/, '"version": 7'),
      text.replace('"family": "ledger"', '"family": "lodger"'),
      text.replace('"hazard": "deposit-without-lock"', '"hazard": "deposit"'),
      text.replace('"op":"deposit"', '"op":"withdraw"'),
    ]) {
      writeFileSync(bad, content);
      const { code, stderr } = await stalemate(`replay ${bad}`);
      expect(code).toBe(exitCode.usage);
      messages.push(stderr);
    }
    expect(messages).toEqual([
      expect.stringMatching(/truncated/),
      expect.stringMatching(/format version 7/),
      expect.stringMatching(/"lodger"/),
      expect.stringMatching(/"deposit".*deposit-without-lock/),
      expect.stringMatching(/cannot be run: .*withdraw/),
    ]);
  });
});

test('help and version are no errors', async () => {
  const help = await stalemate('--help');
  expect(help.code).toBe(exitCode.holds);
  expect(help.stderr).toMatch(/Exit codes: 0 holds/);
  expect((await stalemate('--version')).code).toBe(exitCode.holds);
});

test('of several results the most serious one counts', () => {
  expect(worst([exitCode.holds, exitCode.harness, exitCode.violation])).toBe(exitCode.violation);
  expect(worst([exitCode.holds, exitCode.interrupted])).toBe(exitCode.interrupted);
  expect(worst([])).toBe(exitCode.holds);
});
