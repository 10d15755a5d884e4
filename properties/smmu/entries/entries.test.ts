import { describe, expect, it, test } from 'vitest';
import { search } from '../../../engine/search/search.ts';
import { CORRECT_PARTS } from '../../../impl/kernel/index.ts';
import { entries } from './index.ts';
import { ENTRIES_HAZARDS } from './hazards/index.ts';
import { allPairs } from './pairs.ts';

const SUBJECTS = ['ste', 'cd', 'cd-two-level'] as const;

describe.each(SUBJECTS)('every pair of %s', (subject) => {
  it.each([0, 1, 2])('shows the old entry, the new one or (breaking) none, with %d pending stores', (weak) => {
    let pairs = 0;
    for (const { from, to, exhausted, failure } of allPairs(subject, {}, weak)) {
      expect(failure, `${from} → ${to}`).toBeUndefined();
      expect(exhausted).toBe(true);
      pairs++;
    }
    expect(pairs).toBe(subject === 'ste' ? 25 * 25 : 9 * 9);
  });
});

describe('hazards', () => {
  it.each(ENTRIES_HAZARDS.map((hazard) => [hazard.id, hazard] as const))('%s is found by the pairs', (_id, hazard) => {
    const rules = new Set<string>();
    for (const subject of SUBJECTS)
      for (const { failure } of allPairs(subject, hazard.parts))
        if (failure !== undefined) rules.add(`${failure.monitor}/${failure.rule}`);
    expect(rules.size).toBeGreaterThan(0);
    for (const rule of rules) expect(hazard.expected.map((one) => `${one.monitor}/${one.rule}`)).toContain(rule);
  });

  it.each(ENTRIES_HAZARDS.map((hazard) => [hazard.id, hazard] as const))('%s is well formed', (id, hazard) => {
    expect(id).toMatch(/^[a-z0-9]+(-[a-z0-9]+)+$/);
    expect(hazard.parts.configWriter.prototype).toBeInstanceOf(CORRECT_PARTS.configWriter);
    expect(hazard.citation.length).toBeGreaterThan(10);
    expect(hazard.story).toMatch(/\.$/);
  });

  it('have unique names', () => {
    const ids = ENTRIES_HAZARDS.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });
});

test.each(entries.litmus.map((litmus) => [litmus.id, litmus] as const))('%s exhausts and holds', (_id, litmus) => {
  const result = search(entries.world(litmus.configuration).load(litmus.program), { order: 'bfs' });
  expect(result.failure).toBeUndefined();
  expect(result.verdict).toBe('exhausted');
});

test.each(entries.litmus.flatMap((litmus) => litmus.hazards.map((hazard) => [litmus.id, hazard, litmus] as const)))(
  '%s is violated under %s',
  (_id, hazard, litmus) => {
    const result = search(entries.world(litmus.configuration, hazard).load(litmus.program), { order: 'bfs' });
    const expected = entries.hazards.find(({ id }) => id === hazard)?.expected ?? [];
    expect(expected).toContainEqual({ monitor: result.failure?.monitor, rule: result.failure?.rule });
  },
);

test('every hazard has a litmus', () => {
  const shown = new Set(entries.litmus.flatMap(({ hazards }) => hazards));
  expect(entries.hazards.map(({ id }) => id).filter((id) => !shown.has(id))).toEqual([]);
});
