import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Random } from '../random.ts';
import { Sightings } from './sightings.ts';
import { addSample, collisionProbability, emptySample, kindsAtLeast, newPerUnit } from './unseen.ts';

/** What a list of units says, counted in the plainest way. */
function count(units: readonly (readonly number[])[]) {
  const seenIn = new Map<number, Set<number>>();
  for (const [unit, kinds] of units.entries())
    for (const kind of kinds) seenIn.set(kind, (seenIn.get(kind) ?? new Set()).add(unit));
  const times = [...seenIn.values()].map(({ size }) => size);
  return {
    units: units.length,
    kinds: times.length,
    once: times.filter((each) => each === 1).length,
    twice: times.filter((each) => each === 2).length,
  };
}

function sight(units: readonly (readonly number[])[]): Sightings {
  const sightings = new Sightings(4);
  for (const kinds of units) {
    sightings.next();
    for (const kind of kinds) sightings.see(kind, 0);
  }
  return sightings;
}

describe('sightings', () => {
  test('are counted by the units that they are in', () => {
    fc.assert(
      fc.property(fc.array(fc.array(fc.integer({ min: -20, max: 40 }))), (units) => {
        expect({ ...sight(units) }).toEqual(count(units));
      }),
    );
  });

  test('both lanes count', () => {
    const sightings = new Sightings();
    sightings.next();
    for (const [low, high] of [
      [1, 2],
      [2, 1],
      [0, 0],
      [1, 1],
      [1, 2],
    ] as const)
      sightings.see(low, high);
    expect(sightings.kinds).toBe(4);
  });
});

describe('what is still unseen', () => {
  test('nothing, if everything was seen twice', () => {
    expect(newPerUnit({ units: 40, kinds: 9, once: 0, twice: 3 })).toBe(0);
    expect(kindsAtLeast({ units: 40, kinds: 9, once: 0, twice: 3 })).toBe(9);
  });

  test('everything, if nothing was drawn', () => {
    expect(newPerUnit(emptySample())).toBe(1);
    expect(kindsAtLeast(emptySample())).toBe(0);
  });

  test('by hand', () => {
    const sample = { units: 10, kinds: 6, once: 4, twice: 1 };
    expect(newPerUnit(sample)).toBe(0.4);
    expect(kindsAtLeast(sample)).toBeCloseTo(6 + (0.9 * 12) / 4, 12);
  });

  test('the estimates are right about a population that is known', () => {
    // 1,000 kinds, of which a tenth is drawn nine times as often as the others.
    const random = new Random(1);
    const draw = (): number => (random.below(2) === 0 ? random.below(100) : 100 + random.below(900));
    const sightings = new Sightings();
    const seen = new Set<number>();
    for (let unit = 0; unit < 500; unit++) {
      const kind = draw();
      seen.add(kind);
      sightings.next();
      sightings.see(kind, 7);
    }
    let fresh = 0;
    for (let more = 0; more < 20_000; more++) if (!seen.has(draw())) fresh++;
    expect(Math.abs(newPerUnit(sightings) - fresh / 20_000)).toBeLessThan(0.07);
    const least = kindsAtLeast(sightings);
    expect(least).toBeGreaterThan(2 * seen.size);
    expect(least).toBeLessThan(1_100);
  });

  test('samples add up', () => {
    const sum = emptySample();
    addSample(sum, { units: 1, kinds: 2, once: 3, twice: 4 });
    addSample(sum, { units: 10, kinds: 20, once: 30, twice: 40 });
    expect(sum).toEqual({ units: 11, kinds: 22, once: 33, twice: 44 });
  });
});

test('fingerprints of 64 bits: two of 2³² coincide with probability 1/2, as the rule says', () => {
  expect(collisionProbability(2 ** 32)).toBe(0.5);
  expect(collisionProbability(1_000_000)).toBeLessThan(1e-7);
});
