import { fingerprint, type Failure } from '../engine/failure.ts';
import type { Machine } from '../engine/machine.ts';

/** Violations as a world names things, and what its state said of the last one while it was there. */
export class Reported<Detail> {
  readonly #machine: Machine;
  readonly #named: (text: string) => string;
  #last: { readonly failure: Failure; readonly detail: Detail } | undefined;

  /** @param named says "mm0" or "domain1" for a contract's number of an address space. */
  constructor(machine: Machine, named: (text: string) => string) {
    this.#machine = machine;
    this.#named = named;
  }

  /** The run ends with this violation, unless it has failed already. */
  report(violation: Failure, detailOf: (violation: Failure) => Detail): void {
    if (this.#machine.failure !== undefined) return;
    const { data = {} } = violation;
    const words = typeof data['use'] === 'string' ? { ...data, use: this.#named(data['use']) } : data;
    const failure = { ...violation, message: this.#named(violation.message), data: words };
    this.#machine.fail(failure);
    this.#last = { failure, detail: detailOf(violation) };
  }

  /** What was said of a failure: nothing if it was not the last that was reported, but one of the engine's after it, say. */
  of(failure: Failure): Detail | undefined {
    if (this.#last === undefined || this.#last.failure.message !== failure.message) return undefined;
    return fingerprint(this.#last.failure) === fingerprint(failure) ? this.#last.detail : undefined;
  }

  /** Forgets what was said. */
  clear(): void {
    this.#last = undefined;
  }
}
