import { describe, expect, it } from 'vitest';
import { Machine } from '../../engine/machine.ts';
import { FRAME_BYTES, PageAllocator, PhysicalMemory } from './index.ts';

const region = { base: 0x4100_0000, frames: 3 };

describe('PhysicalMemory', () => {
  it('keeps 64-bit words of several regions apart and knows where there is none', () => {
    const machine = new Machine();
    const memory = new PhysicalMemory(machine.store, [region, { base: 0x8_0000_0000, frames: 1 }]);
    memory.writeWord(0x4100_0ff8, 0x1234, -1);
    memory.writeWord(0x8_0000_0000, 7, 8);
    expect([memory.low(0x4100_0ff8), memory.high(0x4100_0ff8)]).toEqual([0x1234, -1]);
    expect(memory.readWords(0x8_0000_0000, 2)).toEqual([7, 8, 0, 0]);
    expect(memory.present(0x4100_3000)).toBe(false);
    expect(() => memory.low(0x4100_3000)).toThrow(RangeError);
    expect(() => memory.low(0x4100_0004)).toThrow(RangeError);
  });

  it('tells observers of words that changed, and is undone with the store', () => {
    const machine = new Machine();
    const memory = new PhysicalMemory(machine.store, [region]);
    const seen: number[] = [];
    memory.onWrite((pa) => seen.push(pa));
    const mark = machine.store.mark();
    memory.writeWords(0x4100_0010, [1, 0, 0, 0, 0, 3]);
    memory.writeWord(0x4100_0010, 1, 0);
    memory.clear(0x4100_0000, FRAME_BYTES);
    expect(seen).toEqual([0x4100_0010, 0x4100_0020, 0x4100_0010, 0x4100_0020]);
    memory.writeWord(0x4100_0010, 5, 0);
    machine.store.rollback(mark);
    expect(memory.readWords(0x4100_0010, 3)).toEqual([0, 0, 0, 0, 0, 0]);
  });
});

describe('PageAllocator', () => {
  it('gives out the lowest free page, zeroed, and 0 when exhausted', () => {
    const machine = new Machine();
    const memory = new PhysicalMemory(machine.store, [region]);
    const pages = new PageAllocator(machine, memory, region);
    expect([pages.alloc(), pages.alloc(), pages.alloc(), pages.alloc()]).toEqual([
      0x4100_0000, 0x4100_1000, 0x4100_2000, 0,
    ]);
    memory.writeWord(0x4100_1008, 9, 9);
    pages.free(0x4100_1000);
    expect(memory.low(0x4100_1008)).toBe(9);
    expect(pages.allocated).toBe(2);
    expect(pages.alloc()).toBe(0x4100_1000);
    expect(memory.low(0x4100_1008)).toBe(0);
  });

  it('reports a double free', () => {
    const machine = new Machine();
    const memory = new PhysicalMemory(machine.store, [region]);
    const pages = new PageAllocator(machine, memory, region);
    const pa = pages.alloc();
    pages.free(pa);
    pages.free(pa);
    expect(machine.failure?.rule).toBe('double-free');
    expect(() => pages.free(0x1000)).toThrow(RangeError);
  });

  it('allocates pages of a larger granule', () => {
    const machine = new Machine();
    const large = { base: 0x4100_0000, frames: 9 };
    const memory = new PhysicalMemory(machine.store, [large]);
    const pages = new PageAllocator(machine, memory, large, 0x4000);
    expect([pages.alloc(), pages.alloc(), pages.alloc()]).toEqual([0x4100_0000, 0x4100_4000, 0]);
  });
});
