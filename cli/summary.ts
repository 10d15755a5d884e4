import type { FuzzSummary } from '../properties/campaign.ts';
import type { Family } from '../properties/family.ts';
import { grouped, plural, wrap } from '../traces/report/text.ts';
import {
  growthText,
  guaranteesText,
  operationsText,
  outcomesText,
  stepsText,
  strategiesText,
  tracesText,
} from './statistics.ts';

const width = 120;
const headWidth = 14;

/** Executions of the correct implementation that a run must have before a witness that was not reached is an error. */
export const witnessExecutionsMin = 40_000;

/** "1,234 executions (567/s)" and the rest of the progress line. */
export function progressText(name: string, summary: FuzzSummary): string {
  const { seconds, executions, programs, steps, distinctOutcomes } = summary;
  const reached = Object.values(summary.witnesses);
  const witnesses = `witnesses ${reached.filter((count) => count > 0).length} of ${reached.length}`;
  const parts = [
    `${name} ${seconds.toFixed(0)} s`,
    `${plural(executions, 'execution')} (${rate(executions, seconds)})`,
    plural(programs, 'program'),
    plural(steps, 'step'),
    plural(distinctOutcomes, 'outcome'),
    witnesses,
  ];
  return parts.join(' · ');
}

/** Events a second. */
export function rate(count: number, seconds: number): string {
  return seconds <= 0 ? '-' : `${grouped(count / seconds)}/s`;
}

/** Witnesses that the run should have reached and did not. */
export function unreached(family: Family, summary: FuzzSummary): string[] {
  return family.witnesses.filter((name) => (summary.witnesses[name] ?? 0) === 0);
}

/** What a run did, and as plainly what it did not look at. */
export function summaryLines(family: Family, summary: FuzzSummary): string[] {
  const { boundsHit } = summary;
  const missing = unreached(family, summary);
  const unused = Object.entries(summary.operations)
    .filter(([, { run }]) => run === 0)
    .map(([name]) => name)
    .toSorted((one, other) => one.localeCompare(other));
  const notLooked = [
    boundsHit === 0 ? '' : `${plural(boundsHit, 'run')} cut off at the bound on steps`,
    missing.length === 0 ? '' : `witnesses never reached: ${missing.join(', ')}`,
    unused.length === 0 ? '' : `operations never run: ${unused.join(', ')}`,
  ].filter((text) => text !== '');
  return [
    ...block('steps', stepsText(summary)),
    ...block('outcomes', outcomesText(summary)),
    ...block('traces', tracesText(summary)),
    ...block('growth', growthText(summary)),
    ...block('strategies', strategiesText(summary)),
    ...block('guarantee', guaranteesText(summary)),
    ...block(
      'witnesses',
      Object.entries(summary.witnesses)
        .map(([name, count]) => `${name} ${grouped(count)}`)
        .join(' · '),
    ),
    ...block('operations', operationsText(summary)),
    ...block('not checked', notLooked.join('; ')),
  ];
}

/** A word at the left and text beside it, wrapped. */
export function block(head: string, text: string): string[] {
  if (text === '') return [];
  const [first = '', ...rest] = wrap(text, width - headWidth - 2, '');
  return [`  ${head.padEnd(headWidth)}${first}`, ...rest.map((line) => ' '.repeat(headWidth + 2) + line)];
}
