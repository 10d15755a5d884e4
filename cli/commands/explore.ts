import type { Failure } from '../../engine/failure.ts';
import { search, type SearchResult } from '../../engine/search/search.ts';
import type { Family, Hazard, Litmus } from '../../properties/family.ts';
import { paint } from '../../traces/report/paint.ts';
import { grouped, pad, plural, widthOf } from '../../traces/report/text.ts';
import { checkHazard, unknown, type Context } from '../context.ts';
import { exitCode, worst, type ExitCode } from '../exit.ts';
import { Finding } from '../findings.ts';
import { interruptible } from '../interrupt.ts';

/** Options of `stalemate explore`. */
export interface ExploreCommand {
  /** A family, or a litmus as `family/litmus` or by its bare name. */
  readonly name: string;
  /** Only this hazard; its violation is then the result, with a report and a trace. */
  readonly hazard: string | undefined;
  readonly statesMax: number;
  readonly out: string;
}

interface Row {
  readonly litmus: Litmus;
  /** Undefined: the correct implementation. */
  readonly hazard: string | undefined;
  readonly result: SearchResult;
  readonly seconds: number;
  readonly verdict: 'holds' | 'violated' | 'unexpected' | 'missed' | 'bound';
}

/** Every interleaving of litmus programs: they hold on the correct implementation and are violated under their hazards. */
export async function exploreCommand(command: ExploreCommand, context: Context): Promise<ExitCode> {
  const { family, litmus } = select(command.name, context.families);
  checkHazard(family, command.hazard);
  const { terminal } = context;
  const width = Math.max(...litmus.map(({ id }) => widthOf(id)), 6) + 2;
  const implementations = ['correct', ...family.hazards.map(({ id }) => id)];
  const hazardWidth = Math.max(...implementations.map(widthOf)) + 2;
  terminal.print(
    `${pad('litmus', width)}${pad('implementation', hazardWidth)}${pad('result', 34)}    states transitions      ends     time`,
  );
  const codes: ExitCode[] = [];
  for (const one of litmus) {
    const hazards = command.hazard === undefined ? [undefined, ...one.hazards] : [command.hazard];
    for (const hazard of hazards) {
      const row = explore(family, one, hazard, command.statesMax);
      terminal.print(rowText(row, width, hazardWidth, terminal.colour));
      const { verdict: ended, ...counts } = row.result;
      const what = { family: family.name, litmus: one.id, hazard, verdict: row.verdict };
      terminal.event({ event: 'explored', ...what, ended, seconds: row.seconds, ...counts });
      if (
        command.hazard !== undefined ||
        row.verdict === 'unexpected' ||
        (row.verdict === 'violated' && hazard === undefined)
      )
        await report(family, row, context, command);
      codes.push(codeOf(row, command.hazard !== undefined));
    }
  }
  const code = worst(codes);
  terminal.print(closing(code, codes.length));
  return code;
}

function select(name: string, families: readonly Family[]): { family: Family; litmus: readonly Litmus[] } {
  const family = families.find((candidate) => candidate.name === name);
  if (family !== undefined) return { family, litmus: family.litmus };
  for (const candidate of families) {
    const one = candidate.litmus.find(({ id }) => id === name || `${candidate.name}/${id}` === name);
    if (one !== undefined) return { family: candidate, litmus: [one] };
  }
  throw unknown(
    'family or litmus',
    name,
    families.flatMap((one) => [one.name, ...one.litmus.map(({ id }) => id)]),
  );
}

function explore(family: Family, litmus: Litmus, hazard: string | undefined, statesMax: number): Row {
  const system = family.world(litmus.configuration, hazard).load(litmus.program);
  const started = performance.now();
  // A hazard's counterexample is wanted short; the absence of one is shown with less memory depth first.
  const result = search(system, { order: hazard === undefined ? 'dfs' : 'bfs', statesMax });
  const seconds = (performance.now() - started) / 1000;
  return { litmus, hazard, result, seconds, verdict: verdictOf(family, hazard, result) };
}

function verdictOf(family: Family, hazard: string | undefined, result: SearchResult): Row['verdict'] {
  if (result.verdict === 'bound') return 'bound';
  if (result.failure === undefined) return hazard === undefined ? 'holds' : 'missed';
  const known = family.hazards.find(({ id }) => id === hazard);
  return known === undefined || isExpected(known, result.failure) ? 'violated' : 'unexpected';
}

function isExpected(hazard: Hazard, failure: Failure): boolean {
  return hazard.expected.some(({ monitor, rule }) => monitor === failure.monitor && rule === failure.rule);
}

function rowText(
  { litmus, hazard, result, seconds, verdict }: Row,
  width: number,
  hazardWidth: number,
  colour: boolean,
): string {
  const inks = paint(colour);
  const rule = result.failure?.rule ?? '';
  const words = {
    holds: '✓ holds',
    violated: hazard === undefined ? `✗ ${rule}` : `✓ violated: ${rule}`,
    unexpected: `✗ another violation: ${rule}`,
    missed: '✗ not violated',
    bound: `✗ not exhausted (${result.bound ?? ''})`,
  }[verdict];
  const good = words.startsWith('✓');
  const numbers = [result.states, result.transitions, result.ends].map((value) => grouped(value).padStart(10)).join('');
  const head = `${pad(litmus.id, width)}${pad(hazard ?? 'correct', hazardWidth)}`;
  return `${head}${(good ? inks.good : inks.bad)(pad(words, 34))}${numbers}${`${seconds.toFixed(2)} s`.padStart(9)}`;
}

function codeOf({ hazard, verdict }: Row, asked: boolean): ExitCode {
  if (verdict === 'violated') return hazard === undefined || asked ? exitCode.violation : exitCode.holds;
  if (verdict === 'unexpected') return asked ? exitCode.violation : exitCode.harness;
  // With one hazard chosen, a litmus that is not for it simply holds.
  if (verdict === 'missed') return asked ? exitCode.holds : exitCode.harness;
  return verdict === 'holds' ? exitCode.holds : exitCode.harness;
}

async function report(
  family: Family,
  { litmus, hazard, result }: Row,
  context: Context,
  command: ExploreCommand,
): Promise<void> {
  if (result.failure === undefined || result.schedule === undefined) return;
  const finding = new Finding(
    family,
    {
      family: family.name,
      ...(hazard === undefined ? {} : { hazard }),
      configuration: litmus.configuration,
      program: litmus.program,
      schedule: result.schedule,
      failure: result.failure,
      provenance: { seed: 0, strategy: `explore ${litmus.id}`, executions: result.ends + 1, seconds: 0 },
    },
    context,
    { out: command.out, minimiseSeconds: 0 },
  );
  await interruptible(context.terminal, (interrupt) => finding.conclude(interrupt));
}

function closing(code: ExitCode, total: number): string {
  const explored = plural(total, 'exploration');
  if (code === exitCode.holds) return `${explored}: all as they should be.`;
  return code === exitCode.violation
    ? `${explored}: violated.`
    : `${explored}: some did not show what they should (see above).`;
}
