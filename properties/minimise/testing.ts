/** A family of small random programs for tests of the minimiser: over two cells and two locks, and no IOMMU. */
import fc from 'fast-check';
import { Cell } from '../../engine/cell.ts';
import { Machine } from '../../engine/machine.ts';
import { step, type Task } from '../../engine/step.ts';
import { Mutex } from '../../engine/sync/lock.ts';
import type { System } from '../../engine/system.ts';
import type { Configuration, Counters, Family, Operation, Program, World } from '../family.ts';

const cell = fc.nat(1);
const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({ op: fc.constant('increment'), cell }),
  fc.record({ op: fc.constant('set'), cell, value: fc.integer({ min: 1, max: 2 }) }),
  fc.record({ op: fc.constant('expect'), cell, value: fc.integer({ min: 1, max: 2 }) }),
  fc.record({ op: fc.constant('both'), lock: cell }),
);
const list = fc.array(operation, { minLength: 1, maxLength: 2 });

/** Programs of two agents, small enough to enumerate every schedule. */
export const smallPrograms: fc.Arbitrary<Program> = fc
  .tuple(list, list)
  .map((lists) => ({ agents: lists.map((operations, at) => ({ name: `CPU${at}`, operations })) }))
  .filter(({ agents }) => agents.every(({ operations }) => operations.length > 0));

/**
 * `expect` fails where a cell has a value, `both` takes two locks in one of two orders, and `increment` is not atomic.
 */
export const cells: Family = {
  name: 'cells',
  summary: 'two cells and two locks',
  hazards: [],
  litmus: [],
  configurations: fc.constant({ first: 0 }),
  programs: () => smallPrograms,
  world: (configuration) => new CellsWorld(configuration),
  plainer: ({ first }) => (first === 0 ? [] : [{ first: 0 }]),
  simplify: (one) => [
    ...(Number(one['cell'] ?? 0) > 0 ? [{ ...one, cell: 0 }] : []),
    ...(Number(one['lock'] ?? 0) > 0 ? [{ ...one, lock: 0 }] : []),
    ...(Number(one['value'] ?? 0) > 1 ? [{ ...one, value: 1 }] : []),
  ],
  witnesses: [],
};

class CellsWorld implements World {
  readonly configuration: Configuration;
  readonly counters: Counters = { witnesses: {}, operations: {} };
  readonly #machine = new Machine();
  readonly #cells = [0, 1].map((at) => new Cell(this.#machine, `cell${at}`));
  readonly #locks = [0, 1].map((at) => new Mutex(this.#machine, `lock${at}`));

  constructor(configuration: Configuration) {
    this.configuration = configuration;
    this.#cell(0).value = Number(configuration['first']);
  }

  load(program: Program): System {
    return {
      machine: this.#machine,
      agents: program.agents.map(({ name, operations }) => ({
        name,
        context: 'process',
        daemon: false,
        operations: operations.map((one) => ({
          label: `${one.op}(${Object.values(one).slice(1).join(', ')})`,
          start: () => this.#task(one),
        })),
      })),
    };
  }

  snapshot(): readonly string[] {
    return [];
  }

  explain(): [] {
    return [];
  }

  describeOperation({ op }: Operation): string {
    return op;
  }

  *#task({ op, cell: index = 0, value = 0, lock = 0 }: Operation): Task {
    const own = this.#cell(Number(index));
    if (op === 'set') yield* own.store(Number(value));
    else if (op === 'increment') yield* own.store((yield* own.load()) + 1);
    else if (op === 'expect')
      yield* step(`expect ${own.name}`, () => {
        const { value: now } = own;
        if (now === value) this.#machine.fail({ monitor: 'test', rule: 'expected', message: 'It is.' });
        return now;
      });
    else yield* this.#both(Number(lock));
  }

  *#both(lock: number): Task {
    const [first, second] = [this.#locks[lock] as Mutex, this.#locks[1 - lock] as Mutex];
    yield* first.lock();
    yield* second.lock();
    yield* second.unlock();
    yield* first.unlock();
  }

  #cell(at: number): Cell {
    return this.#cells[at] as Cell;
  }
}
