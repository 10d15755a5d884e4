import fc from 'fast-check';
import { Cell } from '../cell.ts';
import { Machine } from '../machine.ts';
import { ObjectPool } from '../object.ts';
import type { Step, Task } from '../step.ts';
import { Completion } from '../sync/completion.ts';
import { Mutex, SpinLock } from '../sync/lock.ts';
import { Rcu } from '../sync/rcu.ts';
import { Refcount } from '../sync/refcount.ts';
import { WorkQueue } from '../sync/work-queue.ts';
import type { System } from '../system.ts';
import { agent, effect } from './world.ts';

/** One instruction of a generated program: over three cells, two mutexes, and one of each other primitive. */
export type Instruction =
  | { readonly kind: 'load' | 'increment' | 'skipIf0'; readonly cell: number }
  | { readonly kind: 'store' | 'assertNot' | 'compareAndSwap'; readonly cell: number; readonly value: number }
  | { readonly kind: 'lock' | 'unlock'; readonly lock: number }
  | { readonly kind: 'queue'; readonly value: number }
  | { readonly kind: Plain };

/** Instructions without arguments. `free` and `use` are of one object, which is allocated at first. */
type Plain =
  | 'wait'
  | 'complete'
  | 'free'
  | 'use'
  | 'get'
  | 'put'
  | 'spinLock'
  | 'spinUnlock'
  | 'readLock'
  | 'readUnlock'
  | 'synchronize';

/** A program: for each agent, its operations, each a list of instructions. */
export type Program = readonly (readonly (readonly Instruction[])[])[];

const cellIndex = fc.nat(2);
const value = fc.nat(2);
const lockIndex = fc.nat(1);
const instruction: fc.Arbitrary<Instruction> = fc.oneof(
  fc.record({ kind: fc.constantFrom('load', 'increment', 'skipIf0'), cell: cellIndex }),
  fc.record({ kind: fc.constantFrom('store', 'assertNot', 'compareAndSwap'), cell: cellIndex, value }),
  fc.record({ kind: fc.constantFrom('lock', 'unlock'), lock: lockIndex }),
  fc.record({ kind: fc.constantFrom('wait', 'complete') }),
  fc.record({ kind: fc.constantFrom('free', 'use', 'get', 'put', 'spinLock', 'spinUnlock') }),
  fc.record({ kind: fc.constantFrom('readLock', 'readUnlock', 'synchronize') }),
  fc.record({ kind: fc.constant('queue'), value }),
) as fc.Arbitrary<Instruction>;

/** Steps that an instruction takes, those of the worker included. */
function stepsOf({ kind }: Instruction): number {
  if (kind === 'queue') return 5;
  return kind === 'increment' || kind === 'synchronize' ? 2 : 1;
}

/** Most steps of a generated program: a few hundred schedules. */
const STEPS_MAX = 8;

const lists = (most: number): fc.Arbitrary<readonly (readonly Instruction[])[]> =>
  fc.array(fc.array(instruction, { maxLength: 2 }), { minLength: 1, maxLength: most });

/** Programs small enough to enumerate every schedule. */
export const programs: fc.Arbitrary<Program> = fc
  .oneof(fc.array(lists(2), { minLength: 2, maxLength: 2 }), fc.array(lists(1), { minLength: 3, maxLength: 3 }))
  .filter((program) => program.flat(2).reduce((sum, each) => sum + stepsOf(each), 0) <= STEPS_MAX);

/** A fresh world with the program loaded; with a worker that forgets if it queues works. */
export function build(program: Program): System {
  const world = new Things();
  const agents = program.map((operations, index) =>
    agent(
      `agent${index}`,
      operations.map((list) => () => world.task(list)),
    ),
  );
  const works = program.flat(2).some(({ kind }) => kind === 'queue');
  return { machine: world.machine, agents: works ? [...agents, world.queue.daemon()] : agents };
}

/** What the instructions act on. */
class Things {
  readonly machine = new Machine();
  readonly queue: WorkQueue;
  readonly #cells: readonly Cell[];
  readonly #locks: readonly Mutex[];
  readonly #completion: Completion;
  readonly #spin: SpinLock;
  readonly #count: Refcount;
  readonly #rcu: Rcu;
  readonly #pool: ObjectPool<Cell>;
  readonly #work: number;

  constructor() {
    const { machine } = this;
    this.#cells = [0, 1, 2].map((index) => new Cell(machine, `cell${index}`));
    this.#locks = [0, 1].map((index) => new Mutex(machine, `lock${index}`));
    this.#completion = new Completion(machine, 'done');
    this.#spin = new SpinLock(machine, 'spin');
    this.#count = new Refcount(machine, 'count');
    this.#count.value = 1;
    this.#rcu = new Rcu(machine, 'rcu');
    this.#pool = new ObjectPool(machine, 'object', 1, (slot) => slot.cell('field'));
    this.#pool.alloc();
    this.queue = new WorkQueue(machine, 'wq');
    this.#work = this.queue.work((argument) => this.#add(argument));
  }

  *task(list: readonly Instruction[]): Task {
    for (let index = 0; index < list.length; index++) {
      const each = list[index] as Instruction;
      if (each.kind === 'skipIf0') {
        if ((yield* this.#cell(each.cell).load()) === 0) index++;
      } else if ('cell' in each) yield* this.#onCell(each);
      else if ('lock' in each) yield* this.#onLock(each);
      else if (each.kind === 'queue') yield* this.queue.queue(this.#work, each.value);
      else yield* this.#plain(each.kind);
    }
  }

  #cell(index: number): Cell {
    return this.#cells[index] as Cell;
  }

  *#add(argument: number): Task {
    const before = yield* this.#cell(0).load();
    yield* this.#cell(0).store(before + argument);
  }

  *#onCell(each: Extract<Instruction, { readonly cell: number }>): Task {
    const cell = this.#cell(each.cell);
    if (each.kind === 'load') yield* cell.load();
    else if (each.kind === 'store') yield* cell.store(each.value);
    else if (each.kind === 'compareAndSwap') yield* cell.cmpxchg(0, each.value);
    else if (each.kind === 'assertNot')
      yield* effect(`assert ${cell.name} is not ${each.value}`, () => {
        if (cell.value !== each.value || each.value === 0) return;
        this.machine.fail({ monitor: 'test', rule: 'assertion', message: 'It is.', data: { kind: cell.name } });
      });
    else {
      const before = yield* cell.load();
      yield* cell.store(before + 1);
    }
  }

  *#onLock({ kind, lock: index }: Extract<Instruction, { readonly lock: number }>): Task {
    const mutex = this.#locks[index] as Mutex;
    yield* kind === 'lock' ? mutex.lock() : mutex.unlock();
  }

  *#plain(kind: Plain): Task {
    const object = this.#pool.at(1);
    const tasks: Record<Plain, () => Step | Task> = {
      wait: () => this.#completion.wait(),
      complete: () => this.#completion.complete(),
      free: () => effect('kfree', () => this.#pool.free(1)),
      use: () => object.load(),
      get: () => this.#count.get(),
      put: () => this.#count.put(),
      spinLock: () => this.#spin.lock(),
      spinUnlock: () => this.#spin.unlock(),
      readLock: () => this.#rcu.readLock(),
      readUnlock: () => this.#rcu.readUnlock(),
      synchronize: () => this.#rcu.synchronize(),
    };
    yield* tasks[kind]() as Task;
  }
}
