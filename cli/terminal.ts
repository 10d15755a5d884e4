import pico from 'picocolors';

/** Where the command writes. In JSON mode only events go to standard output: one JSON object a line. */
export interface Terminal {
  readonly json: boolean;
  readonly colour: boolean;
  /** Text for a reader. Nothing in JSON mode. */
  print(text: string): void;
  /** One JSON line. Nothing outside JSON mode. */
  event(event: Readonly<Record<string, unknown>>): void;
  /** How things stand: rewrites one line on a terminal, adds a line every few seconds elsewhere. */
  progress(text: string): void;
  /** Something the reader must not miss, on standard error. */
  warn(text: string): void;
}

/** Milliseconds between progress lines, on a terminal and elsewhere (CI logs). */
const redrawMs = 100;
const plainMs = 10_000;

/** The terminal of this process. */
export class ProcessTerminal implements Terminal {
  readonly json: boolean;
  readonly colour: boolean;
  readonly #redraws = process.stderr.isTTY === true;
  #drawn = false;
  #last = performance.now();

  constructor(json: boolean) {
    this.json = json;
    // `isTTY` is undefined, not false, where there is no terminal.
    this.colour = !json && process.stdout.isTTY === true && pico.isColorSupported;
    // A reader that went away (`| head`) is no error.
    process.stdout.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
      process.exit();
    });
  }

  print(text: string): void {
    if (this.json) return;
    this.#clear();
    process.stdout.write(`${text}\n`);
  }

  event(event: Readonly<Record<string, unknown>>): void {
    if (this.json) process.stdout.write(`${JSON.stringify(event)}\n`);
  }

  progress(text: string): void {
    if (this.json) return;
    const now = performance.now();
    if (now - this.#last < (this.#redraws ? redrawMs : plainMs)) return;
    this.#last = now;
    if (this.#redraws) {
      this.#clear();
      // Some terminals say that they have 0 columns.
      process.stderr.write(text.slice(0, Math.max(process.stderr.columns ?? 80, 40) - 1));
      this.#drawn = true;
    } else process.stderr.write(`${text}\n`);
  }

  warn(text: string): void {
    this.#clear();
    process.stderr.write(`${text}\n`);
  }

  #clear(): void {
    if (!this.#drawn) return;
    process.stderr.write('\r\u001B[K');
    this.#drawn = false;
  }
}
