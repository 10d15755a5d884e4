import { describe, expect, it } from 'vitest';
import { advance } from '../../engine/complete.ts';
import { NOTHING } from '../../engine/step.ts';
import { decode, STAGE1_LEAF } from '../../model/architecture/arm/layout/index.ts';
import { READ, type ContractEvent } from '../../model/contract/events.ts';
import type { KernelConfig } from './config.ts';
import { TestWorld } from './test-support.ts';

const G = 0x4800_0000;
const BLOCK = 0x20_0000;

function attached(config: Partial<KernelConfig> = {}): TestWorld {
  const world = new TestWorld({ pages: [0x1000, 0x2000, 0x3000, BLOCK, BLOCK + 0x1000], ...config });
  world.run(world.operations.domainAlloc(0));
  world.run(world.operations.attach(0, 0));
  world.take();
  return world;
}

function tables(events: readonly ContractEvent[]): string[] {
  return events.filter(({ type }) => type.startsWith('table')).map(({ type }) => type);
}

describe.each([
  { t0sz: 39, levels: 2 },
  { t0sz: 25, levels: 3 },
  { t0sz: 16, levels: 4 },
])('tables with T0SZ $t0sz', ({ t0sz, levels }) => {
  it(`maps a page over ${levels} levels and unmaps it`, () => {
    const world = attached({ t0sz });
    const { operations } = world;
    const { pgd } = world.domain(0);
    expect(world.run(operations.map(0, 0x1000, 0x1000, G))).toBe(true);
    expect(tables(world.events)).toHaveLength(levels - 1);
    expect(world.events.at(-2)).toEqual({
      type: 'map.begin',
      space: 0,
      iova: 0x1000,
      size: 0x1000,
      pa: G,
      permissions: 3,
    });
    expect(world.events.at(-1)).toEqual({ type: 'map.end', space: 0, iova: 0x1000, size: 0x1000 });
    expect(world.translate(pgd.value, 0x1234)).toBe(G + 0x234);
    expect(world.translate(pgd.value, 0x2000)).toBe(-1);
    expect(world.take()).toEqual([]);
    expect(world.run(operations.map(0, 0x1000, 0x1000, G))).toBe(false);
    expect(world.run(operations.unmap(0, 0x1000, 0x1000))).toBe(true);
    expect(world.eventTypes()).toEqual(['unmap.begin', 'unmap.end']);
    expect(world.translate(pgd.value, 0x1000)).toBe(-1);
    expect(world.take()).toEqual(['TLBI_NH_VA 1 0x1000 scale 0 num 0 ttl 3 leaf', 'SYNC', 'complete']);
    expect(world.run(operations.unmap(0, 0x1000, 0x1000))).toBe(false);
  });
});

describe.each([
  { granule: 14, t0sz: 28, block: 0x200_0000 },
  { granule: 16, t0sz: 22, block: 0x2000_0000 },
] as const)('tables with a granule of 2^$granule bytes', ({ granule, t0sz, block }) => {
  it('map and unmap pages and blocks', () => {
    const page = 2 ** granule;
    const memory = { base: 0x4100_0000, frames: 256 };
    const world = attached({ granule, t0sz, memory, pages: [page, 2 * page] });
    const { operations } = world;
    const { pgd } = world.domain(0);
    expect(world.cd(0, 0)).toMatchObject({ TG0: granule === 14 ? 2 : 1, T0SZ: t0sz });
    expect(world.run(operations.map(0, page, 2 * page, 0x6000_0000))).toBe(true);
    expect(world.translate(pgd.value, 2 * page + 8)).toBe(0x6000_0000 + page + 8);
    world.take();
    expect(world.run(operations.unmap(0, page, 2 * page))).toBe(true);
    expect(world.take()[0]).toBe(`TLBI_NH_VA 1 0x${page.toString(16)} scale 1 num 0 ttl 3 leaf`);
    expect(world.run(operations.map(0, 0, block, 0x6000_0000))).toBe(true);
    expect(world.translate(pgd.value, page)).toBe(0x6000_0000 + page);
    world.take();
    expect(world.run(operations.unmap(0, 0, block))).toBe(true);
    expect(world.take()[0]).toBe(`TLBI_NH_VA 1 0x0 scale ${Math.log2(block / page)} num 0 ttl 2 leaf`);
  });
});

describe('io-pgtable', () => {
  it('writes the descriptor of a read-only page', () => {
    const world = attached();
    world.run(world.operations.map(0, 0x1000, 0x1000, G, READ));
    const table = world.kernel.memory.low(world.domain(0).pgd.value) & ~0xfff;
    const leaf = decode(STAGE1_LEAF, world.kernel.memory.readWords(table + 8, 1));
    expect(leaf).toMatchObject({ Valid: 1, Page: 1, AP: 3, AF: 1, nG: 1, SH: 3, AttrIndx: 2, Address: G, UXN: 1 });
  });

  it('unmaps several pages by one range command', () => {
    const world = attached();
    world.run(world.operations.map(0, 0x1000, 0x3000, G));
    world.take();
    expect(world.run(world.operations.unmap(0, 0x1000, 0x3000))).toBe(true);
    expect(world.take()).toEqual(['TLBI_NH_VA 1 0x1000 scale 0 num 2 ttl 3 leaf', 'SYNC', 'complete']);
  });

  it('frees the table under a block only after its walks were flushed', () => {
    const world = attached();
    world.run(world.operations.map(0, 0x1000, 0x1000, G));
    world.run(world.operations.map(0, 0x3000, 0x1000, G + 0x1000));
    world.take();
    const order: string[] = [];
    const log = world.port.log;
    const task = world.operations.unmap(0, 0, BLOCK);
    for (let next = advance(task as never, undefined); next !== undefined;) {
      const result = next.run();
      order.push(...log.splice(0), ...world.eventTypes());
      world.events.length = 0;
      next = advance(task as never, result === undefined ? NOTHING : result);
    }
    expect(order).toEqual([
      'unmap.begin',
      'TLBI_NH_VA 1 0x0 scale 9 num 0 ttl 0',
      'SYNC',
      'complete',
      'table.free',
      'unmap.end',
    ]);
    expect(world.run(world.operations.map(0, 0x3000, 0x1000, G))).toBe(true);
  });

  it('replaces an empty table by a block with break-before-make', () => {
    const world = attached();
    const { pgd } = world.domain(0);
    world.run(world.operations.map(0, 0x1000, 0x1000, G));
    expect(world.run(world.operations.map(0, 0, BLOCK, 0x4a00_0000))).toBe(false);
    world.run(world.operations.unmap(0, 0x1000, 0x1000));
    world.take();
    expect(world.run(world.operations.map(0, 0, BLOCK, 0x4a00_0000))).toBe(true);
    expect(world.eventTypes()).toEqual(['table.free', 'map.begin', 'map.end']);
    expect(world.take()).toEqual(['TLBI_NH_VA 1 0x0 scale 9 num 0 ttl 0', 'SYNC', 'complete']);
    expect(world.translate(pgd.value, 0x1234)).toBe(0x4a00_1234);
    expect(world.run(world.operations.map(0, 0x1000, 0x1000, G))).toBe(false);
    expect(world.run(world.operations.unmap(0, 0x1000, 0x1000))).toBe(false);
    expect(world.run(world.operations.unmap(0, 0, BLOCK))).toBe(true);
    expect(world.take()).toEqual(['TLBI_NH_VA 1 0x0 scale 9 num 0 ttl 2 leaf', 'SYNC', 'complete']);
  });

  it('splits a block into pages of the same memory', () => {
    const world = attached();
    const { pgd } = world.domain(0);
    world.run(world.operations.map(0, 0, BLOCK, 0x4a00_0000, READ));
    world.take();
    expect(world.run(world.operations.split(0, 0))).toBe(true);
    expect(world.eventTypes()).toEqual(['unmap.begin', 'table.alloc', 'unmap.end', 'map.begin', 'map.end']);
    expect(world.translate(pgd.value, 0x1f_f008)).toBe(0x4a1f_f008);
    expect(world.run(world.operations.unmap(0, 0x2000, 0x1000))).toBe(true);
    expect(world.translate(pgd.value, 0x1000)).toBe(0x4a00_1000);
    expect(world.translate(pgd.value, 0x2000)).toBe(-1);
  });

  it('without range invalidation sends a command for each page, or flushes the ASID', () => {
    const world = attached({ rangeInvalidation: false });
    world.run(world.operations.map(0, 0x1000, 0x2000, G));
    world.run(world.operations.unmap(0, 0x1000, 0x2000));
    expect(world.take()).toEqual(['TLBI_NH_VA 1 0x1000 leaf', 'TLBI_NH_VA 1 0x2000 leaf', 'SYNC', 'complete']);
    world.run(world.operations.map(0, 0x1000, 0x1000, G));
    world.run(world.operations.unmap(0, 0, BLOCK));
    expect(world.take()).toEqual(['TLBI_NH_ASID 1', 'SYNC', 'complete']);
  });

  it('lets the loser of a race for a table free its own page', () => {
    const world = attached();
    const before = world.kernel.pages.allocated;
    const tasks = [world.operations.map(0, 0x1000, 0x1000, G), world.operations.map(0, 0x2000, 0x1000, G + 0x1000)];
    const pending = tasks.map((task) => advance(task as never, undefined));
    while (pending.some((next) => next !== undefined))
      for (const [agent, next] of pending.entries()) {
        if (next === undefined) continue;
        const result = next.run();
        pending[agent] = advance(tasks[agent] as never, result === undefined ? NOTHING : result);
      }
    expect(tables(world.events)).toEqual(['table.alloc', 'table.alloc', 'table.free']);
    expect(world.kernel.pages.allocated).toBe(before + 1);
    const { pgd } = world.domain(0);
    expect([world.translate(pgd.value, 0x1000), world.translate(pgd.value, 0x2000)]).toEqual([G, G + 0x1000]);
  });

  it('refuses to map without memory for a table', () => {
    const world = attached();
    while (world.kernel.pages.alloc() !== 0);
    expect(world.run(world.operations.map(0, 0x1000, 0x1000, G))).toBe(false);
    expect(world.eventTypes()).toEqual([]);
  });
});
