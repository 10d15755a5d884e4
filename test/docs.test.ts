/** Every command in the documents is run; every report in them is what the command prints today. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { makeProgram } from '../cli/program.ts';
import { findQemuArm } from '../impl/qemu/index.ts';
import { families } from '../properties/index.ts';
import { blocksOf, documents, read, sh, withoutTimes, withOutputs, withReports } from './documents.ts';

const folder = mkdtempSync(join(tmpdir(), 'stalemate-docs-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.each(documents())('%s', (name) => {
  const text = read(name);

  for (const { line, commands, exit, needsQemu, skip, prints, output: whole } of blocksOf(text))
    test.skipIf(skip !== undefined || (needsQemu && findQemuArm() === undefined))(
      `line ${line}: ${commands.join(' && ')}`,
      () => {
        let printed = '';
        for (const command of commands) {
          const { status, stdout, stderr } = sh(command, folder);
          expect(status, `${command}\n${stdout}${stderr}`).toBe(exit);
          printed += withoutTimes(stdout);
        }
        if (whole !== undefined) expect(printed, 'npm run docs').toBe(withoutTimes(whole));
        for (const wanted of prints) expect(printed).toContain(withoutTimes(wanted).trim());
      },
    );

  test('has the reports of today (npm run docs)', () => {
    expect(withReports(text)).toBe(text);
  });

  test('links to files that exist', () => {
    const links = [...text.matchAll(/\]\(([^)#:]+)(#[^)]*)?\)/g)].map(([, link = '']) => join(dirname(name), link));
    expect(links.filter((link) => !existsSync(link))).toEqual([]);
  });
});

test('the guide has every command, and every option of fuzz', () => {
  const guide = read('docs/guide.md');
  const program = makeProgram(families, () => undefined);
  const missing = program.commands
    .map((command) => command.name())
    .filter((name) => !guide.includes(`npx stalemate ${name}`) && !guide.includes(`\`${name}\``));
  expect(missing).toEqual([]);
  const fuzz = program.commands.find((command) => command.name() === 'fuzz');
  expect(fuzz?.options.map(({ long }) => long ?? '').filter((option) => !guide.includes(option))).toEqual([]);
});

test('the README counts the hazards', () => {
  for (const { name, hazards } of families)
    expect(read('README.md')).toMatch(new RegExp(`\`${name}\` family builds ${hazards.length} known mistakes`));
});

test('a block without a comment is run as it stands, and one with a comment as that says', () => {
  const text = [
    '```sh',
    'a',
    'b',
    '```',
    '<!-- test: exit 1; needs QEMU; run: c --d; skip: later -->',
    '```sh',
    'x',
    '```',
  ].join('\n');
  expect(blocksOf(text)).toEqual([
    { line: 1, commands: ['a', 'b'], exit: 0, needsQemu: false, skip: undefined, prints: [], output: undefined },
    { line: 6, commands: ['c --d'], exit: 1, needsQemu: true, skip: 'later', prints: [], output: undefined },
  ]);
});

test('a block may say all that its commands print', () => {
  const text = ['```sh', 'echo one', 'echo two', '```', '', '<!-- output -->', '```text', 'zero', '```', ''].join('\n');
  expect(blocksOf(text)[0]?.output).toBe('zero\n');
  const today = withOutputs(text);
  expect(blocksOf(today)[0]?.output).toBe('one\ntwo\n');
  expect(withOutputs(today)).toBe(today);
});

test('a block may say what its commands print, whatever the time and the width', () => {
  const text = [
    '```sh',
    'a',
    '```',
    '',
    '<!-- prints -->',
    '```text',
    '  3  x  ✓  7 states  1.20 s',
    '',
    'b',
    '```',
  ].join('\n');
  const [block] = blocksOf(text);
  expect(block?.prints).toEqual(['  3  x  ✓  7 states  1.20 s', 'b']);
  const printed = withoutTimes('  3  x   ✓    7 states   31.05 s\nb in 2 s (1,200/s)');
  expect(printed).toBe(' 3 x ✓ 7 states … s\nb in … s');
  expect(printed).toContain(withoutTimes(block?.prints[0] ?? '').trim());
});
