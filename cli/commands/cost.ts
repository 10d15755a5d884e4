import { measure } from '../../properties/cost/measure.ts';
import {
  inVain,
  isAsExpected,
  isSafe,
  shareLost,
  shareLostToAll,
  type CostReport,
  type DesignCost,
  type Range,
  type UnitCost,
} from '../../properties/cost/report.ts';
import type { Family } from '../../properties/family.ts';
import type { Loss } from '../../model/contract/invalidation.ts';
import { grouped, pad, plural, widthOf } from '../../traces/report/text.ts';
import { findFamily, unknown, type Context } from '../context.ts';
import { exitCode, UsageError, worst, type ExitCode } from '../exit.ts';
import { Finding } from '../findings.ts';
import { interruptible, type Interrupt } from '../interrupt.ts';

/** Options of `stalemate fuzz --cost`. */
export interface CostCommand {
  /** Empty: every family that has designs to compare. */
  readonly families: readonly string[];
  readonly seed: number;
  /** Executions under each design. */
  readonly runs: number | undefined;
  /** Where traces of failures go. */
  readonly out: string;
  readonly minimiseSeconds: number;
}

/** Executions under each design unless the user wants others: some seconds. */
const RUNS = 2_000;

/** The same programs under each design of a family: what invalidations cost there, and whether the design is safe. */
export async function costCommand(command: CostCommand, context: Context): Promise<ExitCode> {
  const families = familiesOf(command, context);
  return interruptible(context.terminal, async (interrupt) => {
    const codes: ExitCode[] = [];
    for (const family of families) codes.push(await costOf(family, command, context, interrupt));
    return worst(codes);
  });
}

function familiesOf({ families: names }: CostCommand, { families }: Context): readonly Family[] {
  const able = families.filter(({ cost }) => cost !== undefined);
  if (names.length === 0 && able.length === 0)
    throw new UsageError('No family has designs whose cost can be compared.');
  return names.length === 0 ? able : names.map((name) => familyNamed(name, families, able));
}

function familyNamed(name: string, families: readonly Family[], able: readonly Family[]): Family {
  const family = findFamily(families, name, []);
  if (family.cost !== undefined) return family;
  throw unknown(
    'family with designs whose cost can be compared',
    name,
    able.map((one) => one.name),
  );
}

async function costOf(family: Family, command: CostCommand, context: Context, interrupt: Interrupt): Promise<ExitCode> {
  const { name, cost } = family;
  const { seed, runs = RUNS } = command;
  const { terminal } = context;
  if (cost === undefined) return exitCode.usage;
  const findings: Finding[] = [];
  const report = await measure(cost, {
    seed,
    runs,
    stop: interrupt.requested,
    onProgress: (done) =>
      terminal.progress(`${name}: ${grouped(done)} of ${grouped(runs)} executions under each design`),
    onFound: (found) => findings.push(new Finding(family, { ...found, family: name }, context, command)),
  });
  for (const finding of findings) await finding.conclude(interrupt);
  if (report === undefined) return exitCode.interrupted;
  terminal.print(
    [`${name} · cost of designs · seed ${seed} · ${plural(runs, 'execution')} under each`, '', ...table(report)].join(
      '\n',
    ),
  );
  for (const design of report.designs) {
    const shares = { shareLost: shareLost(design), shareLostToAll: shareLostToAll(design) };
    terminal.event({ event: 'cost', family: name, seed, safe: isSafe(design), ...shares, ...design });
  }
  const code = codeOf(report);
  const words = {
    0: 'every design is as it should be',
    1: 'a design is violated',
    3: 'it shows too little: nothing was invalidated, a search was not exhausted, or a mistake was not seen',
  };
  terminal.print(`\n${code === exitCode.holds ? '✓' : '✗'} ${name}: ${words[code]}.`);
  return code;
}

function codeOf({ designs }: CostReport): 0 | 1 | 3 {
  if (designs.some((design) => !design.mistaken && !isSafe(design))) return exitCode.violation;
  const shown = designs.some(({ broadcast, commands }) => broadcast.operations + commands.tlbi > 0);
  const cutOff = designs.some(({ exhausted }) => exhausted.some(({ verdict }) => verdict === 'not exhausted'));
  return shown && !cutOff && designs.every(isAsExpected) ? exitCode.holds : exitCode.harness;
}

/** A row of the table: what it shows, and its text for a design; a heading has none. */
type TableRow = readonly [title: string, cell?: (design: DesignCost) => string];

/** What CPUs do to the SMMU; nothing where it takes no part. */
const BROADCASTS: readonly TableRow[] = [
  ['broadcast TLBIs of CPUs', ({ broadcast }) => grouped(broadcast.operations)],
  ['the SMMU holds, at each: entries', ({ broadcast }) => per(broadcast.held, broadcast.operations)],
  ['  it must drop, at each'],
  ['    stale ones of the space itself', lostTo('needed')],
  ['    valid ones of the space itself', lostTo('own')],
  ['    valid ones of the same virtual machine', lostTo('machine')],
  ['    valid ones of unrelated spaces', lostTo('unrelated')],
  ['    valid ones of private spaces of stage 1', lostTo('private')],
  ['  and so loses of what it holds', (design) => percent(shareLost(design))],
  ['  and of that, besides, to what is meant for all', (design) => percent(shareLostToAll(design))],
  [
    '  valid ones that it may drop besides, at each',
    ({ broadcast }) => per(inVain(broadcast.mayBeLost), broadcast.operations),
  ],
];

const COMMANDS: readonly TableRow[] = [
  ['commands, for each execution'],
  ['  CMD_TLBI', ({ commands, executions }) => per(commands.tlbi, executions)],
  ['    stale entries dropped', ({ command, executions }) => per(command.lost.needed, executions)],
  ['    valid entries dropped', ({ command, executions }) => per(inVain(command.lost), executions)],
  ['    left out, since a broadcast did the work', ({ leftOut, executions }) => per(leftOut, executions)],
  ['  CMD_CFGI', ({ commands, executions }) => per(commands.cfgi, executions)],
  ['  CMD_ATC_INV', ({ commands, executions }) => per(commands.atc, executions)],
  ['  CMD_SYNC', ({ commands, executions }) => per(commands.sync, executions)],
];

const UNITS: TableRow = [
  'commands of some operations: TLBI/CFGI/ATC_INV/SYNC; + broadcasts, − valid entries that these cost',
];
const SAFETY: TableRow = ['safety: executions violated', ({ violations }) => grouped(sum(Object.values(violations)))];

function table({ designs }: CostReport): string[] {
  const litmus = designs[0]?.exhausted.map(({ litmus: id }) => id) ?? [];
  const units = designs[0]?.units.map(({ title }) => title) ?? [];
  const rows: TableRow[] = [
    ['', ({ design }) => design],
    ...(designs.some(({ broadcast }) => broadcast.operations > 0) ? BROADCASTS : []),
    ...COMMANDS,
    ...(units.length > 0 ? [UNITS] : []),
    ...units.map((title, at): TableRow => [`  ${title}`, ({ units: costs }) => unitOf(costs[at])]),
    SAFETY,
    ...litmus.map((id): TableRow => [`  all schedules of ${id}`, (design) => exhaustedOf(design, id)]),
  ];
  const texts = rows.map(([title, cell]) => [title, ...designs.map((design) => cell?.(design) ?? '')]);
  const filled = texts.filter(([, ...cells]) => cells.some((cell) => cell !== ''));
  const widths = ['', ...designs].map((_, column) => Math.max(...filled.map((row) => widthOf(row[column] ?? ''))));
  const lines = texts.map(([title = '', ...cells]) =>
    [pad(title, widths[0] ?? 0), ...cells.map((cell, at) => cell.padStart(widths[at + 1] ?? 0))].join('  ').trimEnd(),
  );
  const violated = designs.flatMap(({ design, violations, exhausted }) => [
    ...Object.entries(violations).map(([rule, count]) => `${design}: ${rule} in ${plural(count, 'execution')}`),
    ...exhausted
      .filter(({ rule }) => rule !== undefined)
      .map(({ litmus: id, rule = '' }) => `${design}: ${rule} in ${id}`),
  ]);
  return [
    ...lines,
    '',
    ...designs.map(
      ({ design, summary, mistaken }) => `${design}: ${summary}${mistaken ? ' (known not to be safe)' : ''}`,
    ),
    ...violated,
  ];
}

function lostTo(loss: Loss): (design: DesignCost) => string {
  return ({ broadcast }) => per(broadcast.lost[loss], broadcast.operations);
}

function unitOf(cost: UnitCost | undefined): string {
  if (cost === undefined) return '';
  const { commands, broadcasts, lost, finished } = cost;
  if (finished === 0) return '–';
  const counts = [commands.tlbi, commands.cfgi, commands.atc, commands.sync].map(rangeOf).join('/');
  return broadcasts[1] === 0 ? counts : `${counts} +${rangeOf(broadcasts)} −${rangeOf(lost)}`;
}

function rangeOf([least, most]: Range): string {
  return least === most ? String(least) : `${least}…${most}`;
}

function exhaustedOf({ exhausted }: DesignCost, id: string): string {
  const found = exhausted.find(({ litmus }) => litmus === id);
  if (found === undefined) return '';
  if (found.verdict === 'violated') return '✗ violated';
  return `${found.verdict === 'holds' ? '✓' : 'not exhausted:'} ${grouped(found.states)} states`;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}

function per(count: number, of: number): string {
  return of === 0 ? '–' : (count / of).toFixed(2);
}

function percent(share: number | undefined): string {
  return share === undefined ? '–' : `${share.toFixed(1)} %`;
}
