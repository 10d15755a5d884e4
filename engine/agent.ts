import type { Context } from './machine.ts';
import type { Task } from './step.ts';

/** One operation of an agent: a task, started when the operation before it has ended. */
export interface OperationSpec {
  /** What a report shows: "unmap(P, 0x1000)". */
  readonly label: string;
  readonly start: () => Task;
}

/** A thread of the program. Daemons (hardware, work queues, softirq) may wait for ever: they do not count for deadlock. */
export interface AgentSpec {
  readonly name: string;
  readonly context: Context;
  readonly daemon: boolean;
  readonly operations: readonly OperationSpec[];
}
