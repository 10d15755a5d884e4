import { describe, expect, test } from 'vitest';
import { asidAllocator } from './asid.ts';
import { exploreAllocator, exploreAllocators, type AllocatorRow } from './explore.ts';
import { PUBLISHED, type PublishedCount } from './published.ts';

describe('counts of the TLA+ model under TLC', () => {
  test('of 2 tasks, without symmetry and with it, and of 3 tasks with it', () => {
    const rows = exploreAllocators();
    for (const { generated, distinct, depth } of PUBLISHED) {
      const { exploration } = rows.next().value as AllocatorRow;
      expect(exploration).toMatchObject({ verdict: 'holds', generated, distinct, depth });
    }
  });

  test('as many with shared TLBs, since nothing is flushed', () => {
    const { config, symmetry, ...counts } = PUBLISHED[0] as PublishedCount;
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
