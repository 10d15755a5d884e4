import { describe, expect, test } from 'vitest';
import { coversTlb, type TlbTarget } from '../commands/invalidation.ts';
import { invalidationOf, type TlbMaintenance } from './maintenance.ts';

const PAGE = 5;
const VA = PAGE * 4096;
const LEAF: TlbTarget = {
  stage: 1,
  vmid: 2,
  asid: 3,
  page: PAGE,
  pages: 1,
  sourcePage: PAGE,
  granule: 12,
  level: 3,
  leaf: true,
};
const SPACE = { pages: 512, page: 0, sourcePage: 0, level: 2, leaf: false };
/** One of each kind, all for the address, VMID 2 and ASID 3. */
const TARGETS = {
  leaf: LEAF,
  table: { ...LEAF, ...SPACE },
  global: { ...LEAF, asid: -1 },
  otherPage: { ...LEAF, page: 6, sourcePage: 6 },
  otherAsid: { ...LEAF, asid: 4 },
  otherVm: { ...LEAF, vmid: 1 },
  stage2Leaf: { ...LEAF, stage: 2, asid: -1 },
  stage2Table: { ...LEAF, ...SPACE, stage: 2, asid: -1 },
  otherVmStage2: { ...LEAF, stage: 2, vmid: 1, asid: -1 },
} as const;

const vmid = 2;
const asid = 3;
const ROWS: readonly (readonly [TlbMaintenance, readonly (keyof typeof TARGETS)[]])[] = [
  [{ kind: 'VAE1', vmid, asid, va: VA }, ['leaf', 'table', 'global']],
  [{ kind: 'VALE1', vmid, asid, va: VA }, ['leaf', 'global']],
  [{ kind: 'VAAE1', vmid, va: VA }, ['leaf', 'table', 'global', 'otherAsid']],
  [{ kind: 'VAALE1', vmid, va: VA }, ['leaf', 'global', 'otherAsid']],
  [{ kind: 'ASIDE1', vmid, asid }, ['leaf', 'table', 'otherPage']],
  [{ kind: 'VMALLE1', vmid }, ['leaf', 'table', 'global', 'otherPage', 'otherAsid']],
  [{ kind: 'VMALLS12E1', vmid }, ['leaf', 'table', 'global', 'otherPage', 'otherAsid', 'stage2Leaf', 'stage2Table']],
  [{ kind: 'ALLE1' }, Object.keys(TARGETS) as (keyof typeof TARGETS)[]],
  [{ kind: 'IPAS2E1', vmid, ipa: VA }, ['stage2Leaf', 'stage2Table']],
  [{ kind: 'IPAS2LE1', vmid, ipa: VA }, ['stage2Leaf']],
];

describe.each(ROWS)('%o', (maintenance, covered) => {
  test.each(Object.entries(TARGETS))('%s', (name, target) => {
    expect(coversTlb(invalidationOf(maintenance), target)).toBe(covered.some((one) => one === name));
  });

  test('is one object', () => {
    expect(invalidationOf({ ...maintenance })).toBe(invalidationOf(maintenance));
  });
});

test('without a VMID they are for the host', () => {
  expect(invalidationOf({ kind: 'VMALLE1' }).vmid).toBe(0);
  expect(invalidationOf({ kind: 'ASIDE1', asid })).toBe(invalidationOf({ kind: 'ASIDE1', vmid: 0, asid }));
});
