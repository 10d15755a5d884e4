import type { AgentSpec } from '../agent.ts';
import { HarnessError } from '../failure.ts';
import { AGENTS_MAX, type Machine } from '../machine.ts';
import { releaseOrder, smp_mb } from '../memory-order/barriers.ts';
import { codeArgument, codeNumber, workCode } from './work-code.ts';
import { forget, step, waitStep, type Step, type Task } from '../step.ts';
import type { Waitable } from '../waitable.ts';

/** Grace periods that can be under way at once in one domain; a world that needs more is told so. */
const GRACE_PERIODS_MAX = 8;
const UNUSED = 0;
const WAITED_FOR = 1;
const CALLBACK = 2;

/**
 * RCU, or one SRCU domain: a grace period ends when every reader that was inside a read section at its start has left it.
 * With `sleepable` (SRCU) readers may sleep. Callbacks of `call` run in softirq context, in a daemon agent.
 */
export class Rcu {
  readonly name: string;
  readonly #machine: Machine;
  readonly #sleepable: boolean;
  /** Read-section depth of each agent. */
  readonly #depth: number;
  /** For each grace period: use, mask of readers still to leave, callback, argument. */
  readonly #use: number;
  readonly #mask: number;
  readonly #callback: number;
  readonly #argument: number;
  readonly #callbacks: ((argument: number) => Task)[] = [];

  constructor(machine: Machine, name: string, options: { sleepable?: boolean } = {}) {
    this.name = name;
    this.#machine = machine;
    this.#sleepable = options.sleepable ?? false;
    this.#depth = machine.store.reserve(AGENTS_MAX, `${name} depth`);
    this.#use = machine.store.reserve(GRACE_PERIODS_MAX, `${name} grace period`);
    this.#mask = machine.store.reserve(GRACE_PERIODS_MAX, `${name} readers`);
    this.#callback = machine.store.reserve(GRACE_PERIODS_MAX, `${name} callback`);
    this.#argument = machine.store.reserve(GRACE_PERIODS_MAX, `${name} argument`);
    machine.nameAgents('each', this.#depth, AGENTS_MAX);
    machine.nameAgents('set', this.#mask, GRACE_PERIODS_MAX);
  }

  /** Declares a callback at layout time; `call` takes its number. */
  onGracePeriod(callback: (argument: number) => Task): number {
    this.#callbacks.push(callback);
    return this.#callbacks.length - 1;
  }

  /** `rcu_read_lock`. */
  readLock(): Step<undefined> {
    return step(`${this.name}_read_lock`, () => {
      this.#addDepth(1);
      return undefined;
    });
  }

  /** `rcu_read_unlock`. */
  readUnlock(): Step<undefined> {
    return step(`${this.name}_read_unlock`, () => {
      // A grace period that this ends is ordered after what the reader has stored.
      releaseOrder(this.#machine);
      if (this.#addDepth(-1) === 0) this.#leave(this.#machine.current);
      return undefined;
    });
  }

  /** `synchronize_rcu`: waits for a grace period. Sleeps. */
  *synchronize(): Task {
    const period = yield* step(`synchronize_${this.name}: start`, () => {
      this.#machine.mightSleep(`synchronize_${this.name}`);
      smp_mb(this.#machine);
      return this.#begin(WAITED_FOR, 0, 0);
    });
    yield* waitStep(`synchronize_${this.name}: end`, this.#ended(period), () => {
      this.#machine.store.set(this.#use + period, UNUSED);
      return undefined;
    });
  }

  /**
   * `call_rcu`: runs a declared callback after a grace period, in softirq context.
   *
   * @param argument 32 bits, signed, as a cell.
   */
  call(callback: number, argument: number): Step<undefined> {
    return step(`call_${this.name}`, () => {
      smp_mb(this.#machine);
      this.#begin(CALLBACK, callback, argument);
      return undefined;
    });
  }

  /** The softirq that runs the callbacks; add it to the agents of a world that uses `call`. */
  daemon(): AgentSpec {
    const start = (): Task => this.#softirq();
    return {
      name: `${this.name} softirq`,
      context: 'softirq',
      daemon: true,
      operations: [{ label: 'callbacks', start }],
    };
  }

  *#softirq(): Task {
    const pending: Waitable = { name: `${this.name} callbacks`, ready: () => this.#nextCallback() >= 0 };
    for (;;) {
      yield* forget('idle');
      const taken = yield* waitStep('take callback', pending, () => {
        const period = this.#nextCallback();
        const { store } = this.#machine;
        const code = workCode(store.get(this.#callback + period), store.get(this.#argument + period));
        for (const lane of [this.#use, this.#callback, this.#argument]) store.set(lane + period, UNUSED);
        return code;
      });
      const callback = this.#callbacks[codeNumber(taken)];
      if (callback === undefined) throw new HarnessError(`${this.name}: callback of call() was never declared`);
      yield* callback(codeArgument(taken));
    }
  }

  #nextCallback(): number {
    const { store } = this.#machine;
    for (let period = 0; period < GRACE_PERIODS_MAX; period++)
      if (store.get(this.#use + period) === CALLBACK && store.get(this.#mask + period) === 0) return period;
    return -1;
  }

  #begin(use: number, callback: number, argument: number): number {
    const { store } = this.#machine;
    for (let period = 0; period < GRACE_PERIODS_MAX; period++) {
      if (store.get(this.#use + period) !== UNUSED) continue;
      let readers = 0;
      for (let agent = 0; agent < AGENTS_MAX; agent++) if (store.get(this.#depth + agent) > 0) readers |= 1 << agent;
      store.set(this.#use + period, use);
      store.set(this.#mask + period, readers);
      store.set(this.#callback + period, callback);
      store.set(this.#argument + period, argument);
      return period;
    }
    throw new HarnessError(`${this.name}: more than ${GRACE_PERIODS_MAX} grace periods at once`);
  }

  #ended(period: number): Waitable {
    const { store, agents } = this.#machine;
    const mask = this.#mask + period;
    return {
      name: `grace period of ${this.name}`,
      ender: `${this.name}_read_unlock`,
      ready: () => store.get(mask) === 0,
      holder: () => agents.findIndex((_, agent) => (store.get(mask) & (1 << agent)) !== 0),
    };
  }

  #leave(agent: number): void {
    const { store } = this.#machine;
    for (let period = 0; period < GRACE_PERIODS_MAX; period++) {
      const cell = this.#mask + period;
      store.set(cell, store.get(cell) & ~(1 << agent));
    }
  }

  #addDepth(by: number): number {
    const cell = this.#depth + Math.max(this.#machine.current, 0);
    const depth = this.#machine.store.get(cell) + by;
    if (depth < 0)
      this.#machine.fail({
        monitor: 'safety',
        rule: 'unlock-not-held',
        message: `${this.#machine.agentName(this.#machine.current)} leaves a read section of ${this.name} that it is not in.`,
        data: { kind: this.name },
      });
    this.#machine.store.set(cell, depth);
    if (!this.#sleepable) {
      if (by > 0) this.#machine.enterAtomic();
      else this.#machine.leaveAtomic();
    }
    return depth;
  }
}
