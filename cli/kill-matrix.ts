/** The kill matrix: what is known of each hazard after hunting it, as rows of text and as Markdown. */
import type { StrategyName } from '../properties/campaign.ts';
import { median, type Hunt, type Kill } from '../properties/hunt.ts';
import { paint } from '../traces/report/paint.ts';
import { grouped, pad, plural, widthOf } from '../traces/report/text.ts';

/** What the hunts for one hazard have shown. Plain data: a process of its own may have made it. */
export interface HazardResult {
  readonly family: string;
  readonly hazard: string;
  /** The rules that it should show as. */
  readonly expected: readonly string[];
  /** In the order in which strategies were asked for. */
  readonly strategies: readonly { readonly strategy: StrategyName; readonly hunts: readonly Hunt[] }[];
  /** The smallest failure that one of the hunts came to. */
  readonly minimal?: {
    readonly operations: number;
    /** Of the schedule; programs on a device have none. */
    readonly switches?: number;
    readonly steps?: number;
    readonly proved: boolean;
  };
  /** Fewest operations of a program that shows it, by exhausting all programs; 0: none up to the bound. */
  readonly verified?: { readonly operations: number; readonly world: string };
  /** The hunts were ended before all seeds were tried. */
  readonly interrupted?: true;
  /** Why the hunts could not be made. */
  readonly broken?: string;
}

/** The kills of a result, of all strategies or of one. */
export function killsOf(result: HazardResult, strategy?: StrategyName): Kill[] {
  return result.strategies
    .filter((one) => strategy === undefined || one.strategy === strategy)
    .flatMap(({ hunts }) => hunts.flatMap(({ kill }) => (kill === undefined ? [] : [kill])));
}

/** True if a strategy found the hazard from every seed. */
export function isKilled({ strategies }: HazardResult, strategy: StrategyName): boolean {
  const hunts = strategies.find((one) => one.strategy === strategy)?.hunts ?? [];
  return hunts.length > 0 && hunts.every(({ kill }) => kill !== undefined);
}

/** Rules that the hazard is not said to show as. */
export function unexpectedRules(result: HazardResult): string[] {
  const kills = killsOf(result).filter(({ expected }) => !expected);
  return [...new Set(kills.map(({ rule }) => rule))];
}

/** How wide the first column must be. */
export function hazardWidth(ids: readonly string[]): number {
  return Math.max(6, ...ids.map(widthOf)) + 2;
}

/** The line above the rows. */
export function headText(strategies: readonly StrategyName[], width: number): string {
  const [only] = strategies;
  const columns =
    strategies.length === 1 && only !== undefined
      ? '   found   median       max   executions'
      : strategies.map((strategy) => strategy.padStart(CELL)).join('');
  return `  ${pad('hazard', width)}${columns}  ${pad('minimal', MINIMAL)}  violation`;
}

/** One hazard: with one strategy its times, with several what each of them did. */
export function rowText(result: HazardResult, width: number, colour: boolean): string {
  const inks = paint(colour);
  if (result.broken !== undefined)
    return `  ${pad(result.hazard, width)}${inks.bad(`could not be hunted: ${result.broken}`)}`;
  const cells = result.strategies.map(({ strategy, hunts }) => {
    const text = result.strategies.length === 1 ? longCell(hunts) : shortCell(hunts).padStart(CELL);
    return (isKilled(result, strategy) ? inks.good : inks.bad)(text);
  });
  const unexpected = unexpectedRules(result);
  const rules = [...new Set(killsOf(result).map(({ rule }) => rule))];
  const shown = rules.map((rule) => (unexpected.includes(rule) ? inks.bad(`${rule} (not expected)`) : rule));
  const violation = shown.length > 0 ? shown.join(', ') : `${result.expected[0] ?? ''} expected`;
  return `  ${pad(result.hazard, width)}${cells.join('')}  ${pad(minimalText(result), MINIMAL)}  ${violation}`;
}

/** All results as a document. @param how the command that made it. */
export function markdown(results: readonly HazardResult[], how: string): string {
  const families = [...new Set(results.map(({ family }) => family))];
  return [
    '# Kill matrix',
    '',
    `Made by \`${how}\`; the numbers of executions come again with the same version, the times do not.`,
    '',
    'A cell says in how many of the seeds random programs found the mistake, the median of the executions that this took,',
    'and the median of the processor time. *minimal* is the smallest failure that the minimiser made of one of them:',
    'operations, context switches, steps, with ✓ if everything smaller was exhausted. *verify* is the fewest operations of',
    'any program that shows it, by exhausting all smaller programs from all small worlds (`stalemate verify`).',
    '',
    ...families.flatMap((family) => familyTable(results.filter((result) => result.family === family))),
  ].join('\n');
}

const CELL = 14;
const MINIMAL = 17;

function familyTable(results: readonly HazardResult[]): string[] {
  const strategies = results[0]?.strategies.map(({ strategy }) => strategy) ?? [];
  const heads = ['hazard', 'violation', ...strategies, 'minimal', 'verify'];
  const lines = results.map((result) => {
    const unexpected = unexpectedRules(result);
    const rules = [...new Set(killsOf(result).map(({ rule }) => rule))];
    const shown = rules.map((rule) => (unexpected.includes(rule) ? `**${rule}: not expected**` : rule));
    const cells = result.strategies.map(({ hunts }) => markdownCell(hunts));
    return [`\`${result.hazard}\``, shown.join(', '), ...cells, minimalText(result), verifiedText(result)];
  });
  return [`## ${results[0]?.family ?? ''}`, '', ...table([heads, ...lines]), ''];
}

/** A table of Markdown, its columns aligned; the first row is the head. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(3, ...rows.map((row) => widthOf(row[column] ?? ''))));
  const lines = rows.map((row) => `| ${row.map((cell, column) => pad(cell, widths[column] ?? 0)).join(' | ')} |`);
  return lines.toSpliced(1, 0, `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`);
}

function longCell(hunts: readonly Hunt[]): string {
  const kills = hunts.flatMap(({ kill }) => (kill === undefined ? [] : [kill]));
  const score = `${kills.length}/${hunts.length}`.padStart(8);
  if (kills.length === 0) return `${score}        -         -            -`;
  const seconds = kills.map((kill) => kill.seconds);
  const times = [median(seconds), Math.max(...seconds)].map((time) => `${time.toFixed(2)} s`);
  const executions = grouped(median(kills.map((kill) => kill.executions)));
  return `${score}${(times[0] ?? '').padStart(9)}${(times[1] ?? '').padStart(10)}${executions.padStart(13)}`;
}

function shortCell(hunts: readonly Hunt[]): string {
  const kills = hunts.flatMap(({ kill }) => (kill === undefined ? [] : [kill]));
  const score = `${kills.length}/${hunts.length}`;
  return kills.length === 0 ? score : `${score} ${median(kills.map(({ seconds }) => seconds)).toFixed(2)} s`;
}

function markdownCell(hunts: readonly Hunt[]): string {
  const kills = hunts.flatMap(({ kill }) => (kill === undefined ? [] : [kill]));
  const score = `${kills.length}/${hunts.length}`;
  if (kills.length === 0) return `**${score}**`;
  const executions = grouped(median(kills.map((kill) => kill.executions)));
  const time = `${median(kills.map(({ seconds }) => seconds)).toFixed(2)} s`;
  return `${kills.length < hunts.length ? `**${score}**` : score} · ${executions} · ${time}`;
}

/** "2 ops 1 sw 22 st ✓". */
function minimalText({ minimal }: HazardResult): string {
  if (minimal === undefined) return '';
  const { operations, switches, steps, proved } = minimal;
  const schedule = switches === undefined ? '' : ` ${switches} sw ${steps} st`;
  return `${operations} ops${schedule}${proved ? ' ✓' : ''}`;
}

function verifiedText({ verified }: HazardResult): string {
  if (verified === undefined) return '';
  return verified.operations === 0 ? '-' : `${plural(verified.operations, 'operation')} (${verified.world})`;
}
