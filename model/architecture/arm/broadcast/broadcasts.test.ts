import { beforeEach, describe, expect, test } from 'vitest';
import type { TlbInvalidation } from '../commands/invalidation.ts';
import { REGISTER } from '../layout/register.ts';
import { attach, tlbi, type Attached } from '../testing/world.ts';

const PAGE = 0x40_0000;
const VA = 0x1000;
const ALL: TlbInvalidation = {
  kind: 'tlb',
  vmid: 0,
  asid: -1,
  byAddress: false,
  page: 0,
  pages: 0,
  leaf: false,
  granule: 0,
  level: 0,
};
const BY_ASID: TlbInvalidation = { ...ALL, asid: 5 };
const BY_ADDRESS: TlbInvalidation = { ...BY_ASID, byAddress: true, page: 1, pages: 1, leaf: true };

let made: Attached;
/** Maps the page, then unmaps it: the entry is what is left. */
function stale(cd: Parameters<typeof attach>[1] = {}, features: Parameters<typeof attach>[2] = {}): Attached {
  const attached = attach([VA], cd, { btm: true, ...features });
  attached.world.map(attached.bottom, VA, PAGE);
  attached.world.map(attached.bottom, VA);
  return attached;
}

describe('a broadcast', () => {
  beforeEach(() => {
    made = stale();
  });

  test('takes away what it covers when it completes, and not before', () => {
    const { world } = made;
    world.smmu.dvm.invalidate(BY_ADDRESS, 3);
    expect(world.see()).toEqual(['f10', '→400000']);
    world.smmu.dvm.complete(~(1 << 3));
    expect(world.see()).toEqual(['f10', '→400000']);
    world.smmu.dvm.complete(1 << 3);
    expect(world.see()).toEqual(['f10']);
  });

  test('does not take away what is read again after it', () => {
    const { world, bottom } = made;
    world.smmu.dvm.invalidate(BY_ADDRESS, 3);
    world.map(bottom, VA, PAGE);
    world.map(bottom, VA);
    world.smmu.dvm.complete(1 << 3);
    expect(world.see()).toEqual(['f10', '→400000']);
  });

  test('is not completed by a CMD_SYNC, nor a command by a DSB; whichever comes first', () => {
    for (const first of ['command', 'broadcast']) {
      const { world } = stale();
      world.issue(tlbi('TLBI_NH_ASID', { ASID: 5 }));
      world.smmu.dvm.invalidate(BY_ASID, 11);
      if (first === 'command') world.sync();
      else world.smmu.dvm.complete(1 << 11);
      expect(world.see()).toEqual(['f10']);
    }
    made.world.smmu.dvm.invalidate(BY_ASID, 11);
    made.world.sync();
    expect(made.world.see()).toEqual(['f10', '→400000']);
  });

  test('leaves nothing behind when it has completed', () => {
    const { world } = made;
    const before = [...world.store.cells];
    world.smmu.dvm.invalidate({ ...ALL, vmid: 7 }, 5);
    expect([...world.store.cells]).not.toEqual(before);
    world.smmu.dvm.complete(1 << 5);
    expect([...world.store.cells]).toEqual(before);
  });

  test('is undone with the rest of the state', () => {
    const { world } = made;
    const mark = world.store.mark();
    world.smmu.dvm.invalidate(BY_ASID, 0);
    world.smmu.dvm.complete(1);
    world.store.rollback(mark);
    expect(world.see()).toEqual(['f10', '→400000']);
    world.smmu.dvm.complete(1);
    expect(world.see()).toEqual(['f10', '→400000']);
  });
});

describe('a walk that came through a table that a broadcast covers', () => {
  const VAE1: TlbInvalidation = { ...BY_ADDRESS, leaf: false };

  test.each([
    ['the DSB', (world: Attached['world']) => world.smmu.dvm.complete(1 << 4)],
    ['the CMD_SYNC of a command that covers it too', (world: Attached['world']) => world.sync()],
  ] as const)('ends with %s, and what it has left behind goes (§3.21.1)', (_name, complete) => {
    const { world, middle, bottom } = attach([VA, 0x2000], {}, { btm: true });
    world.link(middle, VA, 2);
    world.smmu.dvm.invalidate(VAE1, 4);
    world.issue(tlbi('TLBI_NH_VA', { ASID: 5, Address: VA }));
    world.map(bottom, VA, PAGE);
    world.map(bottom, 0x2000, PAGE);
    expect([world.see(0), world.see(1)]).toEqual([
      ['f10', '→400000'],
      ['f10', '→400000'],
    ]);
    complete(world);
    // What it left for another address is not covered.
    expect([world.see(0), world.see(1)]).toEqual([['f10'], ['f10', '→400000']]);
  });

  test('goes on if the table is linked again', () => {
    const { world, middle, bottom } = attach([VA], {}, { btm: true });
    world.link(middle, VA, 2);
    world.smmu.dvm.invalidate(VAE1, 4);
    world.map(bottom, VA, PAGE);
    world.link(middle, VA, 2, bottom);
    world.smmu.dvm.complete(1 << 4);
    expect(world.see()).toEqual(['→400000']);
  });
});

describe('an SMMU that need not take part', () => {
  test.each([
    ['IDR0.BTM = 0', { btm: false }, 0],
    ['CR2.PTM = 1', { btm: true }, 4],
  ] as const)('%s', (_name, features, ptm) => {
    const { world } = stale({}, features);
    world.enable(false);
    world.smmu.writeRegister(REGISTER.CR2, ptm);
    world.enable();
    world.smmu.dvm.invalidate(ALL, 0);
    world.smmu.dvm.complete(1);
    expect(world.see()).toEqual(['f10', '→400000']);
  });
});
