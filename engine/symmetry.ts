import { AGENTS_MAX, type Machine, type NamesAgents } from './machine.ts';
import type { Result, Step } from './step.ts';

/**
 * One way to give agents, cells and names other places without changing what a world can do: an automorphism of its state
 * graph. A state s has a step of agent a to t if and only if the renamed s has a step of agent `agents[a]` to the renamed
 * t, the one fails if the other does, and the first state is its own renaming. `checkSymmetry` looks for what breaks this.
 *
 * A world may give renamings as `System.symmetry`; a search then keeps one state of each orbit (C. N. Ip, D. L. Dill,
 * "Better verification through symmetry", 1996). Best all elements but the identity of a group: with fewer a search
 * stays right, and merges less.
 *
 * All functions are pure, and called while states are compared: not in steps, and not with the state at hand.
 */
export interface Renaming {
  /** For each agent, the agent that takes its place: a permutation. The operations of both must do the same, renamed. */
  readonly agents: readonly number[];
  /** The cell that takes the place of a cell: a permutation of all cells. Default: each stays. */
  readonly cell?: (cell: number) => number;
  /**
   * What a value other than 0, found in `cell` (before renaming), becomes: for cells that hold names, such as an agent, an
   * index, a handle. It must not become 0, since a cell that holds 0 is not part of a state. Default: values stay.
   */
  readonly value?: (cell: number, value: number) => number;
  /**
   * What the result of a step becomes that `agent` (before renaming) has received: results are a task's local state, so
   * names in them are names in the state. Default: results hold no names.
   */
  readonly result?: (result: Result, step: Step, agent: number) => Result;
  /** What the key of a `forget` becomes, for keys that hold names. Default: keys stay. */
  readonly key?: (key: string | number, agent: number) => string | number;
}

/** What a renaming does beyond the agents and the engine's own primitives. */
export type WorldRenaming = Omit<Renaming, 'agents'>;

/**
 * The renamings by which agents of a class may take each other's places, for every combination of permutations of the
 * classes. The engine's own cells are taken care of: owners of locks, sets of readers, counters for each agent.
 *
 * @param agents number of agents of the world, daemons included.
 * @param classes agents that do the same, up to the names that `own` renames; disjoint.
 * @param own what the world's own cells, values and results become if agents move so (`permutation[a]` takes the place of
 *   a); asked only about cells that are not the engine's own.
 */
export function agentSymmetry(
  machine: Machine,
  agents: number,
  classes: readonly (readonly number[])[],
  own: (permutation: readonly number[]) => WorldRenaming = () => ({}),
): readonly Renaming[] {
  let all: number[][] = [Array.from({ length: agents }, (_, agent) => agent)];
  for (const members of classes)
    all = all.flatMap((permutation) =>
      permutations(members).map((images) => {
        const next = [...permutation];
        for (const [at, agent] of members.entries()) next[agent] = images[at] as number;
        return next;
      }),
    );
  return all.slice(1).map((permutation) => ofAgents(machine, permutation, own(permutation)));
}

/** Every order of the members, the given one first. */
function permutations(members: readonly number[]): number[][] {
  if (members.length === 0) return [[]];
  return members.flatMap((first, at) => permutations(members.toSpliced(at, 1)).map((rest) => [first, ...rest]));
}

function ofAgents(machine: Machine, permutation: readonly number[], own: WorldRenaming): Renaming {
  const place = (agent: number): number => permutation[agent] ?? agent;
  const kindOf = new Map<number, { readonly kind: NamesAgents; readonly base: number }>();
  for (const { kind, base, length } of machine.agentCells)
    for (let offset = 0; offset < length; offset++) kindOf.set(base + offset, { kind, base });
  return {
    ...own,
    agents: permutation,
    cell: (cell) => {
      const known = kindOf.get(cell);
      if (known?.kind === 'each') return known.base + place(cell - known.base);
      return own.cell?.(cell) ?? cell;
    },
    value: (cell, value) => {
      const kind = kindOf.get(cell)?.kind;
      if (kind === 'owner') return place(value - 1) + 1;
      if (kind !== 'set') return own.value?.(cell, value) ?? value;
      let renamed = 0;
      for (let agent = 0; agent < AGENTS_MAX; agent++) if ((value & (1 << agent)) !== 0) renamed |= 1 << place(agent);
      return renamed;
    },
  };
}
