import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Frame } from '../../engine/search/frame.ts';
import { search } from '../../engine/search/search.ts';
import type { System } from '../../engine/system.ts';
import type { World } from '../family.ts';
import { asid } from './index.ts';
import { ASID_LITMUS } from './litmus.ts';

/** Every state of a system, by its fingerprint, with the agents that can run there and how their steps fail. */
function visit(system: System, backwards: boolean): string[] {
  system.machine.agents = system.agents;
  const frame = new Frame(system, { order: 'dfs' });
  const { machine } = system;
  const { print, nodes } = frame;
  const agents = nodes.map((_, agent) => agent);
  if (backwards) agents.reverse();
  const seen = new Map<string, string[]>();
  const explore = (): void => {
    const key = `${print.low >>> 0} ${print.high >>> 0}`;
    if (seen.has(key)) return;
    const found: string[] = [];
    seen.set(key, found);
    for (const agent of agents.filter((one) => frame.isEnabled(one))) {
      const mark = machine.store.mark();
      const node = nodes[agent];
      const { low, high } = print;
      frame.advance(agent);
      found.push(`${agent} ${machine.failure?.message ?? ''}`);
      if (machine.failure === undefined) explore();
      machine.failure = undefined;
      machine.store.rollback(mark);
      if (node !== undefined) nodes[agent] = node;
      print.low = low;
      print.high = high;
    }
  };
  explore();
  frame.restore();
  return [...seen].map(([key, found]) => `${key}: ${found.sort().join(', ')}`).sort();
}

/** What is in one list only: a short message when they differ. */
function differences(first: readonly string[], second: readonly string[]): string[] {
  const [one, other] = [new Set(first), new Set(second)];
  return [...first.filter((line) => !other.has(line)), ...second.filter((line) => !one.has(line))];
}

/** Explores a part of every litmus program but one. */
function exercise(world: World, but: string): void {
  for (const { id, program } of ASID_LITMUS.toReversed()) {
    if (id === but) continue;
    try {
      search(world.load(program), { order: 'dfs', statesMax: 300, wanted: () => false });
    } catch (error) {
      // Some programs need another configuration.
      if (!(error instanceof RangeError)) throw error;
    }
  }
}

describe('a fingerprint means the same in every world of a configuration and program', () => {
  for (const { id, configuration, program, hazards } of ASID_LITMUS)
    for (const hazard of [undefined, hazards[0]])
      test(`${id}, ${hazard ?? 'correct'}`, () => {
        const first = visit(asid.world(configuration, hazard).load(program), false);
        expect(first.length).toBeGreaterThan(2);
        expect(differences(first, visit(asid.world(configuration, hazard).load(program), true))).toEqual([]);
        // A world that has met much else before: what it has interned stands elsewhere.
        const used = asid.world(configuration, hazard);
        exercise(used, id);
        expect(differences(first, visit(used.load(program), false))).toEqual([]);
      });

  test('random programs, with accesses of devices', () => {
    let compared = 0;
    for (let seed = 1; compared < 25; seed++) {
      const [configuration] = fc.sample(asid.configurations, { seed, numRuns: 1 });
      if (configuration === undefined) throw new Error('nothing was generated');
      const [program] = fc.sample(asid.programs(configuration), { seed, numRuns: 1 });
      if (program === undefined) throw new Error('nothing was generated');
      const system = asid.world(configuration).load(program);
      if (search(system, { order: 'dfs', statesMax: 1500, wanted: () => false }).verdict !== 'exhausted') continue;
      const first = visit(asid.world(configuration).load(program), false);
      const used = asid.world(configuration);
      exercise(used, '');
      expect(differences(first, visit(used.load(program), true)), `seed ${seed}`).toEqual([]);
      compared++;
    }
  });
});
