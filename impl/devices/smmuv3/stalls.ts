import type { Stalls } from './commands/command.ts';
import type { DeviceAnswer, DeviceRequest } from './request.ts';
import type { Transaction } from './transaction.ts';
import type { Translation } from './translation.ts';

/** What became of a stalled transaction. */
export interface Resumed {
  readonly streamId: number;
  readonly stag: number;
  /** The answer of the retry; terminated ones are faults that are not recorded again. */
  readonly answer: DeviceAnswer;
}

/** Bits of a stall tag (IHI 0070 §7.3.13). */
const STAG_MASK = 0xffff;

/** Transactions that wait for CMD_RESUME or CMD_STALL_TERM (§3.12.2, §4.7). */
export class StalledTransactions implements Stalls {
  readonly #create: () => Translation;
  readonly #waiting = new Map<number, DeviceRequest>();
  #resumed: Resumed[] = [];
  #next = 0;

  /** @param create makes the translation of a retry. */
  constructor(create: () => Translation) {
    this.#create = create;
  }

  /** A transaction stalls. @returns its tag. */
  add(transaction: Transaction): number {
    while (this.#waiting.has(this.#next)) this.#next = (this.#next + 1) & STAG_MASK;
    const stag = this.#next;
    this.#next = (stag + 1) & STAG_MASK;
    this.#waiting.set(stag, transaction.request());
    return stag;
  }

  resume(streamId: number, stag: number, retry: boolean, abort: boolean): void {
    const request = this.#waiting.get(stag);
    if (request === undefined || request.streamId >>> 0 !== streamId) return;
    this.#waiting.delete(stag);
    const translation = this.#create();
    if (!retry) return this.#end(stag, abort, translation, request.streamId);
    translation.begin(request);
    this.#resumed.push({ streamId, stag, answer: translation.run() });
  }

  terminate(streamId: number): void {
    for (const [stag, request] of this.#waiting)
      if (request.streamId >>> 0 === streamId) {
        this.#waiting.delete(stag);
        this.#end(stag, true, this.#create(), streamId);
      }
  }

  /** Terminates all of them. */
  endAll(): void {
    for (const [stag, request] of this.#waiting) this.#end(stag, true, this.#create(), request.streamId);
    this.#waiting.clear();
  }

  /** See `SmmuV3Device.takeResumed`. */
  take(): Resumed[] {
    const resumed = this.#resumed;
    this.#resumed = [];
    return resumed;
  }

  #end(stag: number, aborted: boolean, { answer }: Translation, streamId: number): void {
    answer.kind = 'fault';
    answer.aborted = aborted;
    answer.recorded = false;
    this.#resumed.push({ streamId: streamId >>> 0, stag, answer });
  }
}
