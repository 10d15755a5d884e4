import type { Node } from '../../engine/automaton.ts';
import type { Runner } from '../../engine/run.ts';
import type { Strategy } from '../../engine/strategies/strategy.ts';
import type { System } from '../../engine/system.ts';
import type { Moved, Place } from './program.ts';

/** A step of a run: whose, and in which operation. Unlike agent indices, it says what to do when the program changes. */
export type Token = Place;

/** Follows a strategy and notes the tokens of its steps. */
export function noting(strategy: Strategy, runner: Runner, system: System, into: Token[]): Strategy {
  return {
    ...strategy,
    begin: (seed, view) => {
      into.length = 0;
      strategy.begin(seed, view);
    },
    pick: (enabled, count, step, previous) => {
      const agent = strategy.pick(enabled, count, step, previous);
      if (agent >= 0) into.push({ agent: nameOf(system, agent), operation: (runner.nodes[agent] as Node).operation });
      return agent;
    },
  };
}

/** Tokens of a changed program: those of deleted operations are left out. */
export function project(tokens: readonly Token[], moved: Moved): Token[] {
  return tokens.flatMap(({ agent, operation }) => moved(agent, operation) ?? []);
}

/**
 * Follows tokens as well as the program lets it: an operation that takes more steps than it took is brought to its end
 * before the next one, a step that cannot be made is left out, and after the last token the program runs to its end
 * with as few switches as possible.
 */
export function following(tokens: readonly Token[], runner: Runner, system: System): Strategy {
  const agents = new Map(system.agents.map(({ name }, agent) => [name, agent]));
  let at = 0;
  return {
    name: 'projection',
    begin: () => {
      at = 0;
    },
    pick: (enabled, count, _step, previous) => {
      const can = (agent: number): boolean => enabled.subarray(0, count).includes(agent);
      for (; at < tokens.length; at++) {
        const { agent: name, operation } = tokens[at] as Token;
        const agent = agents.get(name);
        if (agent === undefined || !can(agent)) continue;
        const now = (runner.nodes[agent] as Node).operation;
        if (now > operation) continue;
        if (now === operation) at++;
        return agent;
      }
      return previous >= 0 && can(previous) ? previous : (enabled[0] as number);
    },
  };
}

function nameOf(system: System, agent: number): string {
  return system.agents[agent]?.name ?? '';
}
