import { describe, expect, it } from 'vitest';
import { Store } from '../../engine/store.ts';
import type { ContractEvent } from './events.ts';
import { TagMonitor } from './tags.ts';
import type { ContractWorld } from './world.ts';

const [CPUS, SMMU] = [0, 1];
/** Machine 0: what KVM maps for it, and the domain that the SMMU has for it. Another machine, and a domain of nobody. */
const [VM, VM_DOMAIN, OTHER_VM, DOMAIN] = [0, 1, 2, 3];
const WORLD: ContractWorld = {
  streams: [],
  spaces: 4,
  pages: [],
  tags: 4,
  vmids: 4,
  caches: ['CPU TLBs', 'SMMU'],
  machines: [[VM, VM_DOMAIN], [OTHER_VM]],
};

const place = { kind: 'vmid', tag: 2 } as const;
const assign = (space: number, cache: number): ContractEvent => ({ type: 'tag.assign', ...place, space, cache });
const release = (space: number, cache: number): ContractEvent => ({ type: 'tag.release', ...place, space, cache });
const free = (cache: number): ContractEvent => ({ type: 'tag.free', ...place, cache });

/** The rule that each event breaks, or "ok"; `held`: what the SMMU holds. */
function rulings(events: ContractEvent[], world = WORLD, held?: string): string[] {
  const nothing = { asidInUse: () => undefined, vmidInUse: () => undefined };
  const smmu = { ...nothing, vmidInUse: () => (held === undefined ? undefined : { text: held }) };
  const monitor = new TagMonitor(new Store(), world, { ...nothing, caches: [nothing, smmu] });
  return events.map((event) => monitor.on(event)?.rule ?? 'ok');
}

describe('tags of several allocators', () => {
  it('tag-not-unique: stand for one machine in one cache, whoever gave them out', () => {
    expect(rulings([assign(VM, CPUS), assign(OTHER_VM, CPUS)])).toEqual(['ok', 'tag-not-unique']);
    expect(rulings([assign(VM_DOMAIN, SMMU), assign(DOMAIN, SMMU)])).toEqual(['ok', 'tag-not-unique']);
  });

  it('may be those of one machine on purpose, in one cache and in both', () => {
    const shared = [assign(VM, CPUS), assign(VM_DOMAIN, SMMU), assign(VM_DOMAIN, CPUS), release(VM, CPUS)];
    expect(rulings([...shared, assign(OTHER_VM, CPUS)])).toEqual(['ok', 'ok', 'ok', 'ok', 'tag-not-unique']);
  });

  it('tag-not-disjoint: are one number for two strangers only where nobody promised otherwise', () => {
    const events = [assign(DOMAIN, SMMU), assign(VM, CPUS)];
    expect(rulings(events)).toEqual(['ok', 'ok']);
    expect(rulings(events, { ...WORLD, disjoint: ['asid'] })).toEqual(['ok', 'ok']);
    expect(rulings(events, { ...WORLD, disjoint: ['vmid'] })).toEqual(['ok', 'tag-not-disjoint']);
    expect(rulings([assign(VM, CPUS), assign(VM_DOMAIN, SMMU)], { ...WORLD, disjoint: ['vmid'] })).toEqual([
      'ok',
      'ok',
    ]);
  });

  it('tag-free-in-use: are freed when the cache that they are used in holds nothing', () => {
    expect(rulings([free(SMMU), free(CPUS)], WORLD, 'a TLB entry')).toEqual(['tag-free-in-use', 'ok']);
    expect(rulings([assign(VM, CPUS), free(SMMU), free(CPUS)])).toEqual(['ok', 'ok', 'tag-free-while-owned']);
  });

  it('of a cache that is not of the world are refused', () => {
    expect(() => rulings([assign(VM, 2)])).toThrow('cache 2 is not of this world, which has 2');
  });

  it('that are kept apart say who has the number, and where', () => {
    const monitor = new TagMonitor(new Store(), { ...WORLD, disjoint: ['vmid'] }, { asidInUse: () => undefined });
    monitor.on(assign(VM, CPUS));
    expect(monitor.on(assign(DOMAIN, SMMU))).toEqual({
      monitor: 'tags',
      rule: 'tag-not-disjoint',
      message: 'VMID 2 of the SMMU is assigned to space 3 while space 0 owns it in the CPU TLBs.',
      data: { tag: 2, promise: 'tag.assign', space: 3, owner: 0 },
    });
  });

  it('of one cache and kind are not those of another', () => {
    const [first, last] = [
      { tag: 0, cache: CPUS },
      { tag: 3, cache: SMMU },
    ] as const;
    const kinds = ['asid', 'vmid'] as const;
    const all = kinds.flatMap((kind) => [first, last].map((one) => ({ kind, ...one })));
    const events = all.map((one, space): ContractEvent => ({ type: 'tag.assign', ...one, space }));
    expect(rulings(events)).toEqual(['ok', 'ok', 'ok', 'ok']);
  });

  it('of one kind are all free when all of the other are taken', () => {
    for (const kind of ['asid', 'vmid'] as const) {
      const monitor = new TagMonitor(new Store(), WORLD, { asidInUse: () => undefined });
      const places = [CPUS, SMMU].flatMap((cache) => [0, 1, 2, 3].map((tag) => ({ cache, tag })));
      for (const { cache, tag } of places)
        expect(monitor.on({ type: 'tag.assign', kind, tag, cache, space: OTHER_VM })).toBeUndefined();
      const other = kind === 'asid' ? 'vmid' : 'asid';
      expect(places.map(({ cache, tag }) => monitor.owners(kind, tag, cache))).toEqual(places.map(() => [OTHER_VM]));
      expect(places.map(({ cache, tag }) => monitor.owners(other, tag, cache))).toEqual(places.map(() => []));
    }
  });

  it('are named with the cache in messages', () => {
    const nothing = { asidInUse: () => undefined };
    const monitor = new TagMonitor(new Store(), WORLD, nothing);
    monitor.on(assign(VM, CPUS));
    expect(monitor.on(assign(OTHER_VM, CPUS))?.message).toBe(
      'VMID 2 of the CPU TLBs is assigned to space 2 while space 0 owns it.',
    );
    expect(monitor.owners('vmid', 2, CPUS)).toEqual([VM]);
    expect(monitor.owners('vmid', 2, SMMU)).toEqual([]);
  });
});
