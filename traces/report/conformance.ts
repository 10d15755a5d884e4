import { renderConfiguration, renderOperation, type Deviation } from '../../properties/conformance/index.ts';
import { findingParts, ruleOfTrace } from '../conformance.ts';
import type { ConformanceTrace } from '../format.ts';
import { paint, type Paint } from './paint.ts';
import { headed, section } from './software.ts';
import { ends, pad, plural, reportWidth, widthOf, wrap } from './text.ts';

/** What a report of a device deviation is written from. */
export interface ConformanceReportInput {
  readonly trace: ConformanceTrace;
  /** What the device did this time, if it was run again. */
  readonly deviation?: Deviation | undefined;
  readonly file: string | undefined;
  readonly colour: boolean;
}

const numberWidth = 6;
const gap = 2;

/** The report of a deviation: what was done, what the device answered, what is permitted, and which rule says so. */
export function conformanceReport({ trace, deviation, file, colour }: ConformanceReportInput): string {
  const inks = paint(colour);
  const { program } = findingParts(trace);
  const shown = deviation ?? findingParts(trace).deviation;
  const rule = ruleOfTrace(trace);
  const many = program.operations.length;
  const from = trace.minimal.operationsFrom === many ? '' : ` (from ${trace.minimal.operationsFrom})`;
  const proved =
    trace.minimal.operations === 'proved' ? ' · minimal: without any one of them it vanishes' : ' · not proved minimal';
  const command = `npx stalemate replay ${file ?? 'FILE'}`;
  return [
    ...headLines(trace, shown, inks),
    '',
    ...section('Structures', '', inks),
    ...renderConfiguration(program).map((line) => `    ${line}`),
    '',
    ...section('Sequence', `${plural(many, 'operation')}${from}${proved}`, inks),
    ...sequenceLines(trace, shown, inks),
    '',
    inks.bold('  Why'),
    ...headed('Rule', rule === undefined ? trace.expected.message : `${rule.statement} (${rule.section})`),
    ...headed('However', `step ${shown.operation + 1} was answered by: ${shown.answer}.`),
    ...headed('Permitted', permittedText(shown)),
    '',
    `  Replay   ${command}`,
    '',
  ].join('\n');
}

/** Three lines for a list of findings: what it is, what happened, how to see it all. */
export function conformanceNotice({ trace, file, colour }: ConformanceReportInput): string {
  const inks = paint(colour);
  const rule = ruleOfTrace(trace);
  const { deviation } = findingParts(trace);
  const title = `✗ ${trace.expected.fingerprint}`;
  const operations = `${plural(trace.program.operations.length, 'operation')} (from ${trace.minimal.operationsFrom})`;
  const [first = '', ...rest] = ends(
    `${title}${rule === undefined ? '' : ` (${rule.section})`}`,
    operations,
    reportWidth,
  );
  return [
    inks.bad(title) + first.slice(title.length),
    ...rest,
    ...wrap(happened(trace, deviation), reportWidth - 4, '').map((line) => `    ${line}`),
    `    npx stalemate replay ${file ?? 'FILE'}`,
  ].join('\n');
}

function headLines(trace: ConformanceTrace, deviation: Deviation, inks: Paint): string[] {
  const { expected, target, targetVersion, provenance } = trace;
  const title = `✗ ${expected.fingerprint}`;
  const [first = '', ...rest] = ends(
    `${title} · conformance · ${target}`,
    `found with seed ${provenance.seed}`,
    reportWidth,
  );
  return [
    inks.bad(title) + first.slice(title.length),
    ...rest,
    ...wrap(happened(trace, deviation), reportWidth - 2, '').map((line) => `  ${line}`),
    `  ${inks.dim(targetVersion)}`,
  ];
}

/** One sentence: the operation, the answer, what would have been right. */
function happened(trace: ConformanceTrace, deviation: Deviation): string {
  const { program } = findingParts(trace);
  const operation = program.operations[deviation.operation];
  const what = operation === undefined ? 'The device' : renderOperation(program.configuration, operation);
  return `Step ${deviation.operation + 1}, ${what}: ${deviation.answer}. Permitted: ${permittedText(deviation)}`;
}

function permittedText({ permitted }: Deviation): string {
  return permitted.length === 0 ? 'anything but that.' : `${permitted.join('; or ')}.`;
}

interface Cell {
  /** 0: software; from 1 on: devices. */
  readonly column: number;
  readonly text: string;
}

/** One column for software, one for each device that makes an access. */
function sequenceLines(trace: ConformanceTrace, deviation: Deviation, inks: Paint): string[] {
  const { program } = findingParts(trace);
  const heads = ['software'];
  const cells = program.operations.map((operation): Cell => {
    const text = renderOperation(program.configuration, operation);
    const access = operation.kind === 'access' ? /^(\w+ \(.*?\)) (.*)$/.exec(text) : null;
    if (access === null) return { column: 0, text };
    const [, device = '', what = ''] = access;
    if (!heads.includes(device)) heads.push(device);
    return { column: heads.indexOf(device), text: what };
  });
  const widths = heads.map((head, column) =>
    Math.max(widthOf(head), ...cells.map((cell) => (cell.column === column ? widthOf(cell.text) : 0))),
  );
  const others = widths.slice(1).reduce((sum, width) => sum + width + gap, 0);
  widths[0] = Math.min(widths[0] ?? 0, reportWidth - numberWidth - others - gap);
  const lines = [
    inks.bold(' '.repeat(numberWidth) + heads.map((head, at) => pad(head, (widths[at] ?? 0) + gap)).join('')).trimEnd(),
  ];
  for (const [at, cell] of cells.entries()) {
    const wrapped = wrap(cell.text, widths[cell.column] ?? reportWidth);
    for (const [row, text] of wrapped.entries()) {
      const number = row === 0 ? String(at + 1).padStart(4) : '    ';
      const before = widths.slice(0, cell.column).reduce((sum, width) => sum + width + gap, 0);
      const mark = at === deviation.operation && row === wrapped.length - 1 ? '  ✗' : '';
      lines.push(`${number}  ${' '.repeat(before)}${text}${inks.bad(mark)}`);
    }
  }
  return lines;
}
