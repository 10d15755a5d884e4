import fc from 'fast-check';
import { Cell } from '../cell.ts';
import { Machine } from '../machine.ts';
import { forget, step, type Step, type Task } from '../step.ts';
import type { System } from '../system.ts';
import { agent, effect } from './world.ts';

/** One instruction of a program with loops, over three cells; values are 0 … 2, so that the states are finitely many. */
export interface LoopInstruction {
  /** `intern` writes a cell of a list that grows: the first step that needs a place in it makes one; `sum` reads the list. */
  readonly kind: 'load' | 'rotate' | 'skipIf0' | 'back' | 'store' | 'assertNot' | 'spin' | 'intern' | 'sum';
  readonly cell: number;
  readonly value: number;
}

/** For each agent, its instructions; `forever`: over and over again. */
export type LoopProgram = readonly {
  readonly list: readonly LoopInstruction[];
  readonly forever: boolean;
}[];

const instruction: fc.Arbitrary<LoopInstruction> = fc.record({
  kind: fc.constantFrom('load', 'rotate', 'skipIf0', 'back', 'store', 'assertNot', 'spin', 'intern', 'sum'),
  cell: fc.nat(2),
  value: fc.nat(2),
});

/** Programs whose schedules cannot be enumerated, since some have no end; of up to some thousand states. */
export const loopPrograms: fc.Arbitrary<LoopProgram> = fc.array(
  fc.record({ list: fc.array(instruction, { minLength: 1, maxLength: 4, size: 'max' }), forever: fc.boolean() }),
  { minLength: 2, maxLength: 4, size: 'max' },
);

/** Cells that the list of things can have. */
const THINGS_MAX = 3;

/**
 * A fresh world with the program loaded.
 *
 * @param checked with a check after each step that reads a cell which nearly every step writes: nothing commutes then that
 *   does not commute for the check.
 */
export function buildLoops(program: LoopProgram, options: { checked?: boolean; memoise?: boolean } = {}): System {
  const { checked = false, memoise = checked } = options;
  const machine = new Machine();
  const { store } = machine;
  const cells = [0, 1, 2].map((index) => new Cell(machine, `cell${index}`));
  const things = store.reserve(THINGS_MAX, 'things');
  const places: number[] = [];
  const at = (index: number): Cell => cells[index] as Cell;
  const fail = (rule: string): void => machine.fail({ monitor: 'test', rule, message: 'It is.' });

  const placeOf = (name: number): number => {
    const known = places.indexOf(name);
    if (known >= 0) return things + known;
    store.epoch++;
    return things + places.push(name) - 1;
  };
  const single = (each: LoopInstruction): Step => {
    if (each.kind === 'intern')
      return effect(`intern ${each.value}`, () => {
        const place = placeOf(each.value);
        store.set(place, store.get(place) === 2 ? 1 : 2);
      });
    if (each.kind === 'sum')
      return step('sum', () => places.reduce((sum, _, index) => sum + store.get(things + index), 0) > each.value);
    const target = at(each.cell);
    if (each.kind === 'load' || each.kind === 'skipIf0' || each.kind === 'back') return target.load();
    if (each.kind === 'store') return target.store(each.value);
    if (each.kind === 'rotate') return effect('rotate', () => (target.value = (target.value + 1) % 3));
    return effect('assert', () => {
      if (target.value === each.value && each.value !== 0) fail(`cell${each.cell}`);
    });
  };
  function* task({ list, forever }: LoopProgram[number]): Task {
    for (let index = 0; index < list.length; index = forever ? (index + 1) % list.length : index + 1) {
      const each = list[index] as LoopInstruction;
      if (each.kind === 'spin')
        for (;;) {
          yield* forget(`spin ${index}`);
          if ((yield* at(each.cell).load()) === each.value) break;
        }
      else {
        if (index === 0) yield* forget('first');
        const result = yield* single(each);
        if (each.kind === 'skipIf0' && result === 0) index++;
        else if (each.kind === 'back' && result === 1) index = -1;
      }
    }
  }
  const agents = program.map((each, index) => agent(`agent${index}`, [() => task(each)]));
  const check = (): void => {
    if (at(0).value === 2 && at(1).value === 2) fail('both');
  };
  return { machine, agents, memoise, ...(checked ? { check } : {}) };
}
