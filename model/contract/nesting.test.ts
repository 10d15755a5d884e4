import { describe, expect, test } from 'vitest';
import { Store } from '../../engine/store.ts';
import { READ, type ContractEvent } from './events.ts';
import { TagMonitor } from './tags.ts';
import { attached, G, H, mapped, rulingsOf, the, unmapped, type Events } from './testing.ts';
import { TranslationMonitor } from './translation.ts';
import { PAGE_SIZE, type ContractWorld } from './world.ts';

/** Space 2 is a guest's, nested on space 1. */
const PARENT = 1;
const GUEST = 2;
const IPA = 0x8000;
const OTHER_IPA = 0x9000;
const NESTED: ContractWorld = {
  streams: [{ stream: 8, substream: 0 }],
  spaces: 3,
  pages: [0x1000, IPA, OTHER_IPA],
  nested: [{ space: GUEST, parent: PARENT }],
};

function monitorAfter(...events: Events[]): TranslationMonitor {
  const monitor = new TranslationMonitor(new Store(), NESTED);
  for (const event of events.flat(2)) monitor.on(event);
  return monitor;
}

/** Of a guest's page that leads to `IPA`, and a page of stage 2 that leads from there to G. */
function ruled(...events: Events[]): Record<string, string> {
  const set = [mapped(PARENT, G, undefined, IPA), mapped(GUEST, IPA), attached(GUEST)];
  return rulingsOf(monitorAfter(...set, ...events));
}

describe('a nested space', () => {
  test('holds what both stages lead to, with the permissions of both, and nothing else', () => {
    expect(ruled()).toMatchObject({
      G: 'permitted',
      fault: 'spurious-fault (map.end)',
      H: 'unknown-translation (map.end)',
    });
    const readOnly = [mapped(PARENT, G, READ, IPA), mapped(GUEST, IPA), attached(GUEST)];
    expect(rulingsOf(monitorAfter(...readOnly))).toMatchObject({
      'G, read-only': 'permitted',
      G: 'wrong-permissions (map.end)',
    });
  });

  test('may fault while either stage has nothing', () => {
    expect(ruled(the.unmapBegin(PARENT, IPA))).toMatchObject({ G: 'permitted', fault: 'permitted' });
    expect(ruled(the.unmapBegin(GUEST))).toMatchObject({ G: 'permitted', fault: 'permitted' });
  });

  test('loses what the hypervisor took away when its unmap returns, although the guest still maps it', () => {
    const gone = [the.unmapBegin(PARENT, IPA), the.unmapEnd(PARENT, false, IPA)];
    expect(ruled(gone)).toMatchObject({ G: 'stale-translation (unmap.end)', fault: 'permitted' });
    expect(ruled(gone, mapped(PARENT, H, undefined, IPA))).toMatchObject({
      G: 'stale-translation (unmap.end)',
      H: 'permitted',
      fault: 'spurious-fault (map.end)',
    });
    const { data } = monitorAfter(mapped(PARENT, G, undefined, IPA), mapped(GUEST, IPA), attached(GUEST), gone).allows(
      0,
      0,
      {
        kind: 'translated',
        pa: G,
        permissions: 3,
      },
    ) ?? { data: {} };
    expect(data).toMatchObject({ space: PARENT });
  });

  test('loses what the guest took away when its invalidation was carried out', () => {
    expect(ruled(unmapped(GUEST))).toMatchObject({ G: 'stale-translation (unmap.end)', fault: 'permitted' });
  });

  test('knows nothing behind an address of which the world knows nothing', () => {
    const beyond = [mapped(GUEST, 0xa000), attached(GUEST)];
    expect(rulingsOf(monitorAfter(...beyond))).toMatchObject({
      fault: 'permitted',
      stranger: 'unknown-translation (map.end)',
    });
  });

  test('a stream on the parent alone gets stage 2, and the guest’s addresses mean nothing to it', () => {
    const parent = [mapped(PARENT, G, undefined, IPA), mapped(GUEST, IPA), attached(PARENT)];
    const monitor = monitorAfter(...parent);
    expect(rulingsOf(monitor, 0, 1)).toMatchObject({ G: 'permitted' });
    expect(rulingsOf(monitor, 0, 0)).toMatchObject({ G: 'wrong-address-space (attach.end)', fault: 'permitted' });
  });

  test('looks again at every page above when the parent narrows', () => {
    const monitor = monitorAfter(mapped(PARENT, G, undefined, IPA), mapped(GUEST, IPA), attached(GUEST));
    monitor.narrowed.clear();
    monitor.on(the.unmapBegin(PARENT, IPA));
    monitor.on(the.unmapEnd(PARENT, false, IPA, PAGE_SIZE));
    const slots = Array.from({ length: monitor.narrowed.count }, (_, at) => monitor.narrowed.at(at)).sort();
    expect(slots).toEqual([0, 1, 2]);
  });
});

describe('VMIDs', () => {
  const events = (kind: 'asid' | 'vmid'): readonly ContractEvent[] => [
    { type: 'tag.assign', kind, tag: 1, space: 0 },
    { type: 'tag.release', kind, tag: 1, space: 0 },
    { type: 'tag.free', kind, tag: 1 },
  ];
  const world: ContractWorld = { ...NESTED, tags: 4, vmids: 4 };

  test('have owners of their own, and go back when nothing carries them', () => {
    const held: string[] = [];
    const use = {
      asidInUse: () => undefined,
      vmidInUse: (vmid: number) => (held.length > 0 ? { text: `VMID ${vmid} of ${held[0]}` } : undefined),
    };
    const monitor = new TagMonitor(new Store(), world, use);
    expect(monitor.on({ type: 'tag.assign', kind: 'asid', tag: 1, space: 2 })).toBeUndefined();
    expect(events('vmid').map((event) => monitor.on(event))).toEqual([undefined, undefined, undefined]);
    held.push('a TLB entry');
    expect(events('vmid').map((event) => monitor.on(event)?.rule)).toEqual([undefined, undefined, 'tag-free-in-use']);
    expect(monitor.on({ type: 'tag.assign', kind: 'vmid', tag: 1, space: 0 })).toBeUndefined();
    expect(monitor.on({ type: 'tag.assign', kind: 'vmid', tag: 1, space: 1 })?.rule).toBe('tag-not-unique');
  });

  test('are refused by a world without them', () => {
    const monitor = new TagMonitor(new Store(), NESTED, { asidInUse: () => undefined });
    expect(() => monitor.on({ type: 'tag.assign', kind: 'vmid', tag: 1, space: 0 })).toThrow(/not of this world/);
  });
});
