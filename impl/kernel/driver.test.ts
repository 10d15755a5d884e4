import { describe, expect, it } from 'vitest';
import { STE_CONFIG } from '../../model/architecture/arm/layout/index.ts';
import { TestWorld } from './test-support.ts';

describe('attach and detach', () => {
  it('publishes the ASID, then writes the CD, then the STE', () => {
    const world = new TestWorld();
    const { operations } = world;
    expect(world.ste(0)).toMatchObject({ V: 1, Config: STE_CONFIG.ABORT });
    expect(world.run(operations.domainAlloc(0))).toBe(true);
    expect(world.events).toEqual([
      { type: 'table.alloc', pa: world.domain(0).pgd.value, size: 4096 },
      { type: 'tag.assign', kind: 'asid', tag: 1, space: 0 },
    ]);
    world.take();
    expect(world.run(operations.attach(0, 0))).toBe(true);
    expect(world.eventTypes()).toEqual(['attach.begin', 'attach.end']);
    expect(world.take()).toEqual([
      'CFGI_CD 10.0',
      'SYNC',
      'complete',
      'CFGI_CD 10.0',
      'SYNC',
      'complete',
      'CFGI_STE 10',
      'SYNC',
      'complete',
      'CFGI_STE 10',
      'SYNC',
      'complete',
    ]);
    expect(world.cd(0, 0)).toMatchObject({ V: 1, ASID: 1, ASET: 1, AA64: 1, T0SZ: 39, EPD0: 0, EPD1: 1, R: 1, A: 1 });
    expect(world.cd(0, 0).TTB0).toBe(world.domain(0).pgd.value);
    const cdTable = world.kernel.masters[0]?.cdTable;
    expect(world.ste(0)).toMatchObject({
      V: 1,
      Config: STE_CONFIG.STAGE1,
      S1ContextPtr: cdTable,
      S1CDMax: 2,
      S1DSS: 2,
    });
    expect(world.domain(0).invs.value).toBe(1 << 1);
    expect(world.run(operations.attach(0, 0))).toBe(false);
  });

  it('flushes the ASID with the last device only', () => {
    const world = new TestWorld();
    const { operations } = world;
    world.run(operations.domainAlloc(0));
    world.run(operations.attach(0, 0));
    world.run(operations.attach(0, 1));
    world.take();
    world.run(operations.detach(0));
    expect(world.domain(0).invs.value).toBe(1 << 1);
    expect(world.take()).not.toContain('TLBI_NH_ASID 1');
    expect(world.run(operations.detach(1))).toBe(true);
    expect(world.take().slice(-3)).toEqual(['TLBI_NH_ASID 1', 'SYNC', 'complete']);
    expect(world.domain(0).invs.value).toBe(0);
    expect(world.ste(1)).toMatchObject({ V: 1, Config: STE_CONFIG.ABORT, S1DSS: 0 });
    expect(world.cd(1, 0).V).toBe(0);
    expect(world.run(operations.detach(1))).toBe(false);
  });

  it('changes from bypass to translation and back in one used word', () => {
    const world = new TestWorld({ bypass: true });
    const { operations } = world;
    world.run(operations.domainAlloc(0));
    world.take();
    world.run(operations.attach(0, 0));
    expect(world.events[0]).toMatchObject({ type: 'attach.begin', to: 0, hitless: true });
    // Prepare, switch, clear what is unused now.
    expect(world.take().filter((command) => command.startsWith('CFGI_STE'))).toHaveLength(3);
    world.run(operations.detach(0));
    expect(world.events[0]).toMatchObject({ type: 'attach.begin', to: 'bypass', hitless: true });
    expect(world.ste(0)).toMatchObject({ V: 1, Config: STE_CONFIG.BYPASS, S1DSS: 0, SHCFG: 1 });
  });

  it('changes over to another domain through an invalid CD', () => {
    const world = new TestWorld();
    const { operations } = world;
    for (const slot of [0, 1]) world.run(operations.domainAlloc(slot));
    world.run(operations.attach(0, 0));
    world.take();
    expect(world.run(operations.attach(1, 0))).toBe(true);
    expect(world.cd(0, 0)).toMatchObject({ V: 1, ASID: 2, TTB0: world.domain(1).pgd.value });
    expect([world.domain(0).invs.value, world.domain(1).invs.value]).toEqual([0, 1 << 2]);
    expect(world.take().filter((command) => command !== 'SYNC' && command !== 'complete')).toEqual([
      'CFGI_CD 10.0',
      'CFGI_CD 10.0',
      'CFGI_CD 10.0',
      'TLBI_NH_ASID 1',
    ]);
  });
});

describe('domains', () => {
  it('give everything back', () => {
    const world = new TestWorld();
    const { operations, kernel } = world;
    const before = kernel.pages.allocated;
    world.run(operations.domainAlloc(0));
    world.run(operations.attach(0, 0));
    world.run(operations.map(0, 0x1000, 0x1000, 0x4800_0000));
    expect(world.run(operations.domainFree(0))).toBe(false);
    world.run(operations.detach(0));
    expect(world.run(operations.domainFree(0))).toBe(true);
    expect(kernel.pages.allocated).toBe(before);
    expect(kernel.asids.owner(1)).toBe(0);
    expect(kernel.domains.live()).toEqual([]);
    expect(world.run(operations.attach(0, 0))).toBe(false);
  });

  it('are refused when no ASID is left, and take the lowest one', () => {
    const world = new TestWorld({ asidMax: 2 });
    const { operations, kernel } = world;
    expect(world.run(operations.domainAlloc(0))).toBe(true);
    expect(world.run(operations.asidPressure())).toBe(true);
    expect(kernel.asids.owner(2)).toBe(0);
    expect(world.run(operations.domainAlloc(1))).toBe(true);
    const before = kernel.pages.allocated;
    expect(world.run(operations.asidPressure())).toBe(false);
    expect(kernel.pages.allocated).toBe(before);
    expect(world.machine.failure).toBeUndefined();
  });
});
