/** The command in the process of a test, with a terminal that remembers. */
import { vi } from 'vitest';
import type { Family } from '../../properties/family.ts';
import { ledger } from '../../traces/testing/ledger.ts';
import type { ExitCode } from '../exit.ts';
import { run } from '../run.ts';
import type { Terminal } from '../terminal.ts';

/** Remembers what was written. */
export class Recorder implements Terminal {
  readonly json: boolean;
  readonly colour = false;
  readonly printed: string[] = [];
  readonly events: Record<string, unknown>[] = [];
  readonly warnings: string[] = [];
  readonly progressed: string[] = [];

  constructor(json = false) {
    this.json = json;
  }

  print(text: string): void {
    if (!this.json) this.printed.push(text);
  }

  event(event: Readonly<Record<string, unknown>>): void {
    if (this.json) this.events.push(JSON.parse(JSON.stringify(event)) as Record<string, unknown>);
  }

  progress(text: string): void {
    this.progressed.push(text);
  }

  warn(text: string): void {
    this.warnings.push(text);
  }

  get text(): string {
    return this.printed.join('\n');
  }
}

/** What a command did. */
export interface Ran {
  readonly code: ExitCode;
  readonly terminal: Recorder;
  readonly stderr: string;
}

/** Runs a command line, words separated by spaces. */
export async function stalemate(line: string, families: readonly Family[] = [ledger]): Promise<Ran> {
  let terminal = new Recorder();
  let stderr = '';
  const write = vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    stderr += String(text);
    return true;
  });
  const out = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    stderr += String(text);
    return true;
  });
  try {
    const makeTerminal = (json: boolean) => (terminal = new Recorder(json));
    const code = await run(
      line.split(' ').filter((word) => word !== ''),
      families,
      { makeTerminal },
    );
    return { code, terminal, stderr };
  } finally {
    write.mockRestore();
    out.mockRestore();
  }
}
