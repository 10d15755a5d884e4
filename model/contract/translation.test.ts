import { describe, expect, it } from 'vitest';
import { READ, type ContractEvent } from './events.ts';
import {
  attached,
  type Events,
  G,
  H,
  mapped,
  monitorAfter,
  ruling,
  RW,
  the,
  translated,
  unmapped,
  WORLD,
} from './testing.ts';
import type { Observed } from './translation-state.ts';

const FAULT: Observed = { kind: 'fault' };
const ABORT: Observed = { kind: 'abort' };
const BYPASS: Observed = { kind: 'bypass' };

/** After these events, each of these results of stream index 0 at page index 0 is ruled so. */
function expectRulings(events: Events[], rulings: [Observed, string][]): void {
  const monitor = monitorAfter(...events);
  expect(rulings.map(([outcome]) => ruling(monitor, outcome))).toEqual(rulings.map(([, rule]) => rule));
}

describe('mapping window', () => {
  const on = attached(0);

  it('stale-translation: a mapping may be seen until unmap.end', () => {
    expectRulings(
      [on, mapped(0, G), the.unmapBegin(0)],
      [
        [translated(G), 'permitted'],
        [FAULT, 'permitted'],
      ],
    );
    expectRulings(
      [on, mapped(0, G), unmapped(0)],
      [
        [translated(G), 'stale-translation (unmap.end)'],
        [FAULT, 'permitted'],
      ],
    );
  });

  it('a mapping may be seen from map.begin, not before', () => {
    expectRulings(
      [on],
      [
        [translated(G), 'unknown-translation (map.end)'],
        [FAULT, 'permitted'],
      ],
    );
    expectRulings(
      [on, the.mapBegin(0, G)],
      [
        [translated(G), 'permitted'],
        [FAULT, 'permitted'],
      ],
    );
  });

  it('spurious-fault: a page is not seen missing between map.end and unmap.begin', () => {
    expectRulings(
      [on, mapped(0, G)],
      [
        [FAULT, 'spurious-fault (map.end)'],
        [translated(G), 'permitted'],
      ],
    );
  });

  it('stale-translation: map.end ends what the address was before', () => {
    expectRulings(
      [on, mapped(0, G), the.mapBegin(0, H)],
      [
        [translated(G), 'permitted'],
        [translated(H), 'permitted'],
        [FAULT, 'spurious-fault (map.end)'],
      ],
    );
    expectRulings(
      [on, mapped(0, G), mapped(0, H)],
      [
        [translated(G), 'stale-translation (map.end)'],
        [translated(H), 'permitted'],
      ],
    );
  });

  it('wrong-permissions: those of the mapping, no more and no fewer', () => {
    expectRulings(
      [on, mapped(0, G, READ)],
      [
        [translated(G, READ), 'permitted'],
        [translated(G, RW), 'wrong-permissions (map.end)'],
        [translated(G, 0), 'wrong-permissions (map.end)'],
        [translated(H, READ), 'unknown-translation (map.end)'],
      ],
    );
  });

  it('permissions that were taken back are stale, while the change is in progress both are permitted', () => {
    const narrowing = [on, mapped(0, G, RW), the.mapBegin(0, G, READ)];
    expectRulings(narrowing, [
      [translated(G, RW), 'permitted'],
      [translated(G, READ), 'permitted'],
    ]);
    expectRulings(
      [...narrowing, the.mapEnd(0)],
      [
        [translated(G, RW), 'stale-translation (map.end)'],
        [translated(G, READ), 'permitted'],
      ],
    );
  });

  it('a map that failed leaves nothing to be seen', () => {
    expectRulings(
      [on, the.mapBegin(0, G), the.mapFail(0, G)],
      [
        [translated(G), 'stale-translation (map.fail)'],
        [FAULT, 'permitted'],
      ],
    );
    expectRulings(
      [on, mapped(0, H), the.mapBegin(0, G), the.mapFail(0, G)],
      [
        [translated(H), 'permitted'],
        [FAULT, 'spurious-fault (map.end)'],
      ],
    );
  });

  it('a range maps each of its pages to its own frame and leaves the others alone', () => {
    const monitor = monitorAfter(
      on,
      { type: 'map.begin', space: 0, iova: 0, size: 0x2000, pa: 0x10000, permissions: RW },
      {
        type: 'map.end',
        space: 0,
        iova: 0,
        size: 0x2000,
      },
    );
    expect(ruling(monitor, translated(0x11000))).toBe('permitted');
    expect(ruling(monitor, translated(0x12000), 1)).toBe('unknown-translation (map.end)');
    expect(ruling(monitor, FAULT, 1)).toBe('permitted');
  });

  it('an address that no mapping can have is judged like any other', () => {
    const odd = [translated(G + 8), translated(2 ** 47), translated(2 ** 41)];
    expectRulings(
      [on, mapped(0, G)],
      odd.map((outcome) => [outcome, 'unknown-translation (map.end)']),
    );
  });
});

describe('flush queue', () => {
  const lazy = [attached(0), mapped(0, G), unmapped(0, true)];
  const seen: [Observed, string][] = [
    [translated(G), 'permitted'],
    [FAULT, 'permitted'],
  ];

  it('stale-translation: seen until the end of a flush that began after the unmap', () => {
    expectRulings(lazy, seen);
    expectRulings([...lazy, the.flushBegin(0)], seen);
    expectRulings(
      [...lazy, the.flushBegin(0), the.flushEnd(0)],
      [
        [translated(G), 'stale-translation (flush.end)'],
        [FAULT, 'permitted'],
      ],
    );
  });

  it('a flush that was in progress at unmap.end does not count', () => {
    const during = [attached(0), mapped(0, G), the.flushBegin(0), unmapped(0, true), the.flushEnd(0)];
    expectRulings(during, seen);
    expectRulings([...during, the.flushBegin(0), the.flushEnd(0)], [[translated(G), 'stale-translation (flush.end)']]);
  });

  it('a flush of another space does not count', () => {
    expectRulings([...lazy, the.flushBegin(1), the.flushEnd(1)], seen);
  });

  it('a flush does not end a mapping that nobody unmapped', () => {
    expectRulings(
      [attached(0), mapped(0, G), the.flushBegin(0), the.flushEnd(0)],
      [
        [translated(G), 'permitted'],
        [FAULT, 'spurious-fault (map.end)'],
      ],
    );
  });

  it('stale-translation: the next map.end of the address ends it, flushed or not', () => {
    expectRulings([...lazy, the.mapBegin(0, H)], seen);
    expectRulings(
      [...lazy, mapped(0, H)],
      [
        [translated(G), 'stale-translation (map.end)'],
        [translated(H), 'permitted'],
      ],
    );
  });

  it('an unmap that is not lazy ends it too', () => {
    expectRulings([...lazy, unmapped(0)], [[translated(G), 'stale-translation (unmap.end)']]);
  });

  it('the same mapping made anew is no longer waiting for the flush', () => {
    expectRulings([...lazy, mapped(0, G), the.flushBegin(0), the.flushEnd(0)], [[translated(G), 'permitted']]);
    expectRulings([...lazy, the.mapBegin(0, G), the.flushBegin(0), the.flushEnd(0)], [[translated(G), 'permitted']]);
  });

  it('refuses the end of a flush that has not begun', () => {
    expect(() => monitorAfter(the.flushEnd(0))).toThrow('has not begun');
  });
});

describe('attach', () => {
  const both = [mapped(0, G), mapped(1, H)];

  it('translated-while-blocked, untranslated-while-blocked: a blocked stream reaches nothing', () => {
    const blocked: [Observed, string][] = [
      [translated(G), 'translated-while-blocked (attach.end)'],
      [translated(0x9000), 'translated-while-blocked (attach.end)'],
      [BYPASS, 'untranslated-while-blocked (attach.end)'],
      [FAULT, 'permitted'],
      [ABORT, 'permitted'],
    ];
    expectRulings(both, blocked);
    expectRulings([...both, attached(0), attached('blocked')], blocked);
  });

  it('translated-while-bypass, refused-while-bypass: a stream set to bypass goes untranslated', () => {
    expectRulings(
      [...both, attached('bypass')],
      [
        [translated(G), 'translated-while-bypass (attach.end)'],
        [FAULT, 'refused-while-bypass (attach.end)'],
        [ABORT, 'refused-while-bypass (attach.end)'],
        [BYPASS, 'permitted'],
      ],
    );
  });

  it('wrong-address-space, untranslated-while-attached, spurious-abort: only what the space maps', () => {
    expectRulings(
      [...both, attached(0)],
      [
        [translated(H), 'wrong-address-space (attach.end)'],
        [BYPASS, 'untranslated-while-attached (attach.end)'],
        [ABORT, 'spurious-abort (attach.end)'],
        [translated(G), 'permitted'],
      ],
    );
  });

  it('old and new while in progress, and refusal; the new one alone afterwards', () => {
    const moving = [...both, attached(0), the.attachBegin(1)];
    expectRulings(moving, [
      [translated(G), 'permitted'],
      [translated(H), 'permitted'],
      [FAULT, 'permitted'],
      [ABORT, 'permitted'],
    ]);
    expectRulings(
      [...moving, the.attachEnd()],
      [
        [translated(G), 'wrong-address-space (attach.end)'],
        [translated(H), 'permitted'],
        [FAULT, 'spurious-fault (map.end)'],
        [ABORT, 'spurious-abort (attach.end)'],
      ],
    );
  });

  it('mixed-configuration: neither the old nor the new', () => {
    expectRulings(
      [...both, attached(0), the.attachBegin(1)],
      [
        [translated(0x9000), 'mixed-configuration (attach.begin)'],
        [BYPASS, 'mixed-configuration (attach.begin)'],
      ],
    );
    expectRulings(
      [...both, attached(0), the.attachBegin('bypass')],
      [
        [BYPASS, 'permitted'],
        [translated(G), 'permitted'],
      ],
    );
  });

  it('refused-while-hitless: a hitless attach does not refuse what both targets permit', () => {
    expectRulings(
      [...both, attached(0), the.attachBegin(1, true)],
      [
        [FAULT, 'refused-while-hitless (attach.begin)'],
        [ABORT, 'refused-while-hitless (attach.begin)'],
        [translated(H), 'permitted'],
      ],
    );
    expectRulings(
      [mapped(0, G), attached(0), the.attachBegin(1, true)],
      [
        [FAULT, 'permitted'],
        [ABORT, 'refused-while-hitless (attach.begin)'],
      ],
    );
  });

  it('an attach that failed leaves the old target', () => {
    expectRulings(
      [...both, attached(0), the.attachBegin(1), the.attachFail(1)],
      [
        [translated(G), 'permitted'],
        [translated(H), 'wrong-address-space (attach.end)'],
        [ABORT, 'spurious-abort (attach.end)'],
      ],
    );
  });

  it('is for one substream', () => {
    const monitor = monitorAfter(both, the.attachBegin(0, false, 1), the.attachEnd(1));
    expect(monitor.allows(1, 0, translated(G))).toBeUndefined();
    expect(ruling(monitor, translated(G))).toBe('translated-while-blocked (attach.end)');
  });

  it('attaches of two streams at once do not mix', () => {
    const monitor = monitorAfter(both, the.attachBegin(0), the.attachBegin(1, false, 1), the.attachEnd(1));
    expect(ruling(monitor, FAULT)).toBe('permitted');
    expect(monitor.allows(1, 0, FAULT)?.rule).toBe('spurious-fault');
    expect(monitor.allows(1, 0, translated(G))?.rule).toBe('wrong-address-space');
  });
});

describe('results that are never permitted', () => {
  it('tlb-conflict, unpredictable', () => {
    expectRulings(
      [attached(0), mapped(0, G), the.unmapBegin(0), the.attachBegin('bypass')],
      [
        [{ kind: 'conflict' }, 'tlb-conflict (break-before-make)'],
        [{ kind: 'unpredictable' }, 'unpredictable (defined behaviour)'],
        [FAULT, 'permitted'],
      ],
    );
  });
});

describe('reports', () => {
  it('tell stream, address and space', () => {
    const verdict = monitorAfter(attached(0), mapped(0, G), unmapped(0)).allows(0, 0, translated(G));
    expect(verdict).toEqual({
      monitor: 'translation',
      rule: 'stale-translation',
      message:
        'At iova 0x1000 of stream 8 (substream 0), 0x5000 can still be reached, although unmap.end of space 0 promised that it cannot.',
      data: { stream: 8, substream: 0, iova: '0x1000', promise: 'unmap.end', pa: '0x5000', space: 0 },
    });
  });

  it('name the space that a foreign mapping belongs to, first the one that the stream has left', () => {
    const again = [mapped(0, G), mapped(1, G)];
    const never = monitorAfter(again, attached('bypass')).allows(0, 0, translated(G));
    expect(never?.data['space']).toBe(0);
    const left = monitorAfter(again, attached(1), attached('bypass')).allows(0, 0, translated(G));
    expect(left?.data['space']).toBe(1);
  });

  it('say whether the stream has left that space', () => {
    const both = [mapped(0, G), mapped(1, H)];
    expect(monitorAfter(both, attached(0)).allows(0, 0, translated(H))?.message).toContain('is not attached to');
    expect(monitorAfter(both, attached(1), attached(0)).allows(0, 0, translated(H))?.message).toContain('has left');
  });
});

describe('concurrent operations on one page', () => {
  it('two unmaps: the end of either is a promise, whoever cleared the entry', () => {
    const exit = [the.unmapBegin(0, 0, 2 ** 48), the.unmapEnd(0, false, 0, 2 ** 48)];
    const racing = [attached(0), mapped(0, G), the.unmapBegin(0), exit];
    expectRulings(racing, [
      [translated(G), 'stale-translation (unmap.end)'],
      [FAULT, 'permitted'],
    ]);
    expectRulings(
      [...racing, the.unmapEnd(0)],
      [
        [translated(G), 'stale-translation (unmap.end)'],
        [FAULT, 'permitted'],
      ],
    );
  });

  it('a map that races an unmap: either may have come first, until the next operation', () => {
    const raced = [attached(0), the.unmapBegin(0), the.mapBegin(0, G), the.mapEnd(0), the.unmapEnd(0)];
    expectRulings(raced, [
      [translated(G), 'permitted'],
      [FAULT, 'permitted'],
    ]);
    expectRulings([...raced, unmapped(0)], [[translated(G), 'stale-translation (unmap.end)']]);
    expectRulings(
      [...raced, mapped(0, H)],
      [
        [FAULT, 'spurious-fault (map.end)'],
        [translated(G), 'stale-translation (map.end)'],
      ],
    );
  });

  it('two unmaps, one lazy: what was there before both waits for a flush, or for the end of the other', () => {
    const racing = [attached(0), mapped(0, G), the.unmapBegin(0), the.unmapBegin(0), the.unmapEnd(0, true)];
    expectRulings(racing, [[translated(G), 'permitted']]);
    expectRulings([...racing, the.flushBegin(0), the.flushEnd(0)], [[translated(G), 'stale-translation (flush.end)']]);
    expectRulings([...racing, the.unmapEnd(0)], [[translated(G), 'stale-translation (unmap.end)']]);
  });
});

describe('a harness that is broken', () => {
  it.each<[string, ContractEvent[]]>([
    ['not of this world', [the.mapBegin(2, G)]],
    ['not of this world', [the.unmapBegin(-1)]],
    ['not of this world', [the.flushBegin(0.5)]],
    ['not of this world', [the.attachBegin(2)]],
    ['not of this world', [the.attachBegin(0, false, 2)]],
    ['multiple of 4096', [the.mapBegin(0, G + 1)]],
    ['multiple of 4096', [the.mapBegin(0, 2 ** 41)]],
    ['has not begun', [the.mapEnd(0)]],
    ['has not begun', [the.mapBegin(0, G), the.unmapEnd(0)]],
    ['has not begun', [the.attachEnd()]],
    ['more than 4', [1, 2, 3, 4, 5].map((frame) => the.mapBegin(0, frame * 0x1000))],
    ['more concurrent operations', Array.from({ length: 16 }, () => the.unmapBegin(0))],
  ])('is told: %s', (message, events) => {
    expect(() => monitorAfter(events)).toThrow(message);
  });

  it('a page may have more mappings over time than are remembered at once', () => {
    const frames = [1, 2, 3, 4, 5, 6].map((frame) => frame * 0x1000);
    const events = frames.map((pa) => [...mapped(0, pa), ...unmapped(0)]);
    expectRulings(
      [attached(0), ...events],
      [
        [translated(0x6000), 'stale-translation (unmap.end)'],
        [translated(0x1000), 'unknown-translation (map.end)'],
      ],
    );
  });
});

describe('narrowed', () => {
  const slots = (...events: Events[]): number[] => {
    const { narrowed } = monitorAfter(...events);
    return Array.from({ length: narrowed.count }, (_, position) => narrowed.at(position));
  };

  it('names the slots whose permitted results became fewer, once', () => {
    const all = [0, 1];
    expect(slots(attached(0))).toEqual(all);
    expect(slots(mapped(0, G), the.mapBegin(0, H))).toEqual([]);
    const monitor = monitorAfter(attached(0), mapped(0, G, RW, 0x2000));
    monitor.narrowed.clear();
    for (const event of mapped(0, H, RW, 0x2000)) monitor.on(event);
    for (const event of unmapped(1)) monitor.on(event);
    expect([monitor.narrowed.count, monitor.narrowed.at(0)]).toEqual([1, 1]);
  });

  it('ignores pages that are not of the world, and events of other monitors', () => {
    const monitor = monitorAfter(attached(0), the.mapBegin(0, G, RW, 0x8000), the.mapEnd(0, 0x8000));
    monitor.on({ type: 'table.alloc', pa: 0, size: 4096 });
    expect(monitor.narrowed.count).toBe(WORLD.pages.length);
  });
});
