import type { Bench, Candidate, Verdict } from './bench.ts';
import { countOperations, keep, merged, subsets } from './program.ts';

/** What a level of the minimisation came to: something smaller, or what was shown about what is smaller. */
export type Level = Candidate | Shown;

/** What was shown about all smaller programs of a level, and how many there are. */
export interface Shown {
  readonly verdict: Exclude<Verdict, Candidate>;
  readonly programs: number;
}

/** Most operations of a program all of whose parts are exhausted. */
const OPERATIONS_MAX = 10;

/** Exhausts every program that is left after deleting operations, smallest first. */
export async function fewerOperations(bench: Bench, best: Candidate): Promise<Level> {
  const total = countOperations(best.program);
  if (total > OPERATIONS_MAX) return { verdict: 'bound', programs: 0 };
  let shown: Shown = { verdict: 'holds', programs: 0 };
  for (let size = 1; size < total; size++)
    for (const kept of subsets(total, size)) {
      const verdict = await bench.exhaust(best, best.configuration, keep(best.program, kept));
      if (typeof verdict !== 'string') return verdict;
      shown = alsoShown(shown, verdict);
      if (bench.budget.expired()) return { ...shown, verdict: 'bound' };
    }
  return shown;
}

/** Programs of the failure as it was found that are looked at again. */
const AGAIN_MAX = 120;

/**
 * The parts of the program as it was found that are smaller than the best: deleting one operation at a time may have
 * led past them. Which one is reached does not depend on the order of deletions then.
 */
export async function fewerOfFound(bench: Bench, found: Candidate, best: Candidate): Promise<Candidate | undefined> {
  const total = countOperations(found.program);
  let looked = 0;
  for (let size = 1; size < countOperations(best.program); size++)
    for (const kept of subsets(total, size)) {
      if (looked++ === AGAIN_MAX || bench.budget.expired()) return undefined;
      const { program, moved } = keep(found.program, kept);
      const like = { ...best, tokens: found.tokens };
      const verdict = await bench.exhaust(like, best.configuration, { program, moved });
      if (typeof verdict !== 'string') return verdict;
    }
  return undefined;
}

/** One agent less, doing the same: shows what does not need to be concurrent. */
export async function fewerAgents(bench: Bench, best: Candidate): Promise<Candidate | undefined> {
  for (const derived of merged(best.program)) {
    if (bench.budget.expired()) return undefined;
    const candidate =
      bench.projected(best, best.configuration, derived) ?? bench.tried(best, best.configuration, derived.program);
    if (candidate !== undefined) return candidate;
  }
  return undefined;
}

/** What is shown by one more program: the worst of all. */
export function alsoShown({ verdict, programs }: Shown, next: Shown['verdict']): Shown {
  const order = ['holds', 'another-race', 'bound'] as const;
  return { verdict: order.indexOf(verdict) > order.indexOf(next) ? verdict : next, programs: programs + 1 };
}
