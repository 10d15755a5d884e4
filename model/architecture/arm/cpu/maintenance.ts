import type { TlbInvalidation } from '../commands/invalidation.ts';
import { PAGE_BYTES } from '../universe.ts';

/** TLB maintenance instructions of the EL1&0 regime without stage 2 (Arm ARM D8.17.5), by what they cover. */
export type TlbMaintenance =
  /** Last-level entries of an address under an ASID. */
  | { readonly kind: 'VALE1'; readonly asid: number; readonly va: number }
  /** Everything under an ASID but global entries. */
  | { readonly kind: 'ASIDE1'; readonly asid: number }
  /** Everything. */
  | { readonly kind: 'VMALLE1' };

const ALL: TlbInvalidation = {
  kind: 'tlb',
  vmid: 0,
  asid: -1,
  byAddress: false,
  page: 0,
  pages: 0,
  leaf: false,
  granule: 0,
  level: 0,
};

/**
 * What an instruction covers, in the terms of the commands of the SMMU. A broadcast that is to reach SMMUs too (DVM) is
 * this same invalidation, given to theirs.
 */
export function invalidationOf(maintenance: TlbMaintenance): TlbInvalidation {
  switch (maintenance.kind) {
    case 'VMALLE1':
      return ALL;
    case 'ASIDE1':
      return { ...ALL, asid: maintenance.asid };
    case 'VALE1': {
      const page = Math.floor(maintenance.va / PAGE_BYTES);
      return { ...ALL, asid: maintenance.asid, byAddress: true, page, pages: 1, leaf: true };
    }
  }
}
