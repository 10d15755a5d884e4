import { describe, expect, test } from 'vitest';
import { invalidationOf, type TlbMaintenance } from '../cpu/maintenance.ts';
import { REGISTER } from '../layout/register.ts';
import { nest } from '../testing/stage-two.ts';
import { attach, cfgi, TestWorld, tlbi } from '../testing/world.ts';

const VA = 0x1000;
const PAGE = 0x40_0000;

/** What a listener of a world hears, in short. */
function hear(world: TestWorld): string[] {
  const heard: string[] = [];
  world.smmu.onInvalidation(({ vmid, asid, aset, stage, page, valid, required }, { by, command }) => {
    const flags = `${valid ? 'valid' : 'stale'} ${required ? 'must go' : 'may stay'}`;
    const scope = command.byAddress ? `page ${command.page}` : 'all';
    heard.push(`${by} of ${scope}: ${vmid}.${asid}/${aset} stage ${stage} page ${page}, ${flags}`);
  });
  return heard;
}

function broadcast(world: TestWorld, maintenance: TlbMaintenance): void {
  world.smmu.dvm.invalidate(invalidationOf(maintenance), 0);
}

describe('a listener hears', () => {
  test('of leaves that a broadcast covers, whether memory still says so, and not of those that stay', () => {
    const { world, bottom } = attach([VA, 0x2000, 0x3000], {}, { btm: true });
    world.map(bottom, VA, PAGE);
    world.map(bottom, 0x2000, PAGE);
    const heard = hear(world);
    world.map(bottom, VA);
    broadcast(world, { kind: 'ASIDE1', asid: 5 });
    expect(heard).toEqual([
      'broadcast of all: 0.5/0 stage 1 page 1, stale must go',
      'broadcast of all: 0.5/0 stage 1 page 2, valid must go',
    ]);
    heard.length = 0;
    broadcast(world, { kind: 'VALE1', asid: 6, va: VA });
    expect(heard).toEqual([]);
  });

  test('of a global entry as valid as long as a walk of one of two ASIDs makes it', () => {
    const slots = [1, 2].map((streamId) => ({ streamId, substream: -1, va: VA }));
    const world = new TestWorld(slots, { btm: true });
    const { top, bottom } = world.tree(VA);
    world.map(bottom, VA, PAGE, { nG: 0 });
    for (const streamId of [1, 2]) {
      world.cd(streamId, { ASID: 4 + streamId, TTB0: top });
      world.ste(streamId);
    }
    world.enable();
    const heard = hear(world);
    for (const streamId of [2, 1]) {
      world.clearCd(streamId);
      world.sync(cfgi('CFGI_CD', { StreamID: streamId, Leaf: 1 }));
      broadcast(world, { kind: 'VMALLE1' });
      world.smmu.dvm.complete(1);
    }
    expect(heard).toEqual([
      'broadcast of all: 0.-1/0 stage 1 page 1, valid must go',
      'broadcast of all: 0.-1/0 stage 1 page 1, stale must go',
    ]);
  });

  test('of each loss once: not of what is doomed already', () => {
    const { world, bottom } = attach([VA], {}, { btm: true });
    world.map(bottom, VA, PAGE);
    world.map(bottom, VA);
    const heard = hear(world);
    world.issue(tlbi('TLBI_NH_VA', { ASID: 5, Address: VA }));
    expect(heard).toEqual(['command of page 1: 0.5/0 stage 1 page 1, stale must go']);
    broadcast(world, { kind: 'ASIDE1', asid: 5 });
    expect(heard).toHaveLength(1);
  });

  test('of what need not go: by ASID with ASET = 1, and whatever CR2.PTM permits to ignore', () => {
    for (const ptm of [0, 1]) {
      const { world, bottom } = attach([VA], { ASET: 1 }, { btm: true });
      world.enable(false);
      world.smmu.writeRegister(REGISTER.CR2, 2 | (ptm << 2));
      world.enable();
      world.map(bottom, VA, PAGE);
      const heard = hear(world);
      broadcast(world, { kind: 'VALE1', asid: 5, va: VA });
      broadcast(world, { kind: 'VMALLE1' });
      const must = ptm === 1 ? 'may stay' : 'must go';
      expect(heard).toEqual([
        'broadcast of page 1: 0.5/1 stage 1 page 1, valid may stay',
        `broadcast of all: 0.5/1 stage 1 page 1, valid ${must}`,
      ]);
    }
  });

  test('of nothing where IDR0.BTM = 0, but of commands', () => {
    const { world, bottom } = attach([VA], {});
    world.map(bottom, VA, PAGE);
    const heard = hear(world);
    broadcast(world, { kind: 'ALLE1' });
    expect(heard).toEqual([]);
    world.issue(tlbi('TLBI_NSNH_ALL'));
    expect(heard).toEqual(['command of all: 0.5/0 stage 1 page 1, valid must go']);
  });

  test('of global entries, which have no ASID', () => {
    const { world, bottom } = attach([VA], {}, { btm: true });
    world.map(bottom, VA, PAGE, { nG: 0 });
    const heard = hear(world);
    broadcast(world, { kind: 'VALE1', asid: 7, va: VA });
    expect(heard).toEqual(['broadcast of page 1: 0.-1/0 stage 1 page 1, valid must go']);
  });

  test('that what a walk through a table no longer linked left behind is stale', () => {
    const { world, middle, bottom } = attach([VA], {}, { btm: true });
    world.map(bottom, VA, PAGE);
    world.link(middle, VA, 2);
    const heard = hear(world);
    broadcast(world, { kind: 'VALE1', asid: 5, va: VA });
    expect(heard).toEqual(['broadcast of page 1: 0.5/0 stage 1 page 1, stale must go']);
  });

  test('of each stage, and of entries of both: these are valid if both parts are', () => {
    const DATA = 0x6000;
    const { world, bottom } = nest([VA], {}, { btm: true });
    world.map(bottom, VA, DATA);
    world.mapIpa(DATA, PAGE);
    const heard = hear(world);
    const ofData = (): string[] => heard.filter((line) => /page [16],/.test(line)).map((line) => line.slice(18));
    broadcast(world, { kind: 'VMALLS12E1', vmid: 1 });
    expect(ofData()).toEqual([
      '1.5/0 stage 1 page 1, valid must go',
      '1.5/0 stage combined page 1, valid must go',
      '1.-1/0 stage 2 page 6, valid must go',
    ]);
    heard.length = 0;
    world.mapIpa(DATA);
    broadcast(world, { kind: 'VMALLS12E1', vmid: 1 });
    expect(ofData()).toEqual([
      '1.5/0 stage 1 page 1, valid must go',
      '1.5/0 stage combined page 1, stale must go',
      '1.-1/0 stage 2 page 6, stale must go',
    ]);
  });

  test('that what was read of a table which stage 2 does not reach any more is stale', () => {
    const { world, bottom } = nest([VA], {}, { btm: true });
    world.map(bottom, VA, 0x6000);
    world.mapIpa(bottom);
    const heard = hear(world);
    broadcast(world, { kind: 'VALE1', vmid: 1, asid: 5, va: VA });
    expect(heard).toEqual(['broadcast of page 1: 1.5/0 stage 1 page 1, stale must go']);
  });

  test('that an entry of a CD with ASET = 1 is valid if it may go on from a table of one with ASET = 0', () => {
    for (const used of [true, false]) {
      const world = new TestWorld(
        [1, 2].map((streamId) => ({ streamId, substream: -1, va: VA })),
        { btm: true },
      );
      const { top, bottom } = world.tree(VA);
      for (const [streamId, TTB0] of [top, world.table()].entries()) {
        world.cd(streamId + 1, { ASID: 5, ASET: streamId, TTB0 });
        world.ste(streamId + 1);
      }
      world.enable();
      world.map(bottom, VA, PAGE);
      if (!used) {
        world.clearCd(2);
        world.sync(cfgi('CFGI_CD', { StreamID: 2, Leaf: 1 }));
      }
      const heard = hear(world);
      broadcast(world, { kind: 'VMALLE1' });
      expect(heard).toEqual([
        'broadcast of all: 0.5/0 stage 1 page 1, valid must go',
        `broadcast of all: 0.5/1 stage 1 page 1, ${used ? 'valid' : 'stale'} must go`,
      ]);
    }
  });

  test('of nothing valid while translation is disabled', () => {
    const { world, bottom } = attach([VA], {}, { btm: true });
    world.map(bottom, VA, PAGE);
    world.enable(false);
    const heard = hear(world);
    broadcast(world, { kind: 'ALLE1' });
    expect(heard).toEqual(['broadcast of all: 0.5/0 stage 1 page 1, stale must go']);
  });
});
