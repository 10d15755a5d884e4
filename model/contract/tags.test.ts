import { describe, expect, it } from 'vitest';
import { Store } from '../../engine/store.ts';
import type { ContractEvent } from './events.ts';
import { TagMonitor } from './tags.ts';
import { WORLD } from './testing.ts';

const assign = (tag: number, space: number): ContractEvent => ({ type: 'tag.assign', kind: 'asid', tag, space });
const release = (tag: number, space: number): ContractEvent => ({ type: 'tag.release', kind: 'asid', tag, space });
const free = (tag: number): ContractEvent => ({ type: 'tag.free', kind: 'asid', tag });

/** The rule that each event breaks, or "ok". `inUse`: what the architecture says of any ASID. */
function rulings(events: ContractEvent[], inUse?: string): string[] {
  const monitor = new TagMonitor(new Store(), WORLD, {
    asidInUse: () => (inUse === undefined ? undefined : { text: inUse }),
  });
  return events.map((event) => monitor.on(event)?.rule ?? 'ok');
}

describe('TagMonitor', () => {
  it('tag-not-unique: a tag has one owner at a time', () => {
    expect(rulings([assign(5, 0), assign(5, 1)])).toEqual(['ok', 'tag-not-unique']);
    expect(rulings([assign(5, 0), release(5, 0), assign(5, 1)])).toEqual(['ok', 'ok', 'ok']);
    expect(rulings([assign(5, 0), assign(6, 1)])).toEqual(['ok', 'ok']);
  });

  it('a space may own the old and the new tag while it moves, and be told twice', () => {
    expect(rulings([assign(5, 0), assign(6, 0), assign(6, 0), release(5, 0), assign(5, 1)])).toEqual(
      Array(5).fill('ok'),
    );
  });

  it('tag-not-owned: only the owner releases, once', () => {
    expect(rulings([assign(5, 0), release(5, 1), release(5, 0), release(5, 0)])).toEqual([
      'ok',
      'tag-not-owned',
      'ok',
      'tag-not-owned',
    ]);
  });

  it('tag-free-while-owned: a tag is released before it is freed', () => {
    expect(rulings([assign(5, 0), free(5)])).toEqual(['ok', 'tag-free-while-owned']);
    expect(rulings([assign(5, 0), release(5, 0), free(5), assign(5, 1)])).toEqual(['ok', 'ok', 'ok', 'ok']);
  });

  it('tag-free-in-use: neither configuration nor cache uses a free tag', () => {
    expect(rulings([assign(5, 0), release(5, 0), free(5)], 'CD of stream 8')).toEqual(['ok', 'ok', 'tag-free-in-use']);
  });

  it('asks the architecture for the tag that is freed', () => {
    const monitor = new TagMonitor(new Store(), WORLD, {
      asidInUse: (asid) => (asid === 5 ? { text: 'a TLB entry' } : undefined),
    });
    expect(monitor.on(free(6))).toBeUndefined();
    expect(monitor.on(free(5))).toEqual({
      monitor: 'tags',
      rule: 'tag-free-in-use',
      message: 'ASID 5 is freed while it may still be used: a TLB entry.',
      data: { tag: 5, promise: 'tag.free', use: 'a TLB entry' },
    });
  });

  it('ignores events of other monitors and refuses what is not of the world', () => {
    expect(rulings([{ type: 'flush.begin', space: 0 }])).toEqual(['ok']);
    expect(() => rulings([assign(8, 0)])).toThrow('tag 8');
    expect(() => rulings([free(-1)])).toThrow('tag -1');
    expect(() => rulings([assign(1, 2)])).toThrow('space 2');
    expect(() => rulings([release(1.5, 0)])).toThrow('tag 1.5');
  });

  it('has 64 tags when the world does not say', () => {
    const { streams, spaces, pages } = WORLD;
    const monitor = new TagMonitor(new Store(), { streams, spaces, pages }, { asidInUse: () => undefined });
    expect(monitor.on(assign(63, 0))).toBeUndefined();
    expect(() => monitor.on(assign(64, 0))).toThrow('which has 64');
  });
});
