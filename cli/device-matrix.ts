/** The section of the kill matrix about mistakes of devices, which are hunted by another check than those of software. */
import { deviceHazards } from '../properties/conformance/hazards/index.ts';
import { median, type Kill } from '../properties/hunt.ts';
import { grouped } from '../traces/report/text.ts';
import { killsOf, table, type HazardResult } from './kill-matrix.ts';

const title = '## Devices';

/** The section. @param how the command that made it. */
export function deviceSection(results: readonly HazardResult[], how: string): string {
  const rows = results.map((result) => {
    const hazard = deviceHazards.find(({ name }) => name === result.hazard);
    const kills = killsOf(result);
    const hunts = result.strategies.reduce((sum, strategy) => sum + strategy.hunts.length, 0);
    const score = `${kills.length}/${hunts}`;
    const { minimal } = result;
    return [
      `\`${result.hazard}\``,
      hazard?.mistake ?? '',
      hazard?.check ?? '',
      kills.length < hunts ? `**${score}**` : score,
      ...spread(kills),
      minimal === undefined ? '' : `${minimal.operations} ops${minimal.proved ? ' ✓' : ''}`,
    ];
  });
  return [
    title,
    '',
    `Made by \`${how}\`.`,
    '',
    'Each row is our device with one routine replaced (`properties/conformance/hazards/`), held against the architecture',
    'by random programs that know nothing of it. The checks: *programs* as in `stalemate fuzz conformance`; *interleaved*,',
    'with software at work between the steps of translations; *wide*, with substreams, privileges, ATS and ATCs. *programs*',
    'and *time* (of the processor) say how many it took: the median of the seeds, and the worst of them. *minimal* is the',
    'smallest program that the minimiser made of one, with ✓ if no operation of it can be left out.',
    '',
    ...table([['hazard', 'mistake', 'check', 'found', 'programs', 'time', 'minimal'], ...rows]),
    '',
  ].join('\n');
}

/** A document with its section about devices replaced, or put at its end. */
export function withDeviceSection(document: string, section: string): string {
  const rest = document.replace(sectionOf(document), '').trimEnd();
  return rest === '' ? `# Kill matrix\n\n${section}` : `${rest}\n\n${section}`;
}

/** The section about devices that a document has; empty if it has none. */
export function sectionOf(document: string): string {
  const start = document.indexOf(`${title}\n`);
  if (start < 0) return '';
  const end = document.indexOf('\n## ', start);
  return end < 0 ? document.slice(start) : document.slice(start, end + 1);
}

function spread(kills: readonly Kill[]): string[] {
  if (kills.length === 0) return ['', ''];
  const programs = kills.map(({ executions }) => executions);
  const seconds = kills.map((kill) => kill.seconds);
  return [
    `${grouped(median(programs))} (${grouped(Math.max(...programs))})`,
    `${median(seconds).toFixed(2)} s (${Math.max(...seconds).toFixed(2)} s)`,
  ];
}
