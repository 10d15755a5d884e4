import {
  allocatorBugs,
  counterexample,
  type AllocatorName,
  type AllocatorRow,
} from '../../model/allocators/explore.ts';
import { paint } from '../../traces/report/paint.ts';
import { grouped, pad, plural, reportWidth, wrap } from '../../traces/report/text.ts';
import { unknown, type Context } from '../context.ts';
import { exitCode, UsageError, worst, type ExitCode } from '../exit.ts';
import { interruptible } from '../interrupt.ts';

/** What `stalemate explore` knows besides families and litmus programs, with the allocator that each name means. */
const ALLOCATORS = new Map<string, AllocatorName | undefined>([
  ['allocators', undefined],
  ['allocators/asid', 'asid'],
  ['allocators/vmid', 'vmid'],
]);

/** The names that `allocatorsCommand` knows. */
export const ALLOCATOR_NAMES: readonly string[] = [...ALLOCATORS.keys()];

/** The part of `ExploreCommand` that means something for allocators. */
export interface AllocatorsCommand {
  /** One of `ALLOCATOR_NAMES`. */
  readonly name: string;
  /** A mistake, instead of the correct allocators. */
  readonly hazard: string | undefined;
  readonly statesMax: number;
  /** What is not for allocators. */
  readonly checkpoint: string | undefined;
  readonly switchesMax?: number | undefined;
  readonly visited?: string | undefined;
}

/** The models of the allocators of ASIDs and VMIDs under every schedule (docs/allocators.md). */
export async function allocatorsCommand(command: AllocatorsCommand, context: Context): Promise<ExitCode> {
  const { hazard: bug, statesMax } = command;
  const { terminal } = context;
  if (bug !== undefined && !allocatorBugs().includes(bug)) throw unknown('hazard of allocators', bug, allocatorBugs());
  if (command.switchesMax !== undefined || (command.visited ?? 'full') !== 'full')
    throw new UsageError('Allocators are explored under every schedule, with all states remembered in full.');
  if (command.checkpoint !== undefined)
    throw new UsageError('Allocators are explored in seconds, without --checkpoint.');
  const rows: AllocatorRow[] = [];
  return interruptible(terminal, async ({ signal }) => {
    terminal.print(HEAD);
    let before = performance.now();
    const options = { allocator: ALLOCATORS.get(command.name), bug, statesMax };
    for await (const row of context.allocators(options, signal)) {
      const seconds = (performance.now() - before) / 1000;
      before = performance.now();
      rows.push(row);
      for (const line of linesOf(row, seconds, terminal.colour)) terminal.print(line);
      const { allocator, scene, published, exploration } = row;
      const tlc = published === undefined ? undefined : countsOf(published);
      terminal.event({ event: 'explored', allocator, scene, hazard: row.bug, published: tlc, seconds, ...exploration });
      terminal.progress(`${plural(rows.length, 'exploration')} done`);
    }
    for (const line of shortest(rows)) terminal.print(line);
    const codes = rows.map(codeOf);
    if (signal.aborted) {
      terminal.print(`Interrupted after ${plural(rows.length, 'exploration')}.`);
      terminal.event({ event: 'interrupted', done: rows.length });
      return worst([...codes, exitCode.interrupted]);
    }
    const code = worst(codes);
    terminal.print(`${plural(rows.length, 'exploration')}: ${ENDS[code] ?? 'some did not show what they should.'}`);
    return code;
  });
}

const ENDS: Readonly<Record<number, string>> = {
  [exitCode.holds]: 'all as they should be.',
  [exitCode.violation]: 'violated.',
};

const HEAD = `${pad('', 6)}${pad('bounds', 50)}${pad('result', 28)} generated  distinct  depth     time`;

/** What TLC prints. */
function countsOf({ generated, distinct, depth }: NonNullable<AllocatorRow['published']>): Record<string, number> {
  return { generated, distinct, depth };
}

/** True if TLC counts something else. */
function differs({ published, exploration }: AllocatorRow): boolean {
  if (published === undefined) return false;
  const { generated, distinct, depth } = exploration;
  return published.generated !== generated || published.distinct !== distinct || published.depth !== depth;
}

function codeOf(row: AllocatorRow): ExitCode {
  const { verdict } = row.exploration;
  if (verdict === 'broken') return exitCode.violation;
  return verdict === 'holds' && !differs(row) ? exitCode.holds : exitCode.harness;
}

/** A row of the table, and below it what it came by, or by which it did not. */
function linesOf(row: AllocatorRow, seconds: number, colour: boolean): string[] {
  const { verdict, failure, generated, distinct, depth, witnesses, missing } = row.exploration;
  const inks = paint(colour);
  const holds = row.published === undefined ? '✓ holds' : '✓ holds, counted as by TLC';
  const words = {
    holds: differs(row) ? '✗ TLC counts differently' : row.bug === undefined ? holds : 'not violated here',
    broken: `✗ ${failure?.rule ?? ''}`,
    vacuous: '✗ vacuous',
    bound: '✗ not exhausted (states)',
  }[verdict];
  const ink = words.startsWith('✓') ? inks.good : words.startsWith('✗') ? inks.bad : inks.dim;
  const counts = `${grouped(generated).padStart(10)}${grouped(distinct).padStart(10)}${String(depth).padStart(7)}`;
  const lines = [
    `${pad(row.allocator, 6)}${pad(row.scene, 50)}${ink(pad(words, 28))}${counts}${`${seconds.toFixed(2)} s`.padStart(9)}`,
  ];
  const below = (title: string, text: string): void =>
    void lines.push(...wrap(`${title}: ${text}`, reportWidth - 6).map((line) => `      ${line}`));
  if (differs(row)) below('TLC', JSON.stringify(row.published && countsOf(row.published)));
  if (row.bug === undefined && witnesses.length > 0) below('reached', witnesses.join(' · '));
  if (missing.length > 0) below('not reached, as it should have been', missing.join(' · '));
  return lines;
}

/** The shortest counterexample, step by step. */
function shortest(rows: readonly AllocatorRow[]): string[] {
  const length = ({ exploration }: AllocatorRow): number => exploration.schedule?.length ?? Infinity;
  const [row] = rows.toSorted((a, b) => length(a) - length(b));
  if (row?.exploration.failure === undefined) return [];
  const steps = counterexample(row);
  const agents = Math.max(...steps.map(({ agentName }) => agentName.length)) + 2;
  const labels = Math.max(...steps.map(({ label }) => label.length)) + 2;
  return [
    '',
    `The shortest counterexample: ${row.allocator}, ${row.scene}, ${plural(steps.length, 'step')}.`,
    ...steps.map(({ agentName, label, changes }, at) => {
      const changed = changes.map(({ name, before, after }) => `${name} ${before} → ${after}`).join(', ');
      return `${String(at + 1).padStart(4)}  ${pad(agentName, agents)}${pad(label, labels)}${changed}`.trimEnd();
    }),
    row.exploration.failure.message,
    '',
  ];
}
