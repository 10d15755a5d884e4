import type { AgentSpec } from '../agent.ts';
import { HarnessError } from '../failure.ts';
import { releaseOrder } from '../memory-order/barriers.ts';
import type { Machine } from '../machine.ts';
import { codeArgument, codeNumber, workCode } from './work-code.ts';
import { forget, step, waitStep, type Step, type Task } from '../step.ts';
import type { Waitable } from '../waitable.ts';

/** Works that can be queued at once; a world that needs more is told so. */
const QUEUED_MAX = 8;

/** An ordered work queue (`alloc_ordered_workqueue`): one worker, first in first out, process context. */
export class WorkQueue {
  readonly name: string;
  readonly #machine: Machine;
  /** Queue of work + 1 (0: empty place) and argument, oldest first; then the work that runs. */
  readonly #works: number;
  readonly #arguments: number;
  readonly #running: number;
  readonly #handlers: ((argument: number) => Task)[] = [];

  constructor(machine: Machine, name: string) {
    this.name = name;
    this.#machine = machine;
    this.#works = machine.store.reserve(QUEUED_MAX, `${name} queue`);
    this.#arguments = machine.store.reserve(QUEUED_MAX, `${name} arguments`);
    this.#running = machine.store.reserve(1, `${name} running`);
  }

  /** Declares a work function at layout time (`INIT_WORK`); `queue` takes its number. */
  work(handler: (argument: number) => Task): number {
    this.#handlers.push(handler);
    return this.#handlers.length - 1;
  }

  /**
   * `queue_work`: false if the same work with the same argument is already queued. May be called in any context. The work
   * sees what was stored before.
   *
   * @param argument 32 bits, signed, as a cell.
   */
  queue(work: number, argument: number): Step<boolean> {
    return step(`queue_work ${this.name}`, () => {
      const { store } = this.#machine;
      releaseOrder(this.#machine);
      for (let place = 0; place < QUEUED_MAX; place++) {
        const queued = store.get(this.#works + place);
        if (queued === work + 1 && store.get(this.#arguments + place) === (argument | 0)) return false;
        if (queued !== 0) continue;
        store.set(this.#works + place, work + 1);
        store.set(this.#arguments + place, argument);
        return true;
      }
      throw new HarnessError(`${this.name}: more than ${QUEUED_MAX} works queued`);
    });
  }

  /** `flush_workqueue`: waits until everything queued has run. Sleeps. */
  flush(): Step<undefined> {
    const { store } = this.#machine;
    const drained: Waitable = {
      name: `works of ${this.name}`,
      ender: 'the worker',
      ready: () => store.get(this.#works) === 0 && store.get(this.#running) === 0,
      holder: () => this.#machine.agents.findIndex((agent) => agent.name === this.#workerName()),
    };
    return waitStep(`flush_workqueue ${this.name}`, drained, () => {
      this.#machine.mightSleep(`flush_workqueue(${this.name})`);
      return undefined;
    });
  }

  /** The worker; add it to the agents of a world that uses the queue. */
  daemon(): AgentSpec {
    const start = (): Task => this.#worker();
    return { name: this.#workerName(), context: 'process', daemon: true, operations: [{ label: 'works', start }] };
  }

  *#worker(): Task {
    const { store } = this.#machine;
    const queued: Waitable = {
      name: `work in ${this.name}`,
      ender: 'queue_work',
      ready: () => store.get(this.#works) !== 0,
    };
    for (;;) {
      yield* forget('idle');
      const taken = yield* waitStep('take work', queued, () => this.#take());
      const handler = this.#handlers[codeNumber(taken)];
      if (handler === undefined) throw new HarnessError(`${this.name}: work was never declared`);
      yield* handler(codeArgument(taken));
      yield* step('work done', () => {
        releaseOrder(this.#machine);
        store.set(this.#running, 0);
        return undefined;
      });
    }
  }

  #take(): number {
    const { store } = this.#machine;
    const code = workCode(store.get(this.#works) - 1, store.get(this.#arguments));
    for (const lane of [this.#works, this.#arguments])
      for (let place = 0; place < QUEUED_MAX; place++)
        store.set(lane + place, place + 1 < QUEUED_MAX ? store.get(lane + place + 1) : 0);
    store.set(this.#running, 1);
    return code;
  }

  #workerName(): string {
    return `${this.name} worker`;
  }
}
