import { missedByAll, pctBound } from '../../engine/strategies/pct.ts';

/**
 * What the runs of PCT of one depth guarantee, over the programs that had any: a bug of that depth, which shows in a
 * schedule no longer than the longest run that was made of its program, is missed by all of them with some probability at
 * most. Runs whose change points were drawn over a shorter length (before that longest run) do not count.
 */
export interface Guarantee {
  depth: number;
  programs: number;
  /** Sum over the programs of the probability that all runs miss, at most. */
  missed: number;
  /** The program of which one run guarantees the least. */
  largest: Bound;
}

/** What is guaranteed of one program. */
export interface Bound {
  agents: number;
  /** Longest run. */
  steps: number;
  /** Runs that count. */
  runs: number;
  /** Probability, at most, that all these runs miss. */
  missed: number;
}

/** The runs of PCT of one depth of one program. */
export class ProgramGuarantee {
  readonly depth: number;
  /** For each run, the length over which its change points were drawn. */
  readonly #lengths: number[] = [];

  constructor(depth: number) {
    this.depth = depth;
  }

  /** A run was made. @param length that over which its change points were drawn. */
  add(length: number): void {
    this.#lengths.push(length);
  }

  /** What the runs guarantee, given the longest run of the program. */
  bound(agents: number, steps: number): Bound {
    let missed = 1;
    let runs = 0;
    for (const length of this.#lengths) {
      if (length < steps) continue;
      runs++;
      missed *= missedByAll(pctBound(agents, length, this.depth), 1);
    }
    return { agents, steps, runs, missed };
  }
}

/** Adds what is guaranteed of another program. */
export function addBound(guarantees: Guarantee[], depth: number, bound: Bound): void {
  const guarantee = guarantees.find((each) => each.depth === depth);
  if (guarantee === undefined) guarantees.push({ depth, programs: 1, missed: bound.missed, largest: bound });
  else {
    guarantee.programs++;
    guarantee.missed += bound.missed;
    guarantee.largest = larger(guarantee.largest, bound, depth);
  }
}

/** What two lists of guarantees of different programs say together. */
export function mergeGuarantees(a: readonly Guarantee[], b: readonly Guarantee[]): Guarantee[] {
  return [...new Set([...a, ...b].map(({ depth }) => depth))].map((depth) => {
    const parts = [...a, ...b].filter((each) => each.depth === depth);
    return {
      depth,
      programs: parts.reduce((sum, { programs }) => sum + programs, 0),
      missed: parts.reduce((sum, { missed }) => sum + missed, 0),
      largest: parts.map(({ largest }) => largest).reduce((one, other) => larger(one, other, depth)),
    };
  });
}

function larger(one: Bound, other: Bound, depth: number): Bound {
  return pctBound(other.agents, other.steps, depth) < pctBound(one.agents, one.steps, depth) ? other : one;
}
