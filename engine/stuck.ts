import type { Node } from './automaton.ts';
import type { Failure } from './failure.ts';
import type { Machine } from './machine.ts';

/**
 * What it means that no agent can run: undefined if all but daemons have ended; else a deadlock (a cycle of holders) or a
 * lost wake-up (nobody is left who could end the wait), with who waits for what and who could have woken it.
 */
export function diagnoseStuck(
  machine: Machine,
  nodes: readonly Node[],
  daemon: (agent: number) => boolean,
): Failure | undefined {
  const waiting = nodes.filter((node) => node.step !== undefined && !daemon(node.agent));
  if (waiting.length === 0) return undefined;
  const holderOf = (agent: number): number => nodes[agent]?.wait?.holder?.() ?? -1;
  const cycle = waiting.map((node) => findCycle(node.agent, holderOf)).find((found) => found.length > 0);
  const lines = waiting.map((node) => {
    const holder = holderOf(node.agent);
    const held = holder >= 0 ? `, held by ${machine.agentName(holder)}` : '';
    const ender = node.wait?.ender === undefined ? '' : ` (ended by ${node.wait.ender})`;
    return `${machine.agentName(node.agent)} waits for ${node.wait?.name ?? 'nothing'}${held}${ender}`;
  });
  const kind = (cycle ?? waiting.map((node) => node.agent))
    .map((agent) => nodes[agent]?.wait?.name ?? '')
    .sort()
    .join(' + ');
  const data = { kind, waits: lines.join('; ') };
  if (cycle !== undefined)
    return { monitor: 'deadlock', rule: 'lock-cycle', message: `Deadlock: ${lines.join('; ')}.`, data };
  const holders = waiting.map((node) => holderOf(node.agent)).filter((holder) => holder >= 0);
  if (holders.length > 0)
    return { monitor: 'deadlock', rule: 'never-unlocked', message: `Nobody can go on: ${lines.join('; ')}.`, data };
  return {
    monitor: 'deadlock',
    rule: 'lost-wake-up',
    message: `Lost wake-up: ${lines.join('; ')}, and nobody is left who would do it.`,
    data,
  };
}

/** The agents of a cycle of "waits for the holder" that starts at `agent`, or none. */
function findCycle(agent: number, holderOf: (agent: number) => number): number[] {
  const seen: number[] = [];
  for (let at = agent; at >= 0; at = holderOf(at)) {
    const again = seen.indexOf(at);
    if (again >= 0) return again === 0 ? seen : [];
    seen.push(at);
  }
  return [];
}
