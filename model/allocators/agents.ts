import type { AgentSpec } from '../../engine/agent.ts';
import type { Task } from '../../engine/step.ts';

/** An agent that goes on for ever. */
export function endless(name: string, start: () => Task): AgentSpec {
  return { name, context: 'process', daemon: false, operations: [{ label: name, start }] };
}
