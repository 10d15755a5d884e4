import { Cell, type Lifetime } from '../cell.ts';
import type { Machine } from '../machine.ts';
import { step, waitStep, type Step } from '../step.ts';
import type { Waitable } from '../waitable.ts';

/**
 * What mutex and spinlock have in common: one owner, noted as agent index + 1. Taking a lock is an acquire, giving it back a
 * store-release: with store buffers, what was stored before the lock was taken may reach memory while it is held, and the
 * unlock itself may reach memory late.
 */
abstract class Lock implements Waitable {
  readonly name: string;
  readonly ender = 'unlock';
  protected readonly machine: Machine;
  readonly #owner: Cell;

  constructor(machine: Machine, name: string, lifetime?: Lifetime) {
    this.name = name;
    this.machine = machine;
    this.#owner = new Cell(machine, name, {
      names: 'owner',
      buffered: true,
      ...(lifetime === undefined ? {} : { lifetime }),
      format: (_offset, owner) => (owner === 0 ? 'free' : `held by ${machine.agentName(owner - 1)}`),
    });
  }

  ready(): boolean {
    return this.#owner.peek(0) === 0;
  }

  holder(): number {
    return this.#owner.peek(0) - 1;
  }

  /** True if the running agent holds the lock (kernel: `lockdep_assert_held`). Inside a step. */
  isHeld(): boolean {
    return this.#owner.value === this.machine.current + 1;
  }

  /** Takes the lock inside a larger atomic step; the caller has seen to it that it is free. */
  protected take(): void {
    this.#owner.exchange(this.machine.current + 1);
  }

  /** Gives the lock back; unlocking what another agent holds is a failure. */
  protected release(): void {
    if (!this.isHeld())
      this.machine.fail({
        monitor: 'safety',
        rule: 'unlock-not-held',
        message: `${this.machine.agentName(this.machine.current)} unlocks ${this.name}, which it does not hold.`,
        data: { kind: this.name },
      });
    this.#owner.release(0);
  }
}

/** A sleeping lock (`struct mutex`). Taking it in atomic or softirq context is a failure. */
export class Mutex extends Lock {
  lock(): Step<undefined> {
    return waitStep(`lock ${this.name}`, this, () => {
      this.machine.mightSleep(`mutex_lock(${this.name})`);
      this.take();
      return undefined;
    });
  }

  unlock(): Step<undefined> {
    return step(`unlock ${this.name}`, () => {
      this.release();
      return undefined;
    });
  }
}

/** A spinning lock (`spinlock_t`): the holder is in atomic context until it unlocks. */
export class SpinLock extends Lock {
  lock(): Step<undefined> {
    return waitStep(`spin_lock ${this.name}`, this, () => {
      this.take();
      this.machine.enterAtomic();
      return undefined;
    });
  }

  unlock(): Step<undefined> {
    return step(`spin_unlock ${this.name}`, () => {
      this.release();
      this.machine.leaveAtomic();
      return undefined;
    });
  }
}
