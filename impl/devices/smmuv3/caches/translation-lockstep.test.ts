import { describe, expect, it } from 'vitest';
import { translationCaches, TranslationLockstep } from './testing/translation-lockstep.ts';

describe('TLB and walk cache in lockstep with a cache that loses nothing', () => {
  const sizes = [
    { sets: 1, ways: 2, contexts: 4, generationBits: 31 },
    { sets: 1, ways: 1, contexts: 2, generationBits: 1 },
    { sets: 4, ways: 4, contexts: 16, generationBits: 2 },
    { sets: 8, ways: 8, contexts: 64, generationBits: 3 },
    { sets: 16, ways: 3, contexts: 8, generationBits: 31 },
  ];
  for (const { sets, ways, contexts, generationBits } of sizes)
    it(`${sets} sets, ${ways} ways, ${contexts} contexts, generations of ${generationBits} bits`, () => {
      const caches = translationCaches({ contexts, generationBits, vmidBits: 8 }, { sets, ways });
      const lockstep = new TranslationLockstep(caches, sets * 100 + ways);
      for (let step = 0; step < 60_000; step++) {
        const wrong = lockstep.step();
        if (wrong !== undefined) expect.fail(`step ${step}: ${wrong}`);
      }
      for (const count of Object.values(lockstep.counts)) expect(count).toBeGreaterThan(300);
    });
});
