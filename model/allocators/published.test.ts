import { describe, expect, test } from 'vitest';
import { asidAllocator } from './asid.ts';
import { exploreAllocator } from './explore.ts';
import { PUBLISHED } from './published.ts';

describe('counts of the TLA+ model under TLC', () => {
  // The one with 3 tasks takes long; `exploreAllocators` has it.
  const quick = PUBLISHED.filter(({ config, symmetry }) => config.spaces === 2);

  test.each(quick)('$config.spaces tasks, symmetry: $symmetry', ({ config, symmetry, ...counts }) => {
    const found = exploreAllocator(asidAllocator(config, {}, symmetry));
    expect(found).toMatchObject({ verdict: 'holds', ...counts });
  });

  test('as many with shared TLBs, since nothing is flushed', () => {
    const { config, symmetry, ...counts } = quick[0] as (typeof PUBLISHED)[number];
    expect(exploreAllocator(asidAllocator({ ...config, cnp: true }, {}, symmetry))).toMatchObject(counts);
  });

  test('come without a single roll-over: three numbers are enough for two tasks, and for three', () => {
    const model = asidAllocator({ cpus: 2, spaces: 2, tags: 4, generations: 3 });
    expect(exploreAllocator(model)).toMatchObject({
      verdict: 'holds',
      witnesses: [
        'the fast path was taken',
        'the slow path found the tag valid under the lock',
        'a space ran on two CPUs',
        'an invalidation met a tag that had changed since it was read',
      ],
    });
  });
});
