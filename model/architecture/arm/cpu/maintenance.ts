import type { TlbInvalidation } from '../commands/invalidation.ts';
import { PAGE_BYTES } from '../universe.ts';

/**
 * TLB maintenance instructions of the EL1&0 regime (Arm ARM D8.17.5), by what they cover. The VMID is the one that
 * VTTBR_EL2 has when the instruction is executed; 0 (the default) is that of the host, or of a system without stage 2.
 */
export type TlbMaintenance =
  /** An address under an ASID, at every level or at the last: also global entries of the last level. */
  | { readonly kind: 'VAE1' | 'VALE1'; readonly vmid?: number; readonly asid: number; readonly va: number }
  /** An address under any ASID. */
  | { readonly kind: 'VAAE1' | 'VAALE1'; readonly vmid?: number; readonly va: number }
  /** Everything under an ASID but global entries. */
  | { readonly kind: 'ASIDE1'; readonly vmid?: number; readonly asid: number }
  /** All that has information of stage 1 under a VMID. */
  | { readonly kind: 'VMALLE1'; readonly vmid?: number }
  /** Everything under a VMID, of both stages. */
  | { readonly kind: 'VMALLS12E1'; readonly vmid: number }
  /** Everything. */
  | { readonly kind: 'ALLE1' }
  /** An intermediate physical address, at every level or at the last: entries of stage 2 alone (D8.17 R_VZZVZ). */
  | { readonly kind: 'IPAS2E1' | 'IPAS2LE1'; readonly vmid: number; readonly ipa: number };

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
const EVERYTHING: TlbInvalidation = { ...ALL, of: 'both stages', vmid: -1 };

/** What the instructions cover that do not name an address, without VMID and ASID. */
const BY_TAG = { VMALLE1: ALL, VMALLS12E1: { ...ALL, of: 'both stages' }, ASIDE1: ALL } as const;

/** The same of those that name an address, without that. */
const ONE: TlbInvalidation = { ...ALL, byAddress: true, pages: 1 };
const BY_ADDRESS = {
  VAE1: ONE,
  VALE1: { ...ONE, leaf: true },
  VAAE1: ONE,
  VAALE1: { ...ONE, leaf: true },
  IPAS2E1: { ...ONE, of: 'stage 2' },
  IPAS2LE1: { ...ONE, of: 'stage 2', leaf: true },
} as const;

/**
 * What an instruction covers, in the terms of the commands of the SMMU. A broadcast that is to reach SMMUs too (DVM) is
 * this same invalidation, given to theirs. Equal instructions give the same object.
 */
export function invalidationOf(maintenance: TlbMaintenance): TlbInvalidation {
  switch (maintenance.kind) {
    case 'ALLE1':
      return EVERYTHING;
    case 'VMALLE1':
    case 'VMALLS12E1':
      return intern(BY_TAG[maintenance.kind], maintenance.vmid ?? 0, -1, 0);
    case 'ASIDE1':
      return intern(BY_TAG.ASIDE1, maintenance.vmid ?? 0, maintenance.asid, 0);
    case 'VAE1':
    case 'VALE1':
      return intern(BY_ADDRESS[maintenance.kind], maintenance.vmid ?? 0, maintenance.asid, maintenance.va);
    case 'VAAE1':
    case 'VAALE1':
      return intern(BY_ADDRESS[maintenance.kind], maintenance.vmid ?? 0, -1, maintenance.va);
    case 'IPAS2E1':
    case 'IPAS2LE1':
      return intern(BY_ADDRESS[maintenance.kind], maintenance.vmid, -1, maintenance.ipa);
  }
}

/** Every invalidation that has come up: by what it covers, by VMID and ASID, and by page. */
const interned = new Map<TlbInvalidation, Map<number, Map<number, TlbInvalidation>>>();

function intern(scope: TlbInvalidation, vmid: number, asid: number, address: number): TlbInvalidation {
  const byPage = mapAt(mapAt(interned, scope), vmid * 2 ** 17 + asid);
  const page = Math.floor(address / PAGE_BYTES);
  let invalidation = byPage.get(page);
  if (invalidation === undefined) {
    invalidation = { ...scope, vmid, asid, page };
    byPage.set(page, invalidation);
  }
  return invalidation;
}

function mapAt<Key, Inner, Value>(maps: Map<Key, Map<Inner, Value>>, key: Key): Map<Inner, Value> {
  let map = maps.get(key);
  if (map === undefined) {
    map = new Map();
    maps.set(key, map);
  }
  return map;
}
