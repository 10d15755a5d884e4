import { describe, expect, it } from 'vitest';
import { Atc } from './atc.ts';
import { ConfigCache } from './config-cache.ts';
import { AtcLockstep } from './testing/atc-lockstep.ts';
import { ConfigLockstep, configOptions } from './testing/config-lockstep.ts';
import { translationCaches, TranslationLockstep } from './testing/translation-lockstep.ts';

/** Down to caches that replace something all the time, and generations that wrap at every second invalidation. */
const SIZES = [
  { sets: 1, ways: 2, contexts: 4, generationBits: 31 },
  { sets: 1, ways: 1, contexts: 2, generationBits: 1 },
  { sets: 4, ways: 4, contexts: 16, generationBits: 2 },
  { sets: 8, ways: 8, contexts: 64, generationBits: 3 },
  { sets: 16, ways: 3, contexts: 8, generationBits: 31 },
];

/** A cache in lockstep with a reference that loses nothing. */
interface Lockstep {
  readonly counts: Readonly<Record<string, number>>;
  step(): string | undefined;
}

function run(lockstep: Lockstep, tiny: boolean): void {
  for (let step = 0; step < 40_000; step++) {
    const wrong = lockstep.step();
    if (wrong !== undefined) expect.fail(`step ${step}: ${wrong}`);
  }
  for (const [what, count] of Object.entries(lockstep.counts))
    if (what !== 'lost' || tiny) expect(count, what).toBeGreaterThan(300);
}

for (const { sets, ways, contexts, generationBits } of SIZES)
  describe(`${sets} sets, ${ways} ways, ${contexts} contexts, generations of ${generationBits} bits`, () => {
    const seed = sets * 100 + ways;
    it('TLB and walk cache', () => {
      const caches = translationCaches({ contexts, generationBits, vmidBits: 8 }, { sets, ways });
      run(new TranslationLockstep(caches, seed), sets === 1);
    });

    it('configuration', () => {
      run(new ConfigLockstep(new ConfigCache(configOptions(sets, ways, contexts, generationBits)), seed), sets === 1);
    });

    it('ATC', () => {
      run(new AtcLockstep(new Atc({ sets, ways }, { contexts, generationBits }), seed), sets === 1);
    });
  });
