/**
 * QEMU's `rocker` switch as a DMA engine: its self-test writes, or reads and writes back, any address at once.
 *
 * Control values 1 (write zeros), 2 (write 0x96 bytes) and 4 (read, invert each bit, write back) are used. There is no
 * pure read; a read that faults delivers zeros, so what 4 writes back tells what it read.
 */
import type { QtestClient } from './qtest.ts';

const addressRegister = 0x28;
const sizeRegister = 0x30;
const controlRegister = 0x34;

/** What a rocker DMA does. */
export const rockerControl = { zero: 1, fill: 2, invert: 4 } as const;

/** The byte that `fill` writes. */
export const rockerFill = 0x96;

/** One rocker device. */
export class Rocker {
  readonly #qtest: QtestClient;
  readonly #bar: number;

  constructor(qtest: QtestClient, bar: number) {
    this.#qtest = qtest;
    this.#bar = bar;
  }

  /** Sets the length of every later DMA, bytes (1 … 65535). Queued. */
  setSize(bytes: number): void {
    this.#qtest.writel(this.#bar + sizeRegister, bytes);
  }

  /** Starts a DMA; it is complete when the queued line has been carried out. */
  run(control: number, addressLow: number, addressHigh: number): void {
    this.#qtest.writeq(this.#bar + addressRegister, addressLow, addressHigh);
    this.#qtest.writel(this.#bar + controlRegister, control);
  }
}
