import { describe, expect, test } from 'vitest';
import { asidAllocator } from './asid.ts';
import { ASID_BUGS, COMMON_BUGS, VMID_BUGS } from './bugs.ts';
import { exploreAllocator } from './explore.ts';
import { ASID_SCENES, VMID_SCENES } from './scenes.ts';

/** The rule that a mistake breaks, and the length of a shortest counterexample. */
type Found = readonly [bug: string, rule: string, steps: number];

const ASID_FOUND: readonly (readonly [keyof typeof ASID_SCENES, readonly Found[]])[] = [
  ['published', [['tlbi-before-pte-clear', 'stale-translation', 16]]],
  [
    'oneCpu',
    [
      ['nothing-reserved', 'shared-tag', 45],
      ['reserved-not-marked', 'shared-tag', 45],
      ['generation-ignored', 'shared-tag', 45],
      ['map-not-cleared', 'no-free-tag', 34],
      ['old-number-not-tested', 'shared-tag', 54],
      ['no-flush', 'shared-tag', 39],
      ['tag-read-before-pte-clear', 'stale-translation', 16],
    ],
  ],
  [
    'replaced',
    [
      ['reserved-once', 'shared-tag', 74],
      ['reserved-not-searched', 'shared-tag', 68],
      ['roll-over-not-seen', 'shared-tag', 66],
      ['store-for-cmpxchg', 'shared-tag', 63],
      ['tag-not-read-again', 'split-tag', 22],
      ['active-not-taken', 'shared-tag', 57],
      ['old-number-not-marked', 'shared-tag', 82],
      ['own-flush-only', 'shared-tag', 60],
    ],
  ],
  ['pinned', [['pinned-not-kept', 'pinned-tag-shared', 44]]],
  ['pinnedTwice', [['too-many-pinned', 'no-free-tag', 36]]],
];

const VMID_FOUND: readonly (readonly [keyof typeof VMID_SCENES, readonly Found[]])[] = [
  ['twoMachines', [['tlbi-before-pte-clear', 'stale-translation', 15]]],
  [
    'oneCpu',
    [
      ['generation-ignored', 'shared-tag', 48],
      ['map-not-cleared', 'no-free-tag', 36],
      ['old-number-not-marked', 'shared-tag', 73],
      ['old-number-not-tested', 'shared-tag', 56],
      ['no-flush', 'shared-tag', 40],
      ['tag-read-before-pte-clear', 'stale-translation', 15],
    ],
  ],
  [
    'replaced',
    [
      ['nothing-reserved', 'running-tag-not-kept', 53],
      ['reserved-not-marked', 'shared-tag', 54],
      ['reserved-not-searched', 'split-tag', 72],
      ['roll-over-not-seen', 'running-tag-not-kept', 61],
      ['store-for-cmpxchg', 'shared-tag', 62],
      ['tag-not-read-again', 'split-tag', 20],
      ['active-not-taken', 'shared-tag', 62],
    ],
  ],
  ['scarce', [['active-kept-at-put', 'no-free-tag', 36]]],
];

function named<B extends { readonly name: string }>(bugs: readonly B[], name: string): B {
  const bug = bugs.find((candidate) => candidate.name === name);
  if (bug === undefined) throw new Error(`no bug ${name}`);
  return bug;
}

describe.each(ASID_FOUND)('ASIDs, %s', (scene, found) => {
  test.each(found)('%s: %s after %i steps', (name, rule, steps) => {
    const exploration = exploreAllocator(ASID_SCENES[scene].model(named([...COMMON_BUGS, ...ASID_BUGS], name)));
    expect(exploration).toMatchObject({ verdict: 'broken', failure: { rule } });
    expect(exploration.schedule).toHaveLength(steps);
  });
});

describe.each(VMID_FOUND)('VMIDs, %s', (scene, found) => {
  test.each(found)('%s: %s after %i steps', (name, rule, steps) => {
    const exploration = exploreAllocator(VMID_SCENES[scene].model(named([...COMMON_BUGS, ...VMID_BUGS], name)));
    expect(exploration).toMatchObject({ verdict: 'broken', failure: { rule } });
    expect(exploration.schedule).toHaveLength(steps);
  });
});

test('renewing one of two reserved copies is wrong three roll-overs later', () => {
  const config = { ...ASID_SCENES.replaced.config, generations: 4 };
  const { failure, schedule } = exploreAllocator(
    asidAllocator(config, named(COMMON_BUGS, 'one-copy-renewed').routines),
  );
  expect(failure?.rule).toBe('shared-tag');
  expect(schedule).toHaveLength(128);
});

describe('under the published bounds no roll-over happens, so what goes wrong there is not seen', () => {
  test.each(['nothing-reserved', 'roll-over-not-seen', 'no-flush'])('%s: not one state differs', (name) => {
    const { model, needs } = ASID_SCENES.published;
    const exploration = exploreAllocator(model(named(COMMON_BUGS, name)), {
      needs: [...needs, 'a roll-over happened'],
    });
    expect(exploration).toMatchObject({ verdict: 'vacuous', generated: 652_477, distinct: 197_000, depth: 61 });
  });
});

describe('what costs only tags is found where they are scarce, and only there', () => {
  test('a put vCPU that stays active', () => {
    const { model, needs } = VMID_SCENES.twoMachines;
    expect(exploreAllocator(model(named(VMID_BUGS, 'active-kept-at-put')), { needs }).verdict).toBe('holds');
  });
});
