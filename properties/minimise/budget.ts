/** The one budget of a minimisation: time, and the wish of the user to stop. */
export class Budget {
  readonly #deadline: number;
  readonly #stop: (() => boolean) | undefined;

  /** @param seconds after which the best so far is returned. */
  constructor(seconds: number, stop?: () => boolean) {
    this.#deadline = performance.now() + seconds * 1000;
    this.#stop = stop;
  }

  /** True once nothing more may be begun. */
  readonly expired = (): boolean => performance.now() > this.#deadline || this.#stop?.() === true;
}

/** Lets the event loop run, so that an interruption is heard. */
export function breathe(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
