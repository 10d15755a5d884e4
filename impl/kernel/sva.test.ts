import { describe, expect, it } from 'vitest';
import type { KernelConfig } from './config.ts';
import { TestWorld } from './test-support.ts';

const G = 0x4800_0000;

/** Domain 0 has ASID 1, which is also the CPU ASID of the process. */
function shared(config: Partial<KernelConfig> = {}): TestWorld {
  const world = new TestWorld(config);
  world.run(world.operations.domainAlloc(0));
  world.run(world.operations.attach(0, 0));
  world.take();
  return world;
}

function withoutSync(commands: string[]): string[] {
  return commands.filter((command) => command !== 'SYNC' && command !== 'complete');
}

describe('bind', () => {
  it('moves the private domain off the ASID, device by device, and flushes the old one', () => {
    const world = shared();
    const { operations, kernel } = world;
    world.run(operations.attach(0, 1));
    world.take();
    expect(world.run(operations.bind(0, 1))).toBe(true);
    expect(world.events).toEqual([
      { type: 'tag.assign', kind: 'asid', tag: 2, space: 0 },
      { type: 'tag.release', kind: 'asid', tag: 1, space: 0 },
      { type: 'tag.free', kind: 'asid', tag: 1 },
      { type: 'tag.assign', kind: 'asid', tag: 1, space: 2 },
      { type: 'attach.begin', stream: 0x18, substream: 1, to: 2, hitless: false },
      { type: 'attach.end', stream: 0x18, substream: 1 },
    ]);
    expect(withoutSync(world.take())).toEqual([
      'CFGI_CD 10.0',
      'CFGI_CD 18.0',
      'TLBI_NH_ASID 1',
      'CFGI_CD 18.1',
      'CFGI_CD 18.1',
    ]);
    expect([world.cd(0, 0).ASID, world.cd(1, 0).ASID]).toEqual([2, 2]);
    const mm = kernel.mms.at(1);
    expect(world.cd(1, 1)).toMatchObject({ V: 1, ASID: 1, ASET: 0, TTB0: mm.pgd.value });
    expect([world.domain(0).invs.value, mm.invs.value]).toEqual([1 << 2, 1 << 1]);
    expect(mm.mm_count.value).toBe(2);
  });

  it('shares one context descriptor among devices and keeps it until the last unbind', () => {
    const world = shared();
    const { operations, kernel } = world;
    world.run(operations.attach(0, 1));
    world.run(operations.bind(0, 0));
    world.run(operations.bind(0, 1));
    world.run(operations.bind(0, 1));
    const mm = kernel.mms.at(1);
    expect([kernel.sharedCds.at(1).refs.value, mm.pinned.value, mm.mm_count.value]).toEqual([2, 1, 2]);
    expect(world.run(operations.detach(1))).toBe(false);
    world.run(operations.unbind(0, 1));
    expect(world.cd(1, 1).V).toBe(1);
    world.take();
    world.run(operations.unbind(0, 1));
    expect(withoutSync(world.take())).toEqual(['CFGI_CD 18.1']);
    expect(world.run(operations.unbind(0, 0))).toBe(true);
    expect(world.eventTypes()).toEqual(['attach.begin', 'attach.end', 'tag.release', 'tag.free']);
    expect(withoutSync(world.take())).toEqual(['CFGI_CD 10.1', 'TLBI_NH_ASID 1']);
    expect(kernel.sharedCds.live()).toEqual([]);
    expect([mm.pinned.value, mm.mm_count.value, mm.invs.value]).toEqual([0, 1, 0]);
    expect(world.run(operations.unbind(0, 0))).toBe(false);
    expect(world.machine.failure).toBeUndefined();
  });

  it('is refused without a domain or without a free ASID, and leaves no trace', () => {
    const world = shared({ asidMax: 2 });
    const { operations, kernel } = world;
    expect(world.run(operations.bind(0, 1))).toBe(false);
    world.run(operations.domainAlloc(1));
    expect(world.run(operations.bind(0, 0))).toBe(false);
    const mm = kernel.mms.at(1);
    expect([mm.pinned.value, mm.mm_count.value, mm.mm_users.value, mm.invs.value]).toEqual([0, 1, 1, 0]);
    expect(kernel.asids.owner(1)).toBe(world.domain(0).handle);
    expect(kernel.asidLock.ready() && kernel.masters.every(({ group }) => group.ready())).toBe(true);
  });
});

describe('processes', () => {
  it('invalidate their ASID on munmap while bound, and free the last table after that', () => {
    const world = shared();
    const { operations } = world;
    world.run(operations.mmMap(0, 0x1000, G));
    world.run(operations.mmMap(0, 0x2000, G + 0x1000));
    world.run(operations.munmap(0, 0x2000));
    expect(world.take()).toEqual([]);
    world.run(operations.bind(0, 0));
    world.run(operations.mmMap(0, 0x2000, G + 0x1000));
    world.take();
    expect(world.run(operations.munmap(0, 0x1000))).toBe(true);
    expect(world.eventTypes()).toEqual(['unmap.begin', 'unmap.end']);
    expect(world.take()).toEqual(['TLBI_NH_VA 1 0x1000 scale 1 num 0 ttl 0', 'SYNC', 'complete']);
    expect(world.run(operations.munmap(0, 0x2000))).toBe(true);
    expect(world.eventTypes()).toEqual(['unmap.begin', 'table.free', 'unmap.end']);
    expect(world.run(operations.munmap(0, 0x2000))).toBe(false);
  });

  it('quiet their context descriptors on exit and go with the last unbind', () => {
    const world = shared();
    const { operations, kernel } = world;
    const pages = kernel.pages.allocated;
    world.run(operations.mmMap(0, 0x1000, G));
    world.run(operations.bind(0, 0));
    world.take();
    expect(world.run(operations.processExit(0))).toBe(true);
    expect(world.eventTypes()).toEqual(['attach.begin', 'attach.end', 'unmap.begin', 'table.free', 'unmap.end']);
    expect(withoutSync(world.take())).toEqual(['CFGI_CD 10.1', 'TLBI_NH_ASID 1']);
    expect(world.cd(0, 1)).toMatchObject({ V: 1, EPD0: 1 });
    expect(world.run(operations.processExit(0))).toBe(false);
    expect(world.run(operations.mmMap(0, 0x1000, G))).toBe(false);
    expect(world.run(operations.munmap(0, 0x1000))).toBe(false);
    expect(world.run(operations.bind(0, 0))).toBe(false);
    expect(kernel.mms.isLive(1)).toBe(true);
    expect(world.run(operations.unbind(0, 0))).toBe(true);
    expect(withoutSync(world.take())).toEqual(['CFGI_CD 10.1']);
    expect(kernel.mms.isLive(1)).toBe(false);
    expect(kernel.pages.allocated).toBe(pages - 1);
    expect(world.machine.failure).toBeUndefined();
  });
});
