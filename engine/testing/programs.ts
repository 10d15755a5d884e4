import fc from 'fast-check';
import { Cell } from '../cell.ts';
import { Machine } from '../machine.ts';
import type { Task } from '../step.ts';
import { Completion } from '../sync/completion.ts';
import { Mutex } from '../sync/lock.ts';
import type { System } from '../system.ts';
import { agent, effect } from './world.ts';

/** One instruction of a generated program over three cells, two mutexes and a completion. */
export type Instruction =
  | { readonly kind: 'load' | 'increment' | 'skipIf0'; readonly cell: number }
  | { readonly kind: 'store' | 'assertNot' | 'compareAndSwap'; readonly cell: number; readonly value: number }
  | { readonly kind: 'lock' | 'unlock'; readonly lock: number }
  | { readonly kind: 'wait' | 'complete' };

/** A program: for each agent, its operations, each a list of instructions. */
export type Program = readonly (readonly (readonly Instruction[])[])[];

const cell = fc.nat(2);
const value = fc.nat(2);
const lock = fc.nat(1);
const instruction: fc.Arbitrary<Instruction> = fc.oneof(
  fc.record({ kind: fc.constantFrom('load', 'increment', 'skipIf0'), cell }),
  fc.record({ kind: fc.constantFrom('store', 'assertNot', 'compareAndSwap'), cell, value }),
  fc.record({ kind: fc.constantFrom('lock', 'unlock'), lock }),
  fc.record({ kind: fc.constantFrom('wait', 'complete') }),
) as fc.Arbitrary<Instruction>;

/** Programs small enough to enumerate: at most a few thousand schedules. */
export const programs: fc.Arbitrary<Program> = fc.oneof(
  fc.array(fc.array(fc.array(instruction, { maxLength: 2 }), { minLength: 1, maxLength: 2 }), {
    minLength: 2,
    maxLength: 2,
  }),
  fc.array(fc.array(fc.array(instruction, { maxLength: 2 }), { minLength: 1, maxLength: 1 }), {
    minLength: 3,
    maxLength: 3,
  }),
);

/** A fresh world with the program loaded. */
export function build(program: Program): System {
  const machine = new Machine();
  const cells = [0, 1, 2].map((index) => new Cell(machine, `cell${index}`));
  const locks = [0, 1].map((index) => new Mutex(machine, `lock${index}`));
  const completion = new Completion(machine, 'done');
  const at = <T>(list: readonly T[], index: number): T => list[index] as T;

  function* task(list: readonly Instruction[]): Task {
    for (let index = 0; index < list.length; index++) {
      const each = at(list, index);
      switch (each.kind) {
        case 'load':
          yield* at(cells, each.cell).load();
          break;
        case 'skipIf0':
          if ((yield* at(cells, each.cell).load()) === 0) index++;
          break;
        case 'increment': {
          const before = yield* at(cells, each.cell).load();
          yield* at(cells, each.cell).store(before + 1);
          break;
        }
        case 'store':
          yield* at(cells, each.cell).store(each.value);
          break;
        case 'compareAndSwap':
          yield* at(cells, each.cell).cmpxchg(0, each.value);
          break;
        case 'assertNot':
          yield* effect(`assert cell${each.cell} is not ${each.value}`, () => {
            if (at(cells, each.cell).value !== each.value || each.value === 0) return;
            machine.fail({ monitor: 'test', rule: 'assertion', message: 'It is.', data: { kind: `cell${each.cell}` } });
          });
          break;
        case 'lock':
          yield* at(locks, each.lock).lock();
          break;
        case 'unlock':
          yield* at(locks, each.lock).unlock();
          break;
        case 'wait':
          yield* completion.wait();
          break;
        case 'complete':
          yield* completion.complete();
          break;
        default:
          each satisfies never;
      }
    }
  }
  const agents = program.map((operations, index) =>
    agent(
      `agent${index}`,
      operations.map((list) => () => task(list)),
    ),
  );
  return { machine, agents };
}
