import { describe, expect, test } from 'vitest';
import { ASID_BUGS, COMMON_BUGS } from '../../model/allocators/bugs.ts';
import { isSame, reach, splits, upToRenaming, type Reached } from '../differential/reach.ts';
import { kernelSystem, modelSystem, type SmallOperation, type SmallProgram } from './against-model.ts';
import { ROLLOVER_HAZARDS } from './hazards/index.ts';

/** Every program of so many switches, up to the names of processes. */
function* switches(length: number, cpus: number, asids: number, takens: readonly number[]): Generator<SmallProgram> {
  for (const names of upToRenaming(length, 4)) {
    const operations = names.map((mm) => ({ op: 'switch' as const, mm }));
    for (const split of splits(operations, cpus))
      for (const taken of takens) yield { cpus: split, mms: 4, asids, taken };
  }
}

/** The same with one operation or more about devices: each process is pinned once, by the CPU that unpins it. */
function* withPins(length: number, cpus: number, asids: number): Generator<SmallProgram> {
  for (const names of upToRenaming(length, 4))
    for (const operations of kindsOf(names))
      for (const split of splits(operations, cpus))
        if (split.every(isPaired)) yield { cpus: split, mms: 4, asids, taken: asids - 1 };
}

function* kindsOf(names: readonly number[], before: readonly SmallOperation[] = []): Generator<SmallOperation[]> {
  const mm = names[before.length];
  if (mm === undefined) {
    if (before.some(({ op }) => op === 'pin')) yield [...before];
    return;
  }
  const has = (op: SmallOperation['op']): boolean => before.some((each) => each.op === op && each.mm === mm);
  yield* kindsOf(names, [...before, { op: 'switch', mm }]);
  if (!has('pin')) yield* kindsOf(names, [...before, { op: 'pin', mm }]);
  else if (!has('unpin')) yield* kindsOf(names, [...before, { op: 'unpin', mm }]);
}

function isPaired(operations: readonly SmallOperation[]): boolean {
  return operations.every(
    ({ op, mm }, at) => op !== 'unpin' || operations.slice(0, at).some((each) => each.op === 'pin' && each.mm === mm),
  );
}

function generationsOf({ assignments }: Reached): number {
  return Math.max(...[...assignments].flatMap((one) => [...one.matchAll(/g(\d)/g)].map(([, g]) => Number(g))));
}

describe('the kernel reaches what the model reaches, and nothing else', () => {
  test.each([
    ['5 switches on 2 CPUs, 3 ASIDs', () => switches(5, 2, 3, [3]), 306, 3],
    ['3 switches on 3 CPUs, 4 ASIDs', () => switches(3, 3, 4, [4]), 50, 2],
    ['4 operations with pins on 1 CPU, 3 ASIDs', () => withPins(4, 1, 3), 212, 2],
    ['3 operations with pins on 2 CPUs, 4 ASIDs', () => withPins(3, 2, 4), 124, 2],
  ] as const)('%s', (_name, programs, count, generations) => {
    const all = [...programs()];
    let latest = 0;
    for (const program of all) {
      const kernel = reach(kernelSystem(program));
      const model = reach(modelSystem(program));
      expect({ program, ...kernel, states: 0 }).toEqual({ program, ...model, states: 0 });
      latest = Math.max(latest, generationsOf(kernel));
    }
    expect(all).toHaveLength(count);
    expect(latest).toBeGreaterThanOrEqual(generations);
  });
});

describe('a mistake that both know makes the same of both', () => {
  test.each([
    ['reserved-once', 'asid-suspended-animation'],
    ['reserved-not-marked', 'rollover-reserved-not-taken'],
    ['one-copy-renewed', 'rollover-reserved-first-copy'],
    ['roll-over-not-seen', 'rollover-fastpath-ignores-zero'],
    ['pinned-not-kept', 'rollover-ignores-pinned'],
  ])('%s, %s', (bug, hazard) => {
    const routines = [...COMMON_BUGS, ...ASID_BUGS].find(({ name }) => name === bug)?.routines;
    const context = ROLLOVER_HAZARDS.find(({ id }) => id === hazard)?.parts.context;
    const programs = bug.startsWith('pinned') ? withPins(4, 1, 3) : switches(4, 2, 3, [1, 2, 3]);
    let differs = 0;
    for (const program of programs) {
      const kernel = reach(kernelSystem(program, context));
      const model = reach(modelSystem(program, routines));
      expect({ program, ...kernel, states: 0, rules: 0 }).toEqual({ program, ...model, states: 0, rules: 0 });
      if (!isSame(kernel.ends, reach(kernelSystem(program)).ends)) differs++;
    }
    expect(differs).toBeGreaterThan(0);
  });
});
