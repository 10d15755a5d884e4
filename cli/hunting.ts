/** Hunting a hazard in a process of its own, with the same command: so that hunts do not share processor time. */
import { spawn } from 'node:child_process';
import type { HazardsCommand } from './commands/hazards.ts';
import type { Interrupt } from './interrupt.ts';
import type { HazardResult } from './kill-matrix.ts';

/** What the process says of the hazard; after an interruption what it has by then. */
export async function huntElsewhere(
  { family, hazard, expected }: Pick<HazardResult, 'family' | 'hazard' | 'expected'>,
  command: HazardsCommand,
  interrupt: Interrupt,
): Promise<HazardResult> {
  const { seeds, seconds, strategies, minimiseSeconds, operations } = command;
  const line = ['hazards', '--json', '--family', family, '--hazard', hazard, '--seeds', seeds, '--seconds', seconds];
  const more = ['--minimise', minimiseSeconds, '--ops', operations, '--strategy', ...strategies];
  const program = process.argv[1] ?? '';
  const child = spawn(process.execPath, [...process.execArgv, program, ...[...line, ...more].map(String)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const stop = (): void => void child.kill('SIGINT');
  interrupt.signal.addEventListener('abort', stop);
  let output = '';
  let errors = '';
  child.stdout.on('data', (data: Buffer) => (output += data.toString()));
  child.stderr.on('data', (data: Buffer) => (errors += data.toString()));
  await new Promise((resolve) => void child.once('close', resolve));
  interrupt.signal.removeEventListener('abort', stop);
  const events = output.split('\n').filter((text) => text !== '');
  const event = events
    .map((text) => JSON.parse(text) as { event: string } & HazardResult)
    .find((one) => one.event === 'hazard');
  if (event !== undefined) return event;
  const nothing = { family, hazard, expected, strategies: [] };
  return interrupt.requested() ? { ...nothing, interrupted: true } : { ...nothing, broken: errors.trim() };
}
