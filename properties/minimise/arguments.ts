import type { Family, Operation } from '../family.ts';
import type { Bench, Candidate } from './bench.ts';
import { alsoShown, type Level, type Shown } from './operations.ts';
import { operationsOf, replaceOperations } from './program.ts';

/** Most programs with simpler arguments that are exhausted. */
const VARIANTS_MAX = 2_000;

/** An operation, and how far it is from the simplest of its kind. */
interface Variant {
  readonly operation: Operation;
  readonly rank: number;
}

/**
 * Exhausts the program with simpler arguments, in the order simplest first: the first that fails is the result, and what
 * is simpler holds. Arguments are changed jointly, since one may be simpler only if another is (the same page twice).
 */
export async function simplerArguments(bench: Bench, best: Candidate): Promise<Level> {
  const { configuration, program } = best;
  const operations = operationsOf(program);
  const variants = operations.map((operation) => variantsOf(bench.family, operation));
  const total = variants.reduce((product, { length }) => product * length, 1);
  if (total > VARIANTS_MAX) return { verdict: 'bound', programs: 0 };
  const own = rankOf(operations.map((operation, at) => rankIn(variants[at] ?? [], operation)));
  let shown: Shown = { verdict: 'holds', programs: 0 };
  for (const candidate of byRank(variants)) {
    if (candidate.rank >= own) break;
    const verdict = await bench.exhaust(best, configuration, replaceOperations(program, candidate.operations));
    if (typeof verdict !== 'string') return verdict;
    shown = alsoShown(shown, verdict);
    if (bench.budget.expired()) return { ...shown, verdict: 'bound' };
  }
  return shown;
}

/** An operation and everything simpler, each once. */
export function variantsOf(family: Family, operation: Operation): Variant[] {
  const seen = new Map<string, Variant>();
  const visit = (one: Operation): number => {
    const key = JSON.stringify(one);
    const known = seen.get(key);
    if (known !== undefined) return known.rank;
    const rank = Math.max(-1, ...family.simplify(one).map(visit)) + 1;
    seen.set(key, { operation: one, rank });
    return rank;
  };
  visit(operation);
  return [...seen.values()].sort((a, b) => a.rank - b.rank);
}

function rankIn(variants: readonly Variant[], operation: Operation): number {
  const key = JSON.stringify(operation);
  return variants.find((variant) => JSON.stringify(variant.operation) === key)?.rank ?? 0;
}

/** Every choice of one variant for each operation, the simplest altogether first. */
function byRank(variants: readonly (readonly Variant[])[]): { operations: Operation[]; rank: number }[] {
  let choices: { operations: Operation[]; ranks: number[] }[] = [{ operations: [], ranks: [] }];
  for (const own of variants)
    choices = choices.flatMap(({ operations, ranks }) =>
      own.map(({ operation, rank }) => ({ operations: [...operations, operation], ranks: [...ranks, rank] })),
    );
  return choices.map(({ operations, ranks }) => ({ operations, rank: rankOf(ranks) })).sort((a, b) => a.rank - b.rank);
}

/** Orders by the sum; among equals, the simpler first operation comes first. */
function rankOf(ranks: readonly number[]): number {
  const sum = ranks.reduce((total, rank) => total + rank, 0);
  return ranks.reduce((word, rank) => word * 32 + Math.min(rank, 31), sum);
}
