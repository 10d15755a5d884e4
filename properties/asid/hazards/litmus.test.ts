import { describe, expect, it } from 'vitest';
import { search } from '../../../engine/search/search.ts';
import { AsidWorld } from '../world.ts';
import { ASID_HAZARDS } from './index.ts';
import { ASID_LITMUS } from './litmus.ts';

describe.each(ASID_LITMUS.map((litmus) => [litmus.id, litmus] as const))('litmus %s', (_id, litmus) => {
  it('holds in every interleaving of the correct kernel', () => {
    const world = new AsidWorld(litmus.configuration);
    const result = search(world.load(litmus.program), { order: 'dfs' });
    expect(result.failure).toBeUndefined();
    expect(result.verdict).toBe('exhausted');
    expect(result.ends).toBeGreaterThan(0);
    const kinds = new Set(litmus.program.agents.flatMap(({ operations }) => operations.map(({ op }) => op)));
    for (const kind of kinds) expect(world.counters.operations[kind]?.run).toBeGreaterThan(0);
  });

  it.each(litmus.hazards)('is violated by %s, as it says', (id) => {
    const hazard = ASID_HAZARDS.find((candidate) => candidate.id === id);
    const world = new AsidWorld(litmus.configuration, hazard?.parts);
    const result = search(world.load(litmus.program), { order: 'bfs' });
    expect(result.verdict).toBe('violation');
    const { monitor, rule } = result.failure ?? {};
    expect(hazard?.expected).toContainEqual({ monitor, rule });
  });
});

describe('litmus tests', () => {
  it('show every hazard', () => {
    const shown = new Set(ASID_LITMUS.flatMap(({ hazards }) => hazards));
    expect(ASID_HAZARDS.map(({ id }) => id).filter((id) => !shown.has(id))).toEqual([]);
    expect([...shown].filter((id) => !ASID_HAZARDS.some((hazard) => hazard.id === id))).toEqual([]);
  });
});
