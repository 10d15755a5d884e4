import { expect, test } from 'vitest';
import { fuzz, type Found } from '../campaign.ts';
import { sva } from './index.ts';

test.each(sva.hazards.map(({ id, expected }) => [id, expected] as const))(
  '%s is found unguided',
  async (hazard, expected) => {
    let found: Found | undefined;
    await fuzz(sva, {
      seed: 5,
      runs: 400_000,
      hazard,
      onFound: (each) => {
        found = each;
        return 'stop';
      },
    });
    expect(found).toBeDefined();
    expect(expected).toContainEqual({ monitor: found?.failure.monitor, rule: found?.failure.rule });
  },
);
