import fc from 'fast-check';
import { expect, test } from 'vitest';
import { capacityFor, isFull, SharedTable } from './table.ts';

/** Few different fingerprints, among them those with lanes of 0, which stand for a free slot. */
const lane = fc.constantFrom(0, 1, 2, -1, 0x8000_0000 | 0, 0x9e3779b1 | 0);
const visits = fc.array(fc.record({ low: lane, high: lane, asleep: fc.nat(0xffff) }), { maxLength: 60 });

test('it keeps with each fingerprint who slept at every visit, and says whom to make up for', () => {
  fc.assert(
    fc.property(visits, fc.nat(59), (list, moveAt) => {
      const table = new SharedTable(SharedTable.memoryFor(64));
      const model = new Map<string, number>();
      list.forEach(({ low, high, asleep }, at) => {
        if (at === moveAt) {
          let part = 0;
          table.moveTo(
            SharedTable.memoryFor(256),
            () => part++,
            () => undefined,
          );
        }
        // A lane of 0 counts as 1.
        const key = `${low === 0 ? 1 : low} ${high === 0 ? 1 : high}`;
        const slept = model.get(key);
        expect(table.visit(low, high, asleep)).toBe(slept === undefined ? -1 : slept & ~asleep);
        model.set(key, (slept ?? 0xffff) & asleep);
        if (slept !== undefined && (slept & ~asleep) !== 0) expect(table.asleep).toBe(slept & asleep);
      });
      expect(table.size).toBe(model.size);
      const other = new SharedTable(SharedTable.memoryFor(128));
      other.fill(table.entries());
      expect(other.entries().length).toBe(3 * model.size);
      for (const [key, slept] of model) {
        const [low, high] = key.split(' ').map(Number) as [number, number];
        expect(other.visit(low, high, 0)).toBe(slept);
      }
    }),
    { numRuns: 300 },
  );
});

test('room is made before it is needed', () => {
  for (const states of [0, 1000, 100_000, 5_000_000]) expect(isFull(states, capacityFor(states))).toBe(false);
  expect(isFull(30_000, capacityFor(0))).toBe(true);
});
