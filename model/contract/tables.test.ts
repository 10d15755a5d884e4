import { describe, expect, it } from 'vitest';
import { TableMonitor } from './tables.ts';

describe('TableMonitor', () => {
  const held = {
    tableHeld: (pa: number, size: number) =>
      pa <= 0x5000 && 0x5000 < pa + size ? { text: 'the walk cache' } : undefined,
  };
  const monitor = new TableMonitor(held);

  it('table-free-in-use: no walk reaches a page that is freed', () => {
    expect(monitor.on({ type: 'table.free', pa: 0x4000, size: 0x2000 })).toEqual({
      monitor: 'tables',
      rule: 'table-free-in-use',
      message: 'The page table at 0x4000 is freed while a walk may still reach it: the walk cache.',
      data: { pa: '0x4000', size: 0x2000, use: 'the walk cache', promise: 'table.free' },
    });
    expect(monitor.on({ type: 'table.free', pa: 0x4000, size: 0x1000 })).toBeUndefined();
  });

  it('lets tables be allocated while walks still reach the page, and ignores other events', () => {
    expect(monitor.on({ type: 'table.alloc', pa: 0x5000, size: 0x1000 })).toBeUndefined();
    expect(monitor.on({ type: 'flush.end', space: 0 })).toBeUndefined();
  });
});
