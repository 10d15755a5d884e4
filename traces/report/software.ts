import type { Failure } from '../../engine/failure.ts';
import type { Family, WhyLine } from '../../properties/family.ts';
import type { SoftwareTrace } from '../format.ts';
import { hazardsWith } from '../known.ts';
import type { Replayed } from '../replay.ts';
import { interleavingLines } from './interleaving.ts';
import { liveDevice } from './live-device.ts';
import { paint, type Paint } from './paint.ts';
import { ends, grouped, pad, plural, reportWidth, widthOf, wrap } from './text.ts';
import { whyLines } from './why.ts';

/** Facts of the initial state that are listed. */
const initialMax = 6;

/** What a report is written from. */
export interface ReportInput {
  readonly trace: SoftwareTrace;
  readonly family: Family;
  readonly replayed: Replayed;
  /** Where the trace is, for the replay commands. */
  readonly file: string | undefined;
  /** How long it took to find; only known when it has just been found. */
  readonly seconds?: number | undefined;
  readonly colour: boolean;
}

/**
 * The report of a failure of software: what went wrong, the program, the interleaving, why, and how to see it again.
 * The replay must have failed.
 */
export function softwareReport(input: ReportInput): string {
  const { trace, replayed } = input;
  const { failure } = replayed;
  if (failure === undefined) throw new RangeError('there is nothing to report: the replay did not fail');
  const inks = paint(input.colour);
  return [
    ...headLines(input, failure, inks),
    '',
    ...programLines(trace, replayed, inks),
    '',
    ...section('Interleaving', interleavingSummary(trace, replayed), inks),
    ...interleavingLines(replayed, fitting(trace, replayed), reportWidth, inks),
    '',
    ...whyBlock(input, failure, inks),
    '',
    ...replayLines(input),
    '',
  ].join('\n');
}

/** What is known of the switches, if the schedule is still the one that it is known of. */
function fitting({ schedule, necessary }: SoftwareTrace, { alignment }: Replayed): SoftwareTrace['necessary'] & object {
  return alignment.added === 0 && alignment.schedule.length === schedule.length ? (necessary ?? []) : [];
}

function headLines({ trace, seconds }: ReportInput, failure: Failure, inks: Paint): string[] {
  const { executions, seed } = trace.provenance;
  const title = `✗ ${failure.rule.replaceAll('-', ' ')}`;
  const where = ` · ${trace.family} · ${failure.monitor}/${failure.rule}`;
  const time = seconds === undefined ? '' : `${seconds.toFixed(2)} s, `;
  const found = `found after ${plural(executions, 'execution')} (${time}seed ${seed})`;
  const [first = '', ...rest] = ends(title + where, found, reportWidth);
  return [
    inks.bad(title) + first.slice(title.length),
    ...rest,
    ...wrap(failure.message, reportWidth - 2, '').map((line) => `  ${line}`),
  ];
}

function programLines(trace: SoftwareTrace, { system, world, initial }: Replayed, inks: Paint): string[] {
  const { minimal, program, configuration } = trace;
  const operations = program.agents.flatMap((agent) =>
    agent.operations.map((operation, index) => ({
      name: agent.name,
      label: system.agents.find(({ name }) => name === agent.name)?.operations[index]?.label ?? operation.op,
      description: world.describeOperation(operation),
    })),
  );
  const from =
    minimal === undefined || minimal.operationsFrom === operations.length ? '' : ` (from ${minimal.operationsFrom})`;
  const proved = isProved(minimal) ? ' · minimal: every smaller program holds' : ' · not proved minimal';
  const nameWidth = Math.max(...operations.map(({ name }) => widthOf(name))) + 2;
  const labelWidth = Math.min(Math.max(...operations.map(({ label }) => widthOf(label))) + 3, 60);
  const settings = Object.entries(configuration).map(([key, value]) => `${key} ${String(value)}`);
  return [
    ...section('Program', `${plural(operations.length, 'operation')}${from}${proved}`, inks),
    ...operations.map(({ name, label, description }) => {
      const told = description === label ? '' : description;
      return `    ${pad(name, nameWidth)}${pad(label, labelWidth)}${inks.dim(told)}`.trimEnd();
    }),
    ...wrap(`with ${settings.join(', ')}`, reportWidth - 4).map((line) => `    ${inks.dim(line)}`),
    ...initialText(initial).map((line) => `    ${inks.dim(line)}`),
    ...unprovedText(minimal).map((line) => `    ${inks.bad(line)}`),
  ];
}

/** True if no program with less is left that could fail. Traces of version 1 say nothing about arguments. */
function isProved(minimal: SoftwareTrace['minimal']): boolean {
  return minimal?.operations === 'proved' && minimal.arguments !== 'not-proved';
}

/** What keeps a minimised trace from being proved minimal. */
function unprovedText(minimal: SoftwareTrace['minimal']): string[] {
  if (minimal === undefined || (isProved(minimal) && minimal.schedule === 'proved')) return [];
  return wrap(minimal.note, reportWidth - 4);
}

/** What there is before the first step; the interleaving shows only what changes. */
function initialText(initial: readonly string[]): string[] {
  if (initial.length === 0) return [];
  const more = initial.length > initialMax ? `; and ${initial.length - initialMax} more` : '';
  return wrap(`at first: ${initial.slice(0, initialMax).join('; ')}${more}`, reportWidth - 4);
}

function interleavingSummary({ minimal }: SoftwareTrace, { observation, alignment }: Replayed): string {
  const switches = observation.steps.filter(({ switchedFrom }) => switchedFrom !== undefined).length;
  const from =
    minimal === undefined || minimal.stepsFrom === observation.steps.length ? '' : ` (from ${minimal.stepsFrom})`;
  const proved = minimal?.schedule === 'proved' ? ' · minimal' : ' · not proved minimal';
  const added = alignment.added === 0 ? '' : ` · ${plural(alignment.added, 'step')} newer than the trace`;
  return `${plural(observation.steps.length, 'step')}, ${plural(switches, 'switch')}${from}${proved}${added}`;
}

function whyBlock({ trace, family, replayed }: ReportInput, failure: Failure, inks: Paint): string[] {
  const lines = [...whyLines(replayed, failure), ...hazardLines(trace, family)];
  // Several steps of hardware may stand for one fact.
  return [inks.bold('  Why'), ...new Set(lines.map(({ head, text }) => headed(head, text).join('\n')))];
}

/** The mistake that was built in, and the known ones that show as the same bug. */
function hazardLines({ hazard: own, expected }: SoftwareTrace, family: Family): WhyLine[] {
  const known = expected.bug === undefined ? [] : hazardsWith(family.name, expected.bug);
  return family.hazards.flatMap(({ id, title, citation }) => {
    if (id === own) return [{ head: 'Hazard', text: `${id}: ${title} (${citation}).` }];
    return known.includes(id) ? [{ head: 'Same as', text: `hazard ${id}: ${title} (${citation}).` }] : [];
  });
}

/** A word at the left, and text beside it. */
export function headed(head: string, text: string): string[] {
  const [first = '', ...rest] = wrap(text, reportWidth - 15, '');
  return [`    ${pad(head, 11)}${first}`, ...rest.map((line) => `${' '.repeat(15)}${line}`)];
}

function replayLines({ trace, file, replayed }: ReportInput): string[] {
  const command = `npx stalemate replay ${file ?? 'FILE'}`;
  const steps = grouped(replayed.observation.steps.length);
  const live = liveDevice(trace);
  const lines: [string, string][] = [
    ['', ''],
    ['--step', `walks through the ${steps} steps`],
  ];
  if (trace.hazard !== undefined) lines.push(['--hazard none', 'explores the program without the hazard']);
  if (live !== undefined && 'target' in live) lines.push([`--target ${live.target}`, 'runs it on a live device']);
  const why = live !== undefined && 'why' in live ? wrap(live.why, reportWidth - 11, '') : [];
  return [...commandLines(command, lines), ...why.map((line) => `           ${line}`)];
}

function commandLines(command: string, lines: readonly (readonly [string, string])[]): string[] {
  return lines.map(([option, note], at) => {
    const line = `${at === 0 ? '  Replay   ' : '           '}${command} ${option}`.trimEnd();
    const noted = `${line}   # ${note}`;
    return note !== '' && widthOf(noted) <= reportWidth ? noted : line;
  });
}

/** Title of a part of a report, with something at the right. */
export function section(title: string, right: string, inks: Paint): string[] {
  const [first = '', ...rest] = ends(`  ${title}`, right, reportWidth);
  return [inks.bold(first.slice(0, title.length + 2)) + first.slice(title.length + 2), ...rest];
}
