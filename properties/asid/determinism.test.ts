import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { deterministic } from '../../engine/determinism.ts';
import { checkIsolation } from '../../engine/isolation.ts';
import { Runner } from '../../engine/run.ts';
import { randomWalk } from '../../engine/strategies/random-walk.ts';
import { search } from '../../engine/search/search.ts';
import { asid } from './index.ts';

test('a search that takes steps from the memo sees the same states as one that runs every step', () => {
  for (const litmus of asid.litmus) {
    const world = asid.world(litmus.configuration);
    const fast = search(world.load(litmus.program), { order: 'dfs', reduction: 'none' });
    const slow = search({ ...world.load(litmus.program), memoise: false }, { order: 'dfs', reduction: 'none' });
    expect({ id: litmus.id, ...fast }).toEqual({ id: litmus.id, ...slow });
  }
});

test('random programs end in the same states with the memo and without', () => {
  const hazards = [undefined, ...asid.hazards.map(({ id }) => id)];
  for (const [index, hazard] of hazards.entries()) {
    const [configuration] = fc.sample(asid.configurations, { seed: index, numRuns: 1 });
    if (configuration === undefined) expect.fail('no configuration');
    const world = asid.world(configuration, hazard);
    const [program] = fc.sample(asid.programs(configuration), { seed: index, numRuns: 1 });
    if (program === undefined) expect.fail('no program');
    const ends = (memoise: boolean) => {
      const runner = new Runner({ ...world.load(program), memoise });
      const { machine } = runner.system;
      const all = Array.from({ length: 20 }, (_, seed) => ({
        end: runner.run(randomWalk(), seed),
        steps: runner.steps,
        failure: machine.failure?.message,
        cells: Buffer.from(machine.store.cells.slice(0, machine.store.size).buffer).toString('base64'),
      }));
      runner.close();
      return all;
    };
    const same = JSON.stringify(ends(true)) === JSON.stringify(ends(false));
    expect({ hazard, same }).toEqual({ hazard, same: true });
  }
});

test('steps are functions of the store and of what their task has received', () => {
  for (const litmus of asid.litmus.filter(({ program }) => program.agents.length > 1)) {
    const world = asid.world(litmus.configuration);
    const result = search(deterministic(world.load(litmus.program)), { order: 'dfs', statesMax: 400 });
    expect(result.failure).toBeUndefined();
  }
});

test('so are those of random programs with any hazard, and nothing survives a run but what the store undoes', () => {
  const hazards = [undefined, ...asid.hazards.map(({ id }) => id)];
  for (const [index, configuration] of fc
    .sample(asid.configurations, { seed: 11, numRuns: hazards.length })
    .entries()) {
    const hazard = hazards[index];
    const [program] = fc.sample(asid.programs(configuration), { seed: index, numRuns: 1 });
    if (program === undefined) expect.fail('no program');
    const build = () => asid.world(configuration, hazard).load(program);
    const runner = new Runner(deterministic(build()));
    for (let seed = 0; seed < 3; seed++) expect(['finished', 'failed']).toContain(runner.run(randomWalk(), seed));
    checkIsolation(build, { runs: 2, seed: index });
  }
});
