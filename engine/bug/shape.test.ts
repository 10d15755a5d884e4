import { expect, test } from 'vitest';
import { operationShape, stepShape } from './shape.ts';

test.each([
  ['CMD_TLBI_NH_VA ASID 3, 0x1000', 'CMD_TLBI ASID #'],
  ['CMD_TLBI_NH_ASID ASID 1', 'CMD_TLBI ASID #'],
  ['CMD_SYNC', 'CMD_SYNC'],
  ['CD(dev1, 0)[0] := domain0, ASID 1', 'CD(dev#, #)[#] := domain#'],
  ['CD(dev1, 0)[0] := 0', 'CD(dev#, #)[#] := 0'],
  ['PTE(0x1000) := 0', 'PTE(#) := 0'],
  ['PTE(0x1000) := 0x50000000', 'PTE(#) := #'],
  ['domain0.asid := 3, invs ∪= {3}', 'domain#.asid := #'],
  ['cmpxchg L2(0x1000) 0 → table 0x41009000', 'cmpxchg L#(#) # → table #'],
])('the shape of %s', (label, shape) => {
  expect(stepShape(label)).toBe(shape);
});

test('an operation is known by what stands before its arguments', () => {
  expect(operationShape('unmap(domain0, 0x0+2MiB)')).toBe('unmap');
  expect(operationShape('domain_alloc + domain_free')).toBe('domain_alloc + domain_free');
  expect(operationShape('CPU0 drains')).toBe('CPU# drains');
});
