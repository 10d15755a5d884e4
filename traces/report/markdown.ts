import type { Trace } from '../format.ts';

/** A trace in a folder, with its report as plain text. */
export interface Listed {
  readonly file: string;
  readonly trace: Trace;
  readonly report: string;
}

/** A folder of traces as Markdown, for the summary of a CI job: one table, and each report folded under it. */
export function markdownSummary(listed: readonly Listed[]): string {
  if (listed.length === 0) return 'Nothing was found.\n';
  const rows = listed.map(({ file, trace }) => `| ${cells(file, trace).map(escape).join(' | ')} |`);
  const details = listed.map(({ trace, report }) =>
    [
      '<details>',
      `<summary>${escape(trace.expected.fingerprint)}</summary>`,
      '',
      '```text',
      report.trimEnd(),
      '```',
      '',
      '</details>',
    ].join('\n'),
  );
  return [
    `**${listed.length} found**`,
    '',
    '| failure | found in | operations | steps | switches | replay |',
    '| --- | --- | ---: | ---: | ---: | --- |',
    ...rows,
    '',
    ...details,
    '',
  ].join('\n');
}

function cells(file: string, trace: Trace): string[] {
  const replay = `\`npx stalemate replay ${file}\``;
  const { fingerprint } = trace.expected;
  const from = (now: number, before: number | undefined): string =>
    before === undefined || before === now ? `${now}` : `${now} (from ${before})`;
  if (trace.kind === 'conformance') {
    const operations = from(trace.program.operations.length, trace.minimal.operationsFrom);
    return [fingerprint, trace.target, operations, '', '', replay];
  }
  const operations = trace.program.agents.reduce((sum, agent) => sum + agent.operations.length, 0);
  const { minimal } = trace;
  return [
    fingerprint,
    trace.hazard === undefined ? trace.family : `${trace.family}, hazard ${trace.hazard}`,
    from(operations, minimal?.operationsFrom),
    from(trace.schedule.length, minimal?.stepsFrom),
    minimal === undefined ? '' : from(minimal.switches, minimal.switchesFrom),
    replay,
  ];
}

function escape(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;');
}
