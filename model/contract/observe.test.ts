import { describe, expect, it } from 'vitest';
import { READ, WRITE } from './events.ts';
import { observe, type Vocabulary } from './observe.ts';

const WORDS: Vocabulary = { missing: [0x10], conflict: [0x20, 0x21], read: 8, write: 16 };

describe('observe', () => {
  it('reads the permissions that devices have', () => {
    const permissions = (bits: number): unknown =>
      observe({ kind: 'translation', pa: 0x5000, permissions: bits }, WORDS);
    expect(permissions(0x3f)).toEqual({ kind: 'translated', pa: 0x5000, permissions: READ | WRITE });
    expect(permissions(8 | 1)).toEqual({ kind: 'translated', pa: 0x5000, permissions: READ });
    expect(permissions(16)).toEqual({ kind: 'translated', pa: 0x5000, permissions: WRITE });
    expect(permissions(1 | 2)).toEqual({ kind: 'translated', pa: 0x5000, permissions: 0 });
  });

  it('tells a missing translation and a conflict from other faults', () => {
    const kind = (event: number): string => observe({ kind: 'fault', event }, WORDS).kind;
    expect([0x10, 0x20, 0x21, 0x04, 0x11].map(kind)).toEqual(['fault', 'conflict', 'conflict', 'abort', 'abort']);
  });

  it('judges an access by an address from a device cache by where it ends', () => {
    const end = { kind: 'fault', event: 0x04 } as const;
    const reaching = { kind: 'translated', pa: 0x5000, permissions: 8 | 16, end } as const;
    expect(observe(reaching, WORDS)).toEqual({ kind: 'translated', pa: 0x5000, permissions: READ | WRITE });
    expect(observe({ ...reaching, pa: -1 }, WORDS)).toEqual({ kind: 'abort' });
  });

  it.each(['abort', 'bypass', 'unpredictable'] as const)('keeps %s', (kind) => {
    expect(observe({ kind }, WORDS)).toEqual({ kind });
  });
});
