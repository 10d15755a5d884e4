import { beforeEach, describe, expect, it } from 'vitest';
import { REGISTER } from '../layout/register.ts';
import { EATS } from '../layout/ste.ts';
import { atcInv, cfgi, SYNC, TestWorld, tlbi } from '../testing/world.ts';

const X = 0x1000;
const OTHER = X + 0x10_0000;
const G = 0x40_0000;
const CHECK = 1 << 4;

const tlbInv = tlbi('TLBI_NH_VA', { ASID: 5, Address: X });
const otherTlbInv = tlbi('TLBI_NH_VA', { ASID: 6, Address: X });
const inv = atcInv({ StreamID: 1, Address: X });

let world: TestWorld;
let bottom: number;

/** Device 1 uses ATS for X, not for OTHER; X is mapped to G. */
beforeEach(() => {
  const slots = [
    { streamId: 1, substream: -1, va: X, ats: true },
    { streamId: 1, substream: -1, va: OTHER },
  ] as const;
  world = new TestWorld(slots, { ats: true });
  const tables = world.tree(X);
  bottom = tables.bottom;
  world.map(bottom, X, G);
  world.cd(1, { ASID: 5, TTB0: tables.top });
  world.ste(1, { EATS: EATS.FULL });
  world.smmu.writeRegister(REGISTER.CR0, 9 | CHECK);
});

const held = (): { readonly doomed: boolean }[] => world.smmu.heldTranslations().filter(({ kind }) => kind === 'ATC');

/** The device asks nothing for a while, and its ATC is empty. */
function emptied(): void {
  world.smmu.ats?.setEnabled(1, false);
  world.sync(inv);
}

const asksAgain = (): void => world.smmu.ats?.setEnabled(1, true);

describe('what is held', () => {
  it('is nothing for an address for which the device does not use ATS', () => {
    world.map(bottom, OTHER, G);
    expect(world.see(0)).toEqual(['→400000', '⇒400000']);
    expect(world.see(1)).toEqual(['→400000']);
    expect(held()).toHaveLength(1);
  });

  it('is one entry, however often a request brings the same', () => {
    for (let round = 0; round < 3; round++) {
      emptied();
      expect(held()).toEqual([]);
      asksAgain();
      expect(held()).toHaveLength(1);
    }
  });

  it('is doomed from a CMD_ATC_INV on, if no request can bring it again', () => {
    world.map(bottom, X);
    world.sync(tlbInv);
    expect(held().map(({ doomed }) => doomed)).toEqual([false]);
    world.issue(inv, SYNC);
    expect(held().map(({ doomed }) => doomed)).toEqual([true]);
  });

  it('counts as covered while it is held, no longer', () => {
    world.map(bottom, X);
    world.sync(tlbInv);
    world.issue(inv);
    expect(world.smmu.coveredByLastCommands).toBe(1);
    world.sync();
    world.issue(inv);
    expect(world.smmu.coveredByLastCommands).toBe(0);
  });

  it('does not come back with SMMUEN cleared: an invalidation that is ignored then spares what there is (§4.5.1)', () => {
    world.map(bottom, X);
    world.sync(tlbInv);
    world.sync(inv);
    world.smmu.writeRegister(REGISTER.CR0, 8 | CHECK);
    world.smmu.writeRegister(REGISTER.CR0, 9 | CHECK);
    expect(world.see(0)).toEqual(['f10']);
  });
});

describe('what a request brings while commands are outstanding (§4.7.3)', () => {
  it('goes with a CMD_ATC_INV behind the CMD_SYNC that the stale translation goes with', () => {
    emptied();
    world.map(bottom, X);
    world.issue(tlbInv, SYNC, inv, SYNC);
    expect(world.see(0)).toEqual(['f10', '→400000']);
    asksAgain();
    expect(world.see(0)).toEqual(['f10', '→400000', '⇒400000']);
    expect(held().map(({ doomed }) => doomed)).toEqual([true]);
    world.complete();
    expect(world.see(0)).toEqual(['f10']);
  });

  it('is there until that CMD_ATC_INV has completed, not only until that CMD_SYNC has', () => {
    emptied();
    world.map(bottom, X);
    const before = world.prod;
    world.issue(tlbInv, SYNC, inv, SYNC);
    asksAgain();
    world.smmu.completeCommands(before + 2);
    expect(world.see(0)).toEqual(['f10', '⇒400000']);
    world.complete();
    expect(world.see(0)).toEqual(['f10']);
  });

  it.each([
    ['a TLB invalidation', otherTlbInv],
    ['an invalidation of the configuration', cfgi('CFGI_CD', { StreamID: 2 })],
    ["another device's CMD_ATC_INV", atcInv({ StreamID: 2, Address: X })],
    ["another page's CMD_ATC_INV", atcInv({ StreamID: 1, Address: OTHER })],
  ])('stays if only %s is behind the CMD_SYNC', (_what, command) => {
    emptied();
    world.map(bottom, X);
    world.issue(tlbInv, SYNC, command, SYNC);
    asksAgain();
    world.complete();
    expect(world.see(0)).toEqual(['f10', '⇒400000']);
  });

  it('stays if the CMD_SYNC is behind the CMD_ATC_INV: it may have been asked for after that', () => {
    emptied();
    world.map(bottom, X);
    world.issue(tlbInv, inv, SYNC, otherTlbInv, SYNC);
    asksAgain();
    world.complete();
    expect(world.see(0)).toEqual(['f10', '⇒400000']);
  });

  it('stays if commands, but no CMD_SYNC, are between the TLB invalidation and the CMD_ATC_INV', () => {
    world.map(bottom, X);
    world.sync(tlbInv, otherTlbInv, otherTlbInv, inv);
    expect(world.see(0)).toEqual(['f10', '⇒400000']);
  });

  it('stays if all CMD_ATC_INV had completed before it was asked for', () => {
    world.map(bottom, X);
    world.sync(inv);
    world.issue(tlbInv, SYNC);
    world.complete();
    expect(world.see(0)).toEqual(['f10', '⇒400000']);
  });
});
