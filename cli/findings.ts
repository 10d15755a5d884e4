import type { Found } from '../properties/campaign.ts';
import type { Family } from '../properties/family.ts';
import type { SoftwareTrace, Trace } from '../traces/format.ts';
import { reason } from '../traces/load.ts';
import { toTrace } from '../traces/record.ts';
import { replaySoftware } from '../traces/replay.ts';
import { softwareReport } from '../traces/report/software.ts';
import { saveTrace, traceName } from '../traces/save.ts';
import { serialise } from '../traces/serialise.ts';
import type { Context } from './context.ts';
import type { Interrupt } from './interrupt.ts';
import type { Terminal } from './terminal.ts';

/** Saves a trace where the user wants it, or elsewhere with a warning, or at least prints it. Returns the file. */
export function keepTrace(trace: Trace, folder: string, terminal: Terminal, name?: string): string | undefined {
  const { file, warning } = saveTrace(trace, folder, name);
  if (warning !== undefined) terminal.warn(`Warning: ${warning}`);
  if (file === undefined) process.stderr.write(serialise(trace));
  return file;
}

/** What to do with a failure that was found. */
export interface FindingOptions {
  readonly out: string;
  /** Seconds for minimising; 0: do not minimise. */
  readonly minimiseSeconds: number;
}

/** A failure that is on disk, and what becomes of it. */
export class Finding {
  readonly #family: Family;
  readonly #found: Found;
  readonly #raw: SoftwareTrace;
  readonly #context: Context;
  readonly #terminal: Terminal;
  readonly #options: FindingOptions;
  /** Where the trace is; the minimised one replaces the raw one under the same name. */
  readonly file: string | undefined;

  /** Saves the failure at once. */
  constructor(family: Family, found: Found, context: Context, options: FindingOptions) {
    const { terminal } = context;
    this.#context = context;
    this.#family = family;
    this.#found = found;
    this.#terminal = terminal;
    this.#options = options;
    this.#raw = toTrace(family, found);
    this.file = keepTrace(this.#raw, options.out, terminal);
    const { fingerprint, message } = this.#raw.expected;
    terminal.event({
      event: 'found',
      family: family.name,
      hazard: found.hazard,
      fingerprint,
      message,
      file: this.file,
    });
    terminal.warn(
      `Found ${fingerprint} after ${found.provenance.executions} executions; saved as ${this.file ?? 'shown above'}.`,
    );
  }

  /** Minimises the failure, replaces the file and reports. */
  async conclude(interrupt: Interrupt): Promise<void> {
    const trace = interrupt.requested() ? this.#raw : await this.#minimised(interrupt);
    const replayed = replaySoftware(trace, this.#family);
    const { file } = this;
    const { seconds } = this.#found.provenance;
    if (this.#terminal.json) {
      const replay = `npx stalemate replay ${file ?? ''}`;
      this.#terminal.event({
        event: 'failure',
        file,
        replay,
        expected: trace.expected,
        minimal: trace.minimal,
        seconds,
      });
    } else {
      const { colour } = this.#terminal;
      this.#terminal.print(softwareReport({ trace, family: this.#family, replayed, file, seconds, colour }));
    }
  }

  async #minimised(interrupt: Interrupt): Promise<SoftwareTrace> {
    const { minimiseSeconds, out } = this.#options;
    if (minimiseSeconds <= 0) return this.#raw;
    this.#terminal.warn(`Minimising (at most ${minimiseSeconds} s) …`);
    const { signal } = interrupt;
    let minimised;
    try {
      minimised = await this.#context.minimise(this.#family, this.#found, { seconds: minimiseSeconds, signal });
    } catch (error) {
      // The failure is real whatever becomes of the minimiser.
      this.#terminal.warn(`Warning: minimising broke (${reason(error)}); the trace stays as it was found.`);
    }
    if (minimised === undefined) return this.#raw;
    const trace = toTrace(this.#family, minimised);
    const { file, warning } = saveTrace(trace, out, traceName(this.#raw));
    // Said already when the trace was saved as it was found.
    if (warning !== undefined && file !== this.file) this.#terminal.warn(`Warning: ${warning}`);
    return trace;
  }
}
