/**
 * QEMU's `edu` device as a DMA engine: copies between memory and its own buffer of 4 KiB, in either direction.
 *
 * The buffer cannot be read by the CPU; what was read into it is seen by writing it out again. A transfer runs when a
 * timer 100 ms (virtual) after the command fires; with an idle, instruction-counted CPU that is at once.
 */
import { QemuGone } from './ending.ts';
import type { QemuEnding } from './ending.ts';
import type { QemuProcess } from './process.ts';
import type { QtestClient } from './qtest.ts';

const source = 0x80;
const destination = 0x88;
const count = 0x90;
const command = 0x98;
/** A transfer is over at the first or second poll; this many take seconds. */
const pollsMax = 100_000;
const bufferBase = 0x4_0000;

/** One edu device. */
export class Edu {
  readonly #process: QemuProcess;
  readonly #qtest: QtestClient;
  readonly #bar: number;

  constructor(process: QemuProcess, bar: number) {
    this.#process = process;
    this.#qtest = process.qtest;
    this.#bar = bar;
  }

  /** Reads memory into the buffer at `offset`, and waits for it. */
  async read(addressLow: number, addressHigh: number, offset: number, bytes: number): Promise<void> {
    this.#qtest.writeq(this.#bar + source, addressLow, addressHigh);
    this.#qtest.writeq(this.#bar + destination, bufferBase + offset, 0);
    await this.#run(bytes, 1);
  }

  /** Writes the buffer from `offset` on to memory, and waits for it. */
  async write(addressLow: number, addressHigh: number, offset: number, bytes: number): Promise<void> {
    this.#qtest.writeq(this.#bar + source, bufferBase + offset, 0);
    this.#qtest.writeq(this.#bar + destination, addressLow, addressHigh);
    await this.#run(bytes, 1 | 2);
  }

  async #run(bytes: number, run: number): Promise<void> {
    this.#qtest.writeq(this.#bar + count, bytes, 0);
    this.#qtest.writeq(this.#bar + command, run, 0);
    // Bit 0 reads as one while the transfer is pending.
    for (let polls = 0; polls < pollsMax; polls++)
      if (((await this.#qtest.readq(this.#bar + command)) & 1n) === 0n) return;
    this.#process.declareHung(`a DMA of edu was still running after ${pollsMax} polls`);
    throw new QemuGone(this.#process.ending as QemuEnding);
  }
}
