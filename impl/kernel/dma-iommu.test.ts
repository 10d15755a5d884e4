import { describe, expect, it } from 'vitest';
import { TestWorld } from './test-support.ts';

const G = 0x4800_0000;

function lazy(): TestWorld {
  const world = new TestWorld({ iovas: [0x40_0000, 0x40_1000, 0x40_2000], flushQueueSize: 2 });
  world.run(world.operations.domainAlloc(0));
  world.run(world.operations.attach(0, 0));
  world.take();
  return world;
}

describe('lazy DMA', () => {
  it('does not give an address out again before a flush', () => {
    const world = lazy();
    const { operations } = world;
    expect(world.run(operations.dmaMap(0, G))).toBe(true);
    expect(world.run(operations.dmaMap(0, G))).toBe(false);
    world.take();
    expect(world.run(operations.dmaUnmap(0))).toBe(true);
    expect(world.events.at(-1)).toMatchObject({ type: 'unmap.end', iova: 0x40_0000, lazy: true });
    expect(world.take()).toEqual([]);
    world.run(operations.dmaMap(1, G + 0x1000));
    expect(world.events.at(-1)).toMatchObject({ type: 'map.end', iova: 0x40_1000 });
    world.take();
    expect(world.run(operations.dmaFlush())).toBe(true);
    expect(world.eventTypes()).toEqual(['flush.begin', 'flush.end']);
    expect(world.take()).toEqual(['TLBI_NH_ASID 1', 'SYNC', 'complete']);
    world.run(operations.dmaMap(0, G + 0x2000));
    expect(world.events.at(-1)).toMatchObject({ type: 'map.end', iova: 0x40_0000 });
    expect(world.machine.failure).toBeUndefined();
  });

  it('flushes a queue that is full, and refuses a map when no address is left', () => {
    const world = lazy();
    const { operations } = world;
    for (const buffer of [0, 1, 2]) world.run(operations.dmaMap(buffer, G + buffer * 0x1000));
    expect(world.run(operations.dmaMap(3, G))).toBe(false);
    world.run(operations.dmaUnmap(0));
    world.take();
    world.run(operations.dmaUnmap(1));
    expect(world.take()).toEqual(['TLBI_NH_ASID 1', 'SYNC', 'complete']);
    expect(world.run(operations.dmaUnmap(1))).toBe(false);
    world.run(operations.dmaMap(0, G));
    expect(world.events.at(-1)).toMatchObject({ type: 'map.end', iova: 0x40_0000 });
  });

  it('does nothing without a domain', () => {
    const world = new TestWorld();
    expect(world.run(world.operations.dmaFlush())).toBe(false);
    expect(world.run(world.operations.dmaMap(0, G))).toBe(false);
    expect(world.run(world.operations.dmaUnmap(0))).toBe(false);
  });
});
