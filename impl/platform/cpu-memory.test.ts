import { expect, test } from 'vitest';
import { Machine } from '../../engine/machine.ts';
import { smp_mb } from '../../engine/memory-order/barriers.ts';
import { StoreBuffers } from '../../engine/memory-order/store-buffers.ts';
import { CpuMemory, PageAllocator, PhysicalMemory } from './index.ts';

const region = { base: 0x4100_0000, frames: 2 };

function weakMemory() {
  const machine = new Machine();
  const buffers = new StoreBuffers(machine, 3);
  machine.buffers = buffers;
  const physical = new PhysicalMemory(machine.store, [region]);
  const seen: number[] = [];
  physical.onWrite((pa) => seen.push(pa));
  const idle = { name: 'CPU0', context: 'process' as const, daemon: false, operations: [] };
  buffers.assign([idle], () => true);
  machine.current = 0;
  return { machine, physical, seen, memory: new CpuMemory(physical, buffers) };
}

test('a CPU sees its own stores, devices see them when they reach memory', () => {
  const { machine, physical, seen, memory } = weakMemory();
  memory.writeWords(region.base, [1, 2, 3, 4]);
  expect(memory.readWords(region.base, 2)).toEqual([1, 2, 3, 4]);
  expect(physical.readWords(region.base, 2)).toEqual([0, 0, 0, 0]);
  expect(seen).toEqual([]);
  smp_mb(machine);
  expect(physical.readWords(region.base, 2)).toEqual([1, 2, 3, 4]);
  expect(seen).toEqual([region.base, region.base + 8]);
});

test('an atomic store is in memory at once, after what the CPU has stored to the same word', () => {
  const { physical, seen, memory } = weakMemory();
  memory.writeWord(region.base, 1, 0);
  memory.writeWord(region.base + 8, 1, 0);
  memory.exchangeWord(region.base + 16, 5, 0);
  expect(seen).toEqual([region.base + 16]);
  memory.exchangeWord(region.base, 6, 0);
  expect(seen).toEqual([region.base + 16, region.base, region.base]);
  expect(physical.low(region.base)).toBe(6);
  expect(physical.low(region.base + 8)).toBe(0);
});

test('the zeros of an allocated page are plain stores, and a freed page has none pending', () => {
  const { machine, physical, memory } = weakMemory();
  const pages = new PageAllocator(machine, memory, region);
  const pa = pages.alloc();
  memory.writeWord(pa + 8, 7, 7);
  expect(physical.low(pa + 8)).toBe(0);
  pages.free(pa);
  expect(physical.low(pa + 8)).toBe(7);
  expect(pages.alloc()).toBe(pa);
  expect(memory.low(pa + 8)).toBe(0);
  expect(physical.low(pa + 8)).toBe(7);
});

test('a cell of memory is at an address, any other is at none', () => {
  const { physical } = weakMemory();
  expect(physical.addressOf(physical.cellOf(region.base + 0x18))).toBe(region.base + 0x18);
  expect(physical.addressOf(0)).toBe(-1);
});
