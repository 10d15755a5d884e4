import { describe, expect, it } from 'vitest';
import type { ContractEvent } from './events.ts';
import { attached, G, H, mapped, monitorAfter, rulings, RW, the, translated, unmapped, WORLD } from './testing.ts';
import type { TranslationMonitor } from './translation.ts';

describe('a report', () => {
  it('tells stream, address, space and promise', () => {
    const verdict = monitorAfter(attached(0), mapped(0, G), unmapped(0)).allows(0, 0, translated(G));
    expect(verdict).toEqual({
      monitor: 'translation',
      rule: 'stale-translation',
      message:
        'At iova 0x1000 of stream 8 (substream 0), 0x5000 can still be reached, although unmap.end of space 0 promised that it cannot.',
      data: { stream: 8, substream: 0, iova: '0x1000', promise: 'unmap.end', pa: '0x5000', space: 0 },
    });
  });

  it('tells the frame of a mapping that may be missed', () => {
    const verdict = monitorAfter(attached(0), mapped(0, G)).allows(0, 0, { kind: 'fault' });
    expect(verdict?.data).toMatchObject({ pa: '0x5000', space: 0 });
  });

  it('names the space of a foreign mapping, first the one that the stream has left', () => {
    const twice = [mapped(0, G), mapped(1, G)];
    const never = monitorAfter(...twice, attached('bypass')).allows(0, 0, translated(G));
    expect(never?.data['space']).toBe(0);
    const left = monitorAfter(...twice, attached(1), attached('bypass')).allows(0, 0, translated(G));
    expect(left?.data['space']).toBe(1);
  });

  it('says whether the stream has left that space', () => {
    const both = [mapped(0, G), mapped(1, H)];
    expect(monitorAfter(...both, attached(0)).allows(0, 0, translated(H))?.message).toContain('is not attached to');
    expect(monitorAfter(...both, attached(1), attached(0)).allows(0, 0, translated(H))?.message).toContain('has left');
  });
});

describe('a broken harness', () => {
  it.each<[string, ContractEvent[]]>([
    ['not of this world', [the.mapBegin(2, G)]],
    ['not of this world', [the.unmapBegin(-1)]],
    ['not of this world', [the.flushBegin(0.5)]],
    ['not of this world', [the.attachBegin(2)]],
    ['not of this world', [the.attachBegin(0, false, 2)]],
    ['multiple of 4096', [the.mapBegin(0, G + 1)]],
    ['multiple of 4096', [the.mapBegin(0, 2 ** 41)]],
    ['has not begun', [the.mapEnd(0)]],
    ['has not begun', [the.mapFail(0, G)]],
    ['has not begun', [the.mapBegin(0, H), the.mapFail(0, G)]],
    ['has not begun', [the.mapBegin(0, G), the.unmapEnd(0)]],
    ['has not begun', [the.unmapBegin(0), the.mapEnd(0)]],
    ['has not begun', [the.attachEnd()]],
    ['more than 4', [1, 2, 3, 4, 5].map((frame) => the.mapBegin(0, frame * 0x1000))],
    ['more concurrent operations', Array.from({ length: 16 }, () => the.unmapBegin(0))],
  ])('is told: %s', (message, events) => {
    expect(() => monitorAfter(events)).toThrow(message);
  });

  it('is not a page with more mappings over time than are remembered at once', () => {
    const events = [1, 2, 3, 4, 5, 6].map((frame) => [...mapped(0, frame * 0x1000), ...unmapped(0)]);
    expect(rulings(attached(0), events)).toMatchObject({ H: 'stale-translation (unmap.end)' });
    const monitor = monitorAfter(attached(0), events);
    expect(monitor.allows(0, 0, translated(0x1000))?.rule).toBe('unknown-translation');
  });
});

describe('narrowed', () => {
  const slots = ({ narrowed }: TranslationMonitor): number[] =>
    Array.from({ length: narrowed.count }, (_, position) => narrowed.at(position));

  it('names the slots at which less is permitted than before, once', () => {
    expect(slots(monitorAfter(attached(0)))).toEqual([0, 1]);
    expect(slots(monitorAfter(mapped(0, G), the.mapBegin(0, H)))).toEqual([]);
    const monitor = monitorAfter(attached(0), mapped(0, G, RW, 0x2000));
    monitor.narrowed.clear();
    for (const event of [...mapped(0, H, RW, 0x2000), ...unmapped(1)]) monitor.on(event);
    expect(slots(monitor)).toEqual([1]);
  });

  it('ignores pages that are not of the world, and events of other monitors', () => {
    const monitor = monitorAfter(attached(0), the.mapBegin(0, G, RW, 0x8000), the.mapEnd(0, 0x8000));
    monitor.on({ type: 'table.alloc', pa: 0, size: 4096 });
    expect(monitor.narrowed.count).toBe(WORLD.pages.length);
  });
});
