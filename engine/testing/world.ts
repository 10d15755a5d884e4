import type { AgentSpec } from '../agent.ts';
import { fingerprint } from '../failure.ts';
import type { Context, Machine } from '../machine.ts';
import { search } from '../search/search.ts';
import { step, type Step, type Task } from '../step.ts';
import type { System } from '../system.ts';

/** What tests of the engine build their small worlds from. */

/** An agent that runs the given tasks in turn. */
export function agent(name: string, tasks: readonly (() => Task)[], options: { context?: Context } = {}): AgentSpec {
  return {
    name,
    context: options.context ?? 'process',
    daemon: false,
    operations: tasks.map((start, index) => ({ label: `${name} ${index}`, start })),
  };
}

/** A step for its effect only. */
export function effect(label: string, run: () => unknown): Step<undefined> {
  return step(label, () => {
    run();
    return undefined;
  });
}

/** A task from a list of steps without results. */
export function steps(...list: readonly (() => Step)[]): () => Task {
  return function* (): Task {
    for (const make of list) yield* make();
  };
}

/** Fingerprints of every failure that some interleaving shows first, sorted. */
export function failures(system: System): string[] {
  const seen = new Set<string>();
  search(system, {
    order: 'dfs',
    wanted: (failure) => {
      seen.add(fingerprint(failure));
      return false;
    },
  });
  return [...seen].sort();
}

/** The shortest counterexample's message, or undefined if every interleaving holds. */
export function shortestFailure(system: System): string | undefined {
  return search(system, { order: 'bfs' }).failure?.message;
}

/** A system of a machine and agents, with its optional checks. */
export function world(
  machine: Machine,
  agents: readonly AgentSpec[],
  checks: Pick<System, 'check' | 'quiescent'> = {},
): System {
  return { machine, agents, ...checks };
}
