/** Documents as programs: their command blocks, what those print, and the reports that stand in them. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { families } from '../properties/index.ts';
import { loadTrace } from '../traces/load.ts';
import { familyOf, replaySoftware } from '../traces/replay.ts';
import { softwareReport } from '../traces/report/software.ts';

/** The documents whose commands are run. */
export function documents(): string[] {
  return [
    'README.md',
    ...['docs', 'docs/findings'].flatMap((folder) =>
      readdirSync(folder)
        .filter((name) => name.endsWith('.md'))
        .map((name) => `${folder}/${name}`),
    ),
  ];
}

/** A command block (```sh), with what the comment before it says about running it. */
export interface Block {
  readonly line: number;
  readonly commands: readonly string[];
  /** Expected exit code of each command. */
  readonly exit: number;
  readonly needsQemu: boolean;
  /** Why it is not run. */
  readonly skip: string | undefined;
  /** Lines that the commands print, among others: of the block after it, if `<!-- prints -->` stands before that. */
  readonly prints: readonly string[];
  /** All that they print, if `<!-- output -->` stands before the block after it (`npm run docs` puts it there). */
  readonly output: string | undefined;
}

/** Runs one line; `npx stalemate` is started directly, which saves npm's second. */
export function sh(
  line: string,
  folder: string,
): { readonly status: number | null; readonly stdout: string; readonly stderr: string } {
  const direct = line.replaceAll('npx stalemate', 'node bin/stalemate.js').replaceAll('/tmp/stalemate-docs', folder);
  return spawnSync('sh', ['-c', direct], { encoding: 'utf8', timeout: 110_000 });
}

/**
 * The command blocks of a document. The line before a block may say how it is tested:
 * `<!-- test: exit 1; needs QEMU; skip: reason; run: a quicker command -->`.
 */
export function blocksOf(text: string): Block[] {
  const lines = text.split('\n');
  return lines.flatMap((line, at): Block[] => {
    if (line !== '```sh') return [];
    const end = lines.indexOf('```', at);
    const items = (/^<!-- test: (.*) -->$/.exec(lines[at - 1] ?? '')?.[1] ?? '').split(/; (?=needs|skip|run|exit)/);
    const value = (name: string): string | undefined =>
      items
        .find((item) => item.startsWith(name))
        ?.slice(name.length)
        .trim();
    const instead = value('run:');
    return [
      {
        line: at + 1,
        commands: instead === undefined ? lines.slice(at + 1, end) : [instead],
        exit: Number(value('exit') ?? 0),
        needsQemu: items.includes('needs QEMU'),
        skip: value('skip:'),
        prints: textAfter(lines, end, '<!-- prints -->').filter((printed) => printed.trim() !== ''),
        output: outputAfter(lines, end),
      },
    ];
  });
}

/** The lines of the text block that follows, if this stands before it. */
function textAfter(lines: readonly string[], end: number, marker: string): readonly string[] {
  const at = lines.findIndex((line, index) => index > end && line !== '');
  return lines[at] === marker ? lines.slice(at + 2, lines.indexOf('```', at + 2)) : [];
}

function outputAfter(lines: readonly string[], end: number): string | undefined {
  const text = textAfter(lines, end, outputMarker);
  return text.length === 0 ? undefined : `${text.join('\n')}\n`;
}

/** What a command has printed, as far as it is the same on every machine: without times, and however wide columns are. */
export function withoutTimes(text: string): string {
  return text.replaceAll(/[\d.]+ s\b( \([\d,]+\/s\))?/g, '… s').replaceAll(/ +/g, ' ');
}

const outputMarker = '<!-- output -->';
const outputBlock = /(```sh\n([^`]*)```\n\n<!-- output -->\n```text\n)[^]*?(```\n)/g;

/** The document with each `<!-- output -->` block as the commands before it print today. */
export function withOutputs(text: string): string {
  return text.replaceAll(outputBlock, (_, before: string, commands: string, after: string) => {
    const printed = commands.split('\n').map((command) => (command === '' ? '' : sh(command, tmpdir()).stdout));
    return `${before}${printed.join('')}${after}`;
  });
}

const reportBlock = /(<!-- report: (\S+) -->\n```text\n)[^]*?(```\n)/g;

/** The document with each `<!-- report: FILE -->` block as the trace reports today. */
export function withReports(text: string): string {
  return text.replaceAll(
    reportBlock,
    (_, before: string, file: string, after: string) => before + reportOf(file) + after,
  );
}

/** Reads a document. */
export function read(name: string): string {
  return readFileSync(name, 'utf8');
}

function reportOf(file: string): string {
  const trace = loadTrace(file);
  if (trace.kind !== 'software') throw new Error(`${file} is no trace of software`);
  const family = familyOf(trace, families);
  return softwareReport({ trace, family, replayed: replaySoftware(trace, family), file, colour: false });
}
