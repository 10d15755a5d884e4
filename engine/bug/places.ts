import type { OperationSpec } from '../agent.ts';
import type { Failure } from '../failure.ts';
import { Forget, Step, type Task } from '../step.ts';
import type { System } from '../system.ts';
import { operationShape, stepShape } from './shape.ts';

/** Where a run failed, in shapes. */
export interface Place {
  /** Kind of the operation whose step failed. */
  readonly operation: string;
  readonly step: string;
  /** The steps of the operation up to this one (since its last `forget`), each shape once, in order. */
  readonly path: readonly string[];
  /** What the world said about the failure while its state was still there. */
  readonly through: string | undefined;
}

/**
 * A system that also knows where it fails.
 *
 * The place is a function of the failing agent's local state and of the state, as the failure itself is. So it may be
 * asked for in a search, where the schedule that leads to a state is one of many, and a proof by exhaustion stays one.
 */
export class Places {
  /** Behaves as the system that it was made from. */
  readonly system: System;
  readonly #original: System;
  readonly #through: ((failure: Failure) => string | undefined) | undefined;
  readonly #places = new WeakMap<Failure, Place>();
  #running: Omit<Place, 'through'> | undefined;

  /** @param through the world's word for what a failure happened through ("TLB entry"), asked in the failing state. */
  constructor(system: System, through?: (failure: Failure) => string | undefined) {
    this.#original = system;
    this.#through = through;
    const { check } = system;
    this.system = {
      ...system,
      memoise: system.memoise ?? check !== undefined,
      agents: system.agents.map((agent) => ({
        ...agent,
        operations: agent.operations.map((operation) => this.#watched(operation)),
      })),
      ...(check === undefined
        ? {}
        : {
            check: () => {
              check();
              this.#note();
            },
          }),
    };
  }

  /** Where a failure happened; undefined if it was no step: a deadlock, or what was left over at the end. */
  of(failure: Failure): Place | undefined {
    return this.#places.get(failure);
  }

  #watched({ label, start }: OperationSpec): OperationSpec {
    const operation = operationShape(label);
    return { label, start: () => this.#watch(operation, start()) };
  }

  *#watch(operation: string, task: Task): Task {
    let path: readonly string[] = [];
    let received: unknown;
    for (;;) {
      const { value, done } = task.next(received as never);
      if (done === true) return;
      if (value instanceof Forget) {
        path = [];
        received = yield value;
        continue;
      }
      const shape = stepShape(value.label);
      if (!path.includes(shape)) path = [...path, shape];
      const place = { operation, step: shape, path };
      received = yield new Step(value.label, () => this.#run(value, place), value.wait, value.show);
    }
  }

  #run(step: Step, place: Omit<Place, 'through'>) {
    this.#running = place;
    const result = step.run();
    this.#note();
    return result;
  }

  #note(): void {
    const { failure } = this.#original.machine;
    if (failure === undefined || this.#running === undefined || this.#places.has(failure)) return;
    this.#places.set(failure, { ...this.#running, through: this.#through?.(failure) });
  }
}
