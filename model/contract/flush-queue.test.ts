import { describe, expect, it } from 'vitest';
import { attached, G, H, mapped, monitorAfter, PERMITTED, rulings, the, unmapped } from './testing.ts';

const flush = [the.flushBegin(0), the.flushEnd(0)];
const seen = { G: PERMITTED, fault: PERMITTED };

describe('a mapping that was lazily unmapped', () => {
  const lazy = [attached(0), mapped(0, G), unmapped(0, true)];

  it('stale-translation: may be seen until the end of a flush that began after the unmap', () => {
    expect(rulings(...lazy)).toMatchObject(seen);
    expect(rulings(...lazy, the.flushBegin(0))).toMatchObject(seen);
    expect(rulings(...lazy, flush)).toMatchObject({ G: 'stale-translation (flush.end)', fault: PERMITTED });
  });

  it('does not care for a flush that was in progress at unmap.end', () => {
    const during = [attached(0), mapped(0, G), [the.flushBegin(0)], unmapped(0, true), [the.flushEnd(0)]];
    expect(rulings(...during)).toMatchObject(seen);
    expect(rulings(...during, flush)).toMatchObject({ G: 'stale-translation (flush.end)' });
  });

  it('does not care for a flush of another space', () => {
    expect(rulings(...lazy, the.flushBegin(1), the.flushEnd(1))).toMatchObject(seen);
  });

  it('stale-translation: is ended by the next map.end of the address, flushed or not', () => {
    expect(rulings(...lazy, the.mapBegin(0, H))).toMatchObject(seen);
    expect(rulings(...lazy, mapped(0, H))).toMatchObject({ G: 'stale-translation (map.end)', H: PERMITTED });
  });

  it('stale-translation: is ended by an unmap that is not lazy', () => {
    expect(rulings(...lazy, unmapped(0, true))).toMatchObject(seen);
    expect(rulings(...lazy, unmapped(0))).toMatchObject({ G: 'stale-translation (unmap.end)' });
  });

  it('waits for the flush of its own unmap, not of a later one', () => {
    const again = [[the.flushBegin(0)], unmapped(0, true), [the.flushEnd(0)]];
    expect(rulings(...lazy, ...again)).toMatchObject({ G: 'stale-translation (flush.end)' });
  });

  it('no longer waits for the flush when the same mapping is made anew', () => {
    expect(rulings(...lazy, mapped(0, G), flush)).toMatchObject({ G: PERMITTED, fault: 'spurious-fault (map.end)' });
    expect(rulings(...lazy, the.mapBegin(0, G), flush)).toMatchObject(seen);
  });
});

describe('a flush', () => {
  it('does not end a mapping that was made while the lazy unmap was in progress', () => {
    const raced = [the.unmapBegin(0), ...mapped(0, G), the.unmapEnd(0, true)];
    expect(rulings(attached(0), raced, flush)).toMatchObject(seen);
  });

  it('does not end a mapping that nobody unmapped', () => {
    const flushed = rulings(attached(0), mapped(0, G), flush);
    expect(flushed).toMatchObject({ G: PERMITTED, fault: 'spurious-fault (map.end)' });
  });

  it('must begin before it ends', () => {
    expect(() => monitorAfter(the.flushEnd(0))).toThrow('has not begun');
  });
});
