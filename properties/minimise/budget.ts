/** Part of the time that is kept for what comes last. */
const LAST_PART = 0.25;

/** The one budget of a minimisation: time, and the wish of the user to stop. */
export class Budget {
  readonly #end: number;
  readonly #stop: (() => boolean) | undefined;
  #deadline: number;

  /** @param seconds after which the best so far is returned. */
  constructor(seconds: number, stop?: () => boolean) {
    const now = performance.now();
    this.#end = now + seconds * 1000;
    this.#deadline = now + seconds * 1000 * (1 - LAST_PART);
    this.#stop = stop;
  }

  /** True once nothing more may be begun. */
  readonly expired = (): boolean => performance.now() > this.#deadline || this.#stop?.() === true;

  /** Lets the last part begin: until now its time did not count. */
  beginLastPart(): void {
    this.#deadline = this.#end;
  }
}

/** Lets the event loop run, so that an interruption is heard. */
export function breathe(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
