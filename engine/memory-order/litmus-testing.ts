import { expect } from 'vitest';
import type { AgentSpec } from '../agent.ts';
import { Cell } from '../cell.ts';
import { Machine } from '../machine.ts';
import { search } from '../search/search.ts';
import { step, type Step, type Task } from '../step.ts';
import { Mutex } from '../sync/lock.ts';
import { Refcount } from '../sync/refcount.ts';
import { drains } from './drains.ts';
import { StoreBuffers } from './store-buffers.ts';

/** Two shared variables, registers that no buffer delays, and the barriers as steps. */
export class Litmus {
  readonly machine = new Machine();
  readonly x: Cell;
  readonly y: Cell;
  readonly lock: Mutex;
  readonly count: Refcount;
  readonly #registers: Cell[];

  constructor(entries: number) {
    if (entries > 0) this.machine.buffers = new StoreBuffers(this.machine, entries);
    this.x = new Cell(this.machine, 'x', { buffered: true });
    this.y = new Cell(this.machine, 'y', { buffered: true });
    this.lock = new Mutex(this.machine, 'lock');
    this.count = new Refcount(this.machine, 'count');
    this.#registers = Array.from({ length: 4 }, (_, at) => new Cell(this.machine, `r${at}`));
  }

  /** Loads into a register. */
  *load(register: number, from: Cell): Task {
    yield* step(`r${register} := ${from.name}`, () => {
      const to = this.#registers[register] as Cell;
      to.value = from.value;
      return undefined;
    });
  }

  *release(to: Cell, value: number): Task {
    yield* step(`release ${to.name} := ${value}`, () => {
      to.release(value);
      return undefined;
    });
  }

  barrier(kind: (machine: Machine) => void): Step<undefined> {
    return step(kind.name, () => {
      kind(this.machine);
      return undefined;
    });
  }

  /** Everything that the registers and, behind a bar, x and y can hold in the end. */
  outcomes(threads: readonly (() => Task)[]): string[] {
    const cpus: AgentSpec[] = threads.map((start, at) => ({
      name: `CPU${at}`,
      context: 'process',
      daemon: false,
      operations: [{ label: 'thread', start }],
    }));
    const { buffers } = this.machine;
    buffers?.assign(cpus, () => true);
    const names = cpus.map(({ name }, agent) => ({ name, agent }));
    const daemons = buffers === undefined ? [] : drains(buffers, names, String);
    const found = new Set<string>();
    const quiescent = (): void => {
      const registers = this.#registers.map(({ value }) => value).join('');
      found.add(`${registers}|${this.x.value}${this.y.value}`);
    };
    const result = search({ machine: this.machine, agents: [...cpus, ...daemons], quiescent }, { order: 'dfs' });
    expect(result.failure).toBeUndefined();
    expect(result.verdict).toBe('exhausted');
    return [...found].sort();
  }
}

/** Whether an outcome fits a pattern: `.` stands for whatever, `¦` for or. */
export function seen(outcomes: readonly string[], pattern: string): boolean {
  return outcomes.some((outcome) =>
    new RegExp(`^${pattern.replaceAll('|', '\\|').replaceAll('¦', '|')}$`).test(outcome),
  );
}
