import type { StoreBuffers } from '../../engine/memory-order/store-buffers.ts';
import { Memory, type PhysicalMemory } from './memory.ts';

/** Physical memory as the software of a weakly ordered machine sees it: through the store buffer of the CPU that runs it. */
export class CpuMemory extends Memory {
  readonly #memory: PhysicalMemory;
  readonly #buffers: StoreBuffers;

  /** Words that leave a buffer are written to `memory`, which tells the devices. */
  constructor(memory: PhysicalMemory, buffers: StoreBuffers) {
    super();
    this.#memory = memory;
    this.#buffers = buffers;
    buffers.commitWord = (cell, low, high) => memory.writeWord(memory.addressOf(cell), low, high);
  }

  low(pa: number): number {
    return this.#buffers.load(this.#memory.cellOf(pa));
  }

  high(pa: number): number {
    return this.#buffers.load(this.#memory.cellOf(pa) + 1);
  }

  writeWord(pa: number, low: number, high: number): void {
    this.#buffers.storeWord(this.#memory.cellOf(pa), low, high);
  }

  settle(pa: number): void {
    this.#buffers.settle(this.#memory.cellOf(pa));
  }

  exchangeWord(pa: number, low: number, high: number): void {
    this.settle(pa);
    this.#memory.writeWord(pa, low, high);
  }
}
