import fc from 'fast-check';
import { expect, test } from 'vitest';
import { capacityFor, isFull, SharedTable } from './table.ts';

/** Few different fingerprints, among them those with lanes of 0, which stand for a free slot. */
const lane = fc.constantFrom(0, 1, 2, -1, 0x8000_0000 | 0, 0x9e3779b1 | 0);
const visits = fc.array(fc.record({ low: lane, high: lane }), { maxLength: 60 });

/** A lane of 0 counts as 1. */
const keyOf = (low: number, high: number): string => `${low === 0 ? 1 : low} ${high === 0 ? 1 : high}`;

test('it knows each fingerprint, wherever it has moved to', () => {
  fc.assert(
    fc.property(visits, fc.nat(59), (list, moveAt) => {
      const table = new SharedTable(SharedTable.memoryFor(64));
      const model = new Map<string, { low: number; high: number }>();
      list.forEach(({ low, high }, at) => {
        if (at === moveAt) {
          let part = 0;
          table.moveTo(
            SharedTable.memoryFor(256),
            () => part++,
            () => undefined,
          );
        }
        const key = keyOf(low, high);
        expect(table.visit(low, high)).toBe(!model.has(key));
        model.set(key, { low, high });
      });
      expect(table.size).toBe(model.size);
      const other = new SharedTable(SharedTable.memoryFor(128));
      other.fill(table.entries());
      expect(other.entries().length).toBe(2 * model.size);
      for (const { low, high } of model.values()) expect(other.visit(low, high)).toBe(false);
    }),
    { numRuns: 300 },
  );
});

test('room is made before it is needed', () => {
  for (const states of [0, 1000, 100_000, 5_000_000]) expect(isFull(states, capacityFor(states))).toBe(false);
  expect(isFull(30_000, capacityFor(0))).toBe(true);
});
