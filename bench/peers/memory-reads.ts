import { processorTime } from '../measure.ts';

/** Prepared places; more would measure how they are read. */
const PLACES = 1 << 16;
const READS = 1 << 20;

/** What the machine allows: reads of random lines of a table, per second of processor time. */
export interface MemoryReads {
  /** Each read has to wait for the one before. */
  readonly waiting: number;
  /** As many at a time as the processor can. */
  readonly overlapping: number;
}

/** Measures a table of some bytes, a power of two. */
export function memoryReads(bytes: number): MemoryReads {
  // Every word is zero: adding what was read to the next place makes a read wait, but does not change the place.
  const words = new Int32Array(bytes / 4).fill(0);
  const places = new Int32Array(PLACES);
  for (let at = 0; at < PLACES; at++) places[at] = (Math.imul(at + 1, 0x9e3779b1) >>> 4) & (words.length - 1) & -8;
  const rates = { waiting: 0, overlapping: 0 };
  for (let round = 0; round < 5; round++) {
    let from = processorTime();
    waiting(words, places);
    rates.waiting = Math.max(rates.waiting, (READS * 1000) / (processorTime() - from));
    from = processorTime();
    overlapping(words, places);
    rates.overlapping = Math.max(rates.overlapping, (READS * 1000) / (processorTime() - from));
  }
  return rates;
}

function waiting(words: Int32Array, places: Int32Array): number {
  let last = 0;
  for (let read = 0; read < READS; read++) last = words[(places[read & (PLACES - 1)] as number) + last] as number;
  return last;
}

function overlapping(words: Int32Array, places: Int32Array): number {
  let sum = 0;
  for (let read = 0; read < READS; read++) sum += words[places[read & (PLACES - 1)] as number] as number;
  return sum;
}
