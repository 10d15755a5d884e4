/** Documents as programs: their command blocks, and the reports that stand in them. */
import { readdirSync, readFileSync } from 'node:fs';
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
        prints: printedAfter(lines, end),
      },
    ];
  });
}

function printedAfter(lines: readonly string[], end: number): readonly string[] {
  const at = lines.findIndex((line, index) => index > end && line !== '');
  if (lines[at] !== '<!-- prints -->') return [];
  return lines.slice(at + 2, lines.indexOf('```', at + 2)).filter((line) => line.trim() !== '');
}

/** What a command has printed, as far as it is the same on every machine: without times, and however wide columns are. */
export function withoutTimes(text: string): string {
  return text.replaceAll(/[\d.]+ s\b( \([\d,]+\/s\))?/g, '… s').replaceAll(/ +/g, ' ');
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
