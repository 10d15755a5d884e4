import { describe, expect, it } from 'vitest';
import { READ } from './events.ts';
import { attached, G, H, mapped, monitorAfter, PERMITTED, rulings, rulingsOf, RW, the, unmapped } from './testing.ts';

const on = attached(0);

describe('a mapping', () => {
  it('stale-translation: may be seen until unmap.end', () => {
    expect(rulings(on, mapped(0, G), the.unmapBegin(0))).toMatchObject({ G: PERMITTED, fault: PERMITTED });
    const after = rulings(on, mapped(0, G), unmapped(0));
    expect(after).toMatchObject({ G: 'stale-translation (unmap.end)', fault: PERMITTED });
  });

  it('unknown-translation: may be seen from map.begin, not before', () => {
    expect(rulings(on)).toMatchObject({ G: 'unknown-translation (map.end)', fault: PERMITTED });
    expect(rulings(on, the.mapBegin(0, G))).toMatchObject({ G: PERMITTED, fault: PERMITTED });
  });

  it('spurious-fault: is not seen missing between map.end and unmap.begin', () => {
    expect(rulings(on, mapped(0, G))).toMatchObject({ G: PERMITTED, fault: 'spurious-fault (map.end)' });
  });

  it('stale-translation: map.end ends what the address was before', () => {
    const remapping = [on, mapped(0, G), [the.mapBegin(0, H)]];
    expect(rulings(...remapping)).toMatchObject({ G: PERMITTED, H: PERMITTED, fault: 'spurious-fault (map.end)' });
    const after = rulings(...remapping, the.mapEnd(0));
    expect(after).toMatchObject({ G: 'stale-translation (map.end)', H: PERMITTED, fault: 'spurious-fault (map.end)' });
  });

  it('wrong-permissions: is seen with its permissions, no more and no fewer', () => {
    expect(rulings(on, mapped(0, G, READ))).toMatchObject({
      'G, read-only': PERMITTED,
      G: 'wrong-permissions (map.end)',
      'G, no access': 'wrong-permissions (map.end)',
      H: 'unknown-translation (map.end)',
    });
  });

  it('stale-translation: permissions that were taken back; both while the change is in progress', () => {
    const narrowing = [on, mapped(0, G), [the.mapBegin(0, G, READ)]];
    expect(rulings(...narrowing)).toMatchObject({ G: PERMITTED, 'G, read-only': PERMITTED });
    const after = rulings(...narrowing, the.mapEnd(0));
    expect(after).toMatchObject({ G: 'stale-translation (map.end)', 'G, read-only': PERMITTED });
  });

  it('stale-translation: leaves nothing to be seen when map fails', () => {
    const failed = rulings(on, the.mapBegin(0, G), the.mapFail(0, G));
    expect(failed).toMatchObject({ G: 'stale-translation (map.fail)', fault: PERMITTED });
    const taken = rulings(on, mapped(0, H), the.mapBegin(0, G), the.mapFail(0, G));
    expect(taken).toMatchObject({ H: PERMITTED, G: 'stale-translation (map.fail)', fault: 'spurious-fault (map.end)' });
  });

  it('of a range gives each page its own frame and leaves the others alone', () => {
    const range = { space: 0, iova: 0, size: 0x2000 };
    const monitor = monitorAfter(
      on,
      { type: 'map.begin', ...range, pa: G - 0x1000, permissions: RW },
      { type: 'map.end', ...range },
    );
    expect(rulingsOf(monitor)).toMatchObject({ G: PERMITTED, fault: 'spurious-fault (map.end)' });
    expect(rulingsOf(monitor, 0, 1)).toMatchObject({ H: 'unknown-translation (map.end)', fault: PERMITTED });
  });

  it('of an address that no mapping can have is judged like any other', () => {
    const unknown = 'unknown-translation (map.end)';
    expect(rulings(on, mapped(0, G))).toMatchObject({ 'off a page': unknown, 'beyond 2 TiB': unknown });
  });
});

describe('tlb-conflict, unpredictable', () => {
  it('are never permitted, whatever else is', () => {
    expect(rulings(on, mapped(0, G), the.unmapBegin(0), the.attachBegin('bypass'))).toMatchObject({
      conflict: 'tlb-conflict (break-before-make)',
      unpredictable: 'unpredictable (defined behaviour)',
      fault: PERMITTED,
      bypass: PERMITTED,
    });
  });
});

describe('concurrent operations on one page', () => {
  it('two unmaps: the end of either is a promise, whoever cleared the entry', () => {
    const exit = [the.unmapBegin(0, 0, 2 ** 48), the.unmapEnd(0, false, 0, 2 ** 48)];
    const racing = [on, mapped(0, G), [the.unmapBegin(0)], exit];
    const gone = { G: 'stale-translation (unmap.end)', fault: PERMITTED };
    expect(rulings(...racing)).toMatchObject(gone);
    expect(rulings(...racing, the.unmapEnd(0))).toMatchObject(gone);
  });

  it('a map that races an unmap: either may have come first, until the next operation', () => {
    const raced = [on, [the.unmapBegin(0), the.mapBegin(0, G), the.mapEnd(0), the.unmapEnd(0)]];
    expect(rulings(...raced)).toMatchObject({ G: PERMITTED, fault: PERMITTED });
    expect(rulings(...raced, unmapped(0))).toMatchObject({ G: 'stale-translation (unmap.end)', fault: PERMITTED });
    const remapped = { G: 'stale-translation (map.end)', fault: 'spurious-fault (map.end)' };
    expect(rulings(...raced, mapped(0, H))).toMatchObject(remapped);
  });

  it('two unmaps, one lazy: what was there before waits for a flush, or for the end of the other', () => {
    const racing = [on, mapped(0, G), [the.unmapBegin(0), the.unmapBegin(0), the.unmapEnd(0, true)]];
    expect(rulings(...racing)).toMatchObject({ G: PERMITTED });
    const flushed = rulings(...racing, the.flushBegin(0), the.flushEnd(0));
    expect(flushed).toMatchObject({ G: 'stale-translation (flush.end)' });
    expect(rulings(...racing, the.unmapEnd(0))).toMatchObject({ G: 'stale-translation (unmap.end)' });
  });
});
