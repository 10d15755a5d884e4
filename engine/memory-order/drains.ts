import type { AgentSpec } from '../agent.ts';
import { forget, Step, type Task } from '../step.ts';
import type { Waitable } from '../waitable.ts';
import type { StoreBuffers } from './store-buffers.ts';

const ORDINALS = ['', ', 2nd', ', 3rd', ', 4th'];

/**
 * The daemons that move stores to memory: for each CPU one for each place of its buffer, so that the schedule says which
 * of the stores that may come next does.
 *
 * @param describe a store that has just reached memory, for the report: "PTE(0x1000) := 0".
 */
export function drains(
  buffers: StoreBuffers,
  cpus: readonly { readonly name: string; readonly agent: number }[],
  describe: (cell: number) => string,
): AgentSpec[] {
  return cpus.flatMap(({ name, agent }) =>
    Array.from({ length: buffers.entries }, (_, at) => ({
      name: `${name} store buffer${ORDINALS[at] ?? ''}`,
      context: 'atomic' as const,
      daemon: true,
      operations: [
        {
          label: at === 0 ? 'oldest store' : 'younger store',
          start: () => drain(buffers, { name, agent, at }, describe),
        },
      ],
    })),
  );
}

function* drain(
  buffers: StoreBuffers,
  { name, agent, at }: { readonly name: string; readonly agent: number; readonly at: number },
  describe: (cell: number) => string,
): Task {
  const pending: Waitable = {
    name: `a store in the buffer of ${name}`,
    ender: 'a store',
    ready: () => buffers.canDrain(agent, at),
  };
  const next = new Step('reaches memory', () => buffers.drainAt(agent, at), pending, describe);
  for (;;) {
    yield* forget('idle');
    yield* next;
  }
}
