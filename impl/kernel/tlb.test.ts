import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { COMMAND_TLBI, decode } from '../../model/architecture/arm/layout/index.ts';
import type { TlbRange } from './tlb.ts';
import { TestWorld } from './test-support.ts';

const PAGE = 0x1000;
const { tlb } = new TestWorld().kernel;
const { tlb: plain } = new TestWorld({ rangeInvalidation: false }).kernel;

/** The bytes that the commands cover, as [start, end) in order. */
function covered(range: TlbRange): [number, number][] {
  return tlb.arm_smmu_tlb_inv_range(5, range).map(({ lanes }) => {
    const { Num, Scale, Address } = decode(COMMAND_TLBI, lanes);
    return [Address, Address + (Num + 1) * 2 ** Scale * PAGE];
  });
}

describe('arm_smmu_tlb_inv_range', () => {
  it('covers a range of leaves exactly, without a gap', () => {
    fc.assert(
      fc.property(fc.nat(1 << 20), fc.integer({ min: 1, max: 1 << 20 }), (first, pages) => {
        const range = { iova: first * PAGE, size: pages * PAGE, granule: PAGE, leaf: true };
        let end = range.iova;
        for (const [from, to] of covered(range)) {
          expect(from).toBe(end);
          end = to;
        }
        expect(end).toBe(range.iova + range.size);
      }),
    );
  });

  it('covers a range with tables by at most one page more, and never by the reserved command', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5000 }), (pages) => {
        const range = { iova: 0, size: pages * PAGE, granule: PAGE, leaf: false };
        const last = covered(range).at(-1);
        expect(last?.[1]).toBeGreaterThanOrEqual(range.size);
        expect(last?.[1]).toBeLessThanOrEqual(range.size + PAGE);
        for (const { lanes } of tlb.arm_smmu_tlb_inv_range(5, range)) {
          const { Num, Scale, TTL, TG } = decode(COMMAND_TLBI, lanes);
          expect([TG, TTL]).toEqual([1, 0]);
          expect(Num + Scale).toBeGreaterThan(0);
        }
      }),
    );
  });

  it('without range invalidation covers each page, up to where the ASID is flushed', () => {
    const range = { iova: PAGE, size: 3 * PAGE, granule: PAGE, leaf: true };
    const addresses = plain.arm_smmu_tlb_inv_range(5, range).map(({ lanes }) => decode(COMMAND_TLBI, lanes).Address);
    expect(addresses).toEqual([PAGE, 2 * PAGE, 3 * PAGE]);
    expect(plain.arm_smmu_tlb_inv_range(5, { ...range, size: 512 * PAGE }).map(({ label }) => label)).toEqual([
      'CMD_TLBI_NH_ASID ASID 5',
    ]);
  });
});
