import { describe, expect, test } from 'vitest';
import { COMMON_BUGS, VMID_BUGS } from '../../model/allocators/bugs.ts';
import { VMID_HAZARDS } from '../vmid/hazards/index.ts';
import { isSame, reach, splits, upToRenaming } from './reach.ts';
import { kvmSystem, vmidModelSystem, type VmidOperation, type VmidProgram } from './vmids.ts';

/** Every program of so many entries of guests and puts, up to the names of virtual machines. */
function* programs(length: number, cpus: number, vmids: number, takens: readonly number[]): Generator<VmidProgram> {
  for (const names of upToRenaming(length, 4))
    for (const operations of withPuts(names))
      for (const split of splits(operations, cpus))
        for (const taken of takens) yield { cpus: split, vms: 4, vmids, taken };
}

/** The last name, if it is not the only one, stands for a put as well. */
function* withPuts(names: readonly number[]): Generator<VmidOperation[]> {
  yield names.map((vm) => ({ op: 'run', vm }));
  const last = Math.max(...names);
  if (last > 0) yield names.map((vm): VmidOperation => (vm === last ? { op: 'put' } : { op: 'run', vm }));
}

describe('KVM reaches what the model reaches, and nothing else', () => {
  test.each([
    ['4 operations on 2 CPUs, 3 VMIDs', () => programs(4, 2, 3, [1, 3]), 'g3'],
    ['3 operations on 3 CPUs, 4 VMIDs', () => programs(3, 3, 4, [4]), 'g2'],
  ] as const)('%s', (_name, all, generation) => {
    let rolledOver = false;
    for (const program of all()) {
      const kernel = reach(kvmSystem(program));
      expect({ program, ...kernel, states: 0 }).toEqual({ program, ...reach(vmidModelSystem(program)), states: 0 });
      rolledOver ||= [...kernel.assignments].some((one) => one.includes(generation));
    }
    expect(rolledOver).toBe(true);
  });
});

describe('a mistake that both know makes the same of both', () => {
  test.each([
    ['reserved-once', 'vmid-reserved-once'],
    ['reserved-not-marked', 'vmid-reserved-not-taken'],
    ['one-copy-renewed', 'vmid-reserved-first-copy'],
    ['roll-over-not-seen', 'vmid-fastpath-ignores-zero'],
    ['zero-at-put', 'vmid-put-clears-to-zero'],
    ['active-kept-at-put', 'vmid-put-keeps-active'],
  ])('%s, %s', (bug, hazard) => {
    const routines = [...COMMON_BUGS, ...VMID_BUGS].find(({ name }) => name === bug)?.routines;
    const vmid = VMID_HAZARDS.find(({ id }) => id === hazard)?.parts.vmid;
    let differs = 0;
    for (const program of programs(4, 2, 3, [2, 3])) {
      const kernel = reach(kvmSystem(program, vmid));
      const model = reach(vmidModelSystem(program, routines));
      expect({ program, ...kernel, states: 0, rules: 0 }).toEqual({ program, ...model, states: 0, rules: 0 });
      if (!isSame(kernel.ends, reach(kvmSystem(program)).ends)) differs++;
    }
    expect(differs).toBeGreaterThan(0);
  });
});
