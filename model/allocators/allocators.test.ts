import { describe, expect, test } from 'vitest';
import { deterministic } from '../../engine/determinism.ts';
import { Runner } from '../../engine/run.ts';
import { checkSymmetry } from '../../engine/search/check-symmetry.ts';
import { randomWalk } from '../../engine/strategies/random-walk.ts';
import { asidAllocator } from './asid.ts';
import { exploreAllocator } from './explore.ts';
import { ASID_SCENES, VMID_SCENES } from './scenes.ts';
import { TagFormat } from './tag.ts';
import { vmidAllocator } from './vmid.ts';

const SCENES = [...Object.values(ASID_SCENES), ...Object.values(VMID_SCENES)];

// VMID_SCENES.replaced is left to `exploreAllocators`.
describe('the correct allocator holds, and comes by all that its bounds are for', () => {
  test.each([
    [ASID_SCENES.oneCpu, 333_872],
    [ASID_SCENES.replaced, 2_048_347],
    [ASID_SCENES.pinned, 18_436],
    [ASID_SCENES.pinnedTwice, 183_613],
    [VMID_SCENES.twoMachines, 235_244],
    [VMID_SCENES.oneCpu, 205_076],
    [VMID_SCENES.scarce, 294_794],
  ])('$name', ({ model, needs }, distinct) => {
    expect(exploreAllocator(model(), { needs })).toMatchObject({ verdict: 'holds', missing: [], distinct });
  });
});

test('a run that does not come by what it must is vacuous', () => {
  const { model, needs } = ASID_SCENES.published;
  expect(exploreAllocator(model(), { needs: [...needs, 'a roll-over happened'] })).toMatchObject({
    verdict: 'vacuous',
    missing: ['a roll-over happened'],
  });
});

test('a bound on states is said', () => {
  expect(exploreAllocator(ASID_SCENES.oneCpu.model(), { statesMax: 1000 }).verdict).toBe('bound');
});

describe('the local states are all that the steps depend on', () => {
  test.each(SCENES)('$name', ({ model }) => {
    const runner = new Runner(deterministic(model().system), 200);
    // What is found to depend on anything else is a HarnessError.
    for (let seed = 1; seed <= 6; seed++) {
      runner.run(randomWalk(), seed);
      expect(runner.system.machine.failure?.monitor ?? 'bound').toBe('bound');
    }
  });
});

describe('renamings', () => {
  const config = { cpus: 2, spaces: 2, tags: 4, generations: 3, replaced: 2 };

  test('of spaces change nothing, with roll-overs too', () => {
    checkSymmetry(asidAllocator(config, {}, 'spaces').system, { runs: 30 });
    checkSymmetry(vmidAllocator(config, {}, 'spaces').system, { runs: 30 });
  });

  test('of CPUs are none when a roll-over loops over the CPUs in their order', () => {
    const { system } = asidAllocator({ ...config, tags: 3, cpus: 2 }, {}, 'spaces and CPUs');
    expect(() => checkSymmetry(system, { runs: 100 })).toThrow(/renaming/);
  });

  test('are those of spaces that do the same', () => {
    const some = asidAllocator({ ...config, spaces: 3, replaced: 2 }, {}, 'spaces');
    expect(some.system.symmetry).toHaveLength(1);
    const all = asidAllocator({ ...config, spaces: 3, replaced: 3 }, {}, 'spaces');
    expect(all.system.symmetry).toHaveLength(5);
  });
});

test('a tag has a number and a generation', () => {
  const format = new TagFormat(4);
  const tag = format.make(2, 3);
  expect([format.number(tag), format.generation(tag), format.show(tag)]).toEqual([3, 2, '3/g2']);
  expect(format.show(0)).toBe('none');
  expect(() => new TagFormat(32)).toThrow(RangeError);
});
