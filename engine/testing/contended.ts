import fc from 'fast-check';
import type { AgentSpec } from '../agent.ts';
import { Cell } from '../cell.ts';
import { Machine } from '../machine.ts';
import { forget, step, waitStep, type Step, type Task } from '../step.ts';
import { Completion } from '../sync/completion.ts';
import { Mutex } from '../sync/lock.ts';
import type { System } from '../system.ts';

/** That all or any of some cells have a value; looked at in turn, until the answer is known. */
export interface Condition {
  readonly are: 'all' | 'any';
  readonly of: readonly { readonly cell: number; readonly value: number }[];
}

/** One instruction of a program that is all contention: two or three cells, one lock, one completion. */
export type Move =
  | { readonly kind: 'read'; readonly cell: number }
  | { readonly kind: 'skipIf0'; readonly cell: number }
  | { readonly kind: 'write'; readonly cell: number; readonly value: number }
  /** Waits for a condition and then writes; atomic. */
  | { readonly kind: 'await'; readonly until: Condition; readonly cell: number; readonly value: number }
  /** Writes if a condition holds; atomic, and what it touches depends on what it finds. */
  | { readonly kind: 'writeIf'; readonly when: Condition; readonly cell: number; readonly value: number }
  /** Fails if a condition holds. */
  | { readonly kind: 'assertNot'; readonly when: Condition }
  | { readonly kind: Plain };

type Plain = 'lock' | 'unlock' | 'wait' | 'complete';

/** For each agent its moves; and whether there is a daemon that waits for cell 0 to be 2, sets it to 0 and cell 1 to 1. */
export interface Contended {
  readonly agents: readonly (readonly Move[])[];
  readonly daemon: boolean;
}

const cell = fc.nat(2);
const value = fc.nat(2);
const condition: fc.Arbitrary<Condition> = fc.record({
  are: fc.constantFrom('all', 'any'),
  of: fc.array(fc.record({ cell: fc.nat(2), value: fc.nat(1) }), { minLength: 1, maxLength: 3 }),
});
const record = <K extends string>(kind: K, rest: object): fc.Arbitrary<Move> =>
  fc.record({ kind: fc.constant(kind), ...rest }) as fc.Arbitrary<Move>;
const move: fc.Arbitrary<Move> = fc.oneof(
  { weight: 2, arbitrary: record('read', { cell }) },
  { weight: 4, arbitrary: record('write', { cell, value }) },
  { weight: 1, arbitrary: record('skipIf0', { cell }) },
  { weight: 2, arbitrary: record('await', { until: condition, cell, value }) },
  { weight: 2, arbitrary: record('writeIf', { when: condition, cell, value }) },
  { weight: 1, arbitrary: record('assertNot', { when: condition }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constantFrom('lock', 'unlock', 'wait', 'complete') }) as fc.Arbitrary<Move>,
  },
);

/** Numbers of moves of the agents: few enough to enumerate every schedule. */
const shapes = [
  [3, 3, 3],
  [2, 2, 2, 2],
  [4, 4],
  [3, 2, 2],
] as const;

const agentOf = (length: number): fc.Arbitrary<readonly Move[]> => {
  const plain = fc.array(move, { minLength: length, maxLength: length });
  const section = move.map((inner): readonly Move[] => [{ kind: 'lock' }, inner, { kind: 'unlock' }]);
  return length === 3 ? fc.oneof({ weight: 4, arbitrary: plain }, { weight: 1, arbitrary: section }) : plain;
};

/** Programs of eight or nine moves, and those of a daemon. */
export const contended: fc.Arbitrary<Contended> = fc
  .constantFrom(...shapes)
  .chain((lengths) => fc.record({ agents: fc.tuple(...lengths.map(agentOf)), daemon: fc.boolean() }));

/** A fresh world with the program loaded. */
export function buildContended({ agents, daemon }: Contended): System {
  const things = new Things();
  const specs = agents.map((moves, index): AgentSpec => {
    const start = (): Task => things.task(moves);
    return { name: `agent${index}`, context: 'process', daemon: false, operations: [{ label: 'moves', start }] };
  });
  return { machine: things.machine, agents: daemon ? [...specs, things.daemon()] : specs };
}

class Things {
  readonly machine = new Machine();
  readonly #cells: readonly Cell[];
  readonly #lock: Mutex;
  readonly #completion: Completion;

  constructor() {
    this.#cells = [0, 1, 2].map((index) => new Cell(this.machine, `cell${index}`));
    this.#lock = new Mutex(this.machine, 'lock');
    this.#completion = new Completion(this.machine, 'done');
  }

  *task(moves: readonly Move[]): Task {
    for (let at = 0; at < moves.length; at++) {
      const each = moves[at] as Move;
      if (each.kind !== 'skipIf0') yield* this.#step(each) as Step<undefined>;
      else if ((yield* this.#cell(each.cell).load()) === 0) at++;
    }
  }

  daemon(): AgentSpec {
    const start = (): Task => this.#loop();
    return { name: 'daemon', context: 'process', daemon: true, operations: [{ label: 'loop', start }] };
  }

  *#loop(): Task {
    for (;;) {
      yield* forget('idle');
      yield* this.#await({ are: 'all', of: [{ cell: 0, value: 2 }] }, 0, 0);
      yield* this.#cell(1).store(1);
    }
  }

  #cell(index: number): Cell {
    return this.#cells[index] as Cell;
  }

  #holds({ are, of }: Condition): boolean {
    const is = (each: Condition['of'][number]): boolean => this.#cell(each.cell).value === each.value;
    return are === 'all' ? of.every(is) : of.some(is);
  }

  #await(until: Condition, index: number, next: number): Step<undefined> {
    return waitStep(`await, then ${index} := ${next}`, { name: 'a condition', ready: () => this.#holds(until) }, () => {
      this.#cell(index).value = next;
      return undefined;
    });
  }

  #step(each: Exclude<Move, { readonly kind: 'skipIf0' }>): Step {
    if (each.kind === 'read') return this.#cell(each.cell).load();
    if (each.kind === 'write') return this.#cell(each.cell).store(each.value);
    if (each.kind === 'await') return this.#await(each.until, each.cell, each.value);
    if (!('when' in each)) return this.#plain(each.kind);
    return step(each.kind, () => {
      const holds = this.#holds(each.when);
      if (each.kind === 'writeIf' && holds) this.#cell(each.cell).value = each.value;
      if (each.kind === 'assertNot' && holds)
        this.machine.fail({
          monitor: 'test',
          rule: 'assertion',
          message: `${this.machine.agentName(this.machine.current)}: it holds.`,
        });
      return holds;
    });
  }

  #plain(kind: Plain): Step {
    if (kind === 'lock') return this.#lock.lock();
    if (kind === 'unlock') return this.#lock.unlock();
    return kind === 'wait' ? this.#completion.wait() : this.#completion.complete();
  }
}
