import { expect, test } from 'vitest';
import { Arm64Context, Arm64Pgtable, Arm64Sched, Arm64Tlbflush } from '../../impl/kernel/arm64/index.ts';
import { testFamily } from '../testing/laws.ts';
import { PLAIN, rolloverConfiguration, rolloverOperation } from './configuration.ts';
import { ROLLOVER_HAZARDS } from './hazards/index.ts';
import { rollover } from './index.ts';

testFamily(rollover);

test.each(ROLLOVER_HAZARDS.map((hazard) => [hazard.id, hazard] as const))('%s replaces one part', (_id, hazard) => {
  const { context, tlbflush, pgtable, sched } = hazard.parts;
  expect([context, tlbflush, pgtable, sched].filter((part) => part !== undefined)).toHaveLength(1);
  if (context !== undefined) expect(context.prototype).toBeInstanceOf(Arm64Context);
  if (tlbflush !== undefined) expect(tlbflush.prototype).toBeInstanceOf(Arm64Tlbflush);
  if (pgtable !== undefined) expect(pgtable.prototype).toBeInstanceOf(Arm64Pgtable);
  if (sched !== undefined) expect(sched.prototype).toBeInstanceOf(Arm64Sched);
});

test.each([
  [{ asids: 2 }, '"asids" is more than "cpus", or a roll-over would leave none free'],
  [{ taken: 4 }, '"taken" is at most "asids"'],
  [{ weak: 3 }, '"weak" is 0 to 2'],
])('a machine with %j is refused', (wrong, why) => {
  expect(() => rolloverConfiguration({ ...PLAIN, ...wrong })).toThrow(why);
});

test.each([
  [{ op: 'clone', mm: 0 }, 'family rollover has no operation "clone"'],
  [{ op: 'switch', mm: 9 }, 'operation switch: "mm" must be a process'],
  [{ op: 'unmap', mm: 0, page: 2 }, 'operation unmap: "page" must be a page'],
])('the operation %j is refused', (wrong, why) => {
  expect(() => rolloverOperation(wrong)).toThrow(why);
});
