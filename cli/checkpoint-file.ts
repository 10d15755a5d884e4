import { writeCheckpoint, type Checkpoint } from '../engine/checkpoint.ts';
import { UsageError } from './exit.ts';
import type { Terminal } from './terminal.ts';

/** Where a command keeps its progress. If it cannot be written, the run goes on, and the file stays as it was. */
export class CheckpointFile {
  readonly #file: string | undefined;
  readonly #terminal: Terminal;
  #written: number;
  #failed = false;

  /** @param file undefined: nothing is kept. @param written when it was written last, as `performance.now()`. */
  constructor(file: string | undefined, terminal: Terminal, written: number) {
    this.#file = file;
    this.#terminal = terminal;
    this.#written = written;
  }

  /** Milliseconds since it was written last. */
  get age(): number {
    return performance.now() - this.#written;
  }

  /**
   * Writes for the first time, before anything has been done.
   *
   * @throws UsageError if that cannot be done.
   */
  begin(contents: Checkpoint): void {
    if (this.#file === undefined) return;
    try {
      writeCheckpoint(this.#file, contents);
    } catch (error) {
      throw new UsageError(`The checkpoint ${this.#file} cannot be written: ${(error as Error).message}`);
    }
  }

  /** Writes what `make` gives. A failure is said once, and again after the next success. */
  write(make: () => Checkpoint): void {
    if (this.#file === undefined) return;
    try {
      writeCheckpoint(this.#file, make());
      this.#failed = false;
    } catch (error) {
      if (!this.#failed)
        this.#terminal.warn(
          `Warning: the checkpoint could not be written (${(error as Error).message}); ${this.#file} stays as it was before.`,
        );
      this.#failed = true;
    }
    this.#written = performance.now();
  }
}
