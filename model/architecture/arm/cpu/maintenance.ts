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

/** Every invalidation that has come up, by what tells it from others. */
const interned = new Map<string, TlbInvalidation>([['ALLE1', EVERYTHING]]);
/** Those of VMALLE1, by VMID: the one that has to be found quickly. */
const vmall: TlbInvalidation[] = [ALL];

/**
 * What an instruction covers, in the terms of the commands of the SMMU. A broadcast that is to reach SMMUs too (DVM) is
 * this same invalidation, given to theirs. Equal instructions give the same object.
 */
export function invalidationOf(maintenance: TlbMaintenance): TlbInvalidation {
  switch (maintenance.kind) {
    case 'ALLE1':
      return EVERYTHING;
    case 'VMALLE1': {
      const { vmid = 0 } = maintenance;
      return (vmall[vmid] ??= { ...ALL, vmid });
    }
    case 'VMALLS12E1': {
      const { kind, vmid } = maintenance;
      return intern(`${kind} ${vmid}`, { ...ALL, of: 'both stages', vmid });
    }
    case 'ASIDE1': {
      const { kind, vmid = 0, asid } = maintenance;
      return intern(`${kind} ${vmid} ${asid}`, { ...ALL, vmid, asid });
    }
    case 'IPAS2E1':
    case 'IPAS2LE1': {
      const { kind, vmid, ipa } = maintenance;
      const by: TlbInvalidation = { ...ALL, of: 'stage 2', vmid, ...atAddress(ipa), leaf: kind === 'IPAS2LE1' };
      return intern(`${kind} ${vmid} ${ipa}`, by);
    }
    case 'VAE1':
    case 'VALE1': {
      const { kind, vmid = 0, asid, va } = maintenance;
      return intern(`${kind} ${vmid} ${asid} ${va}`, { ...ALL, vmid, asid, ...atAddress(va), leaf: kind === 'VALE1' });
    }
    case 'VAAE1':
    case 'VAALE1': {
      const { kind, vmid = 0, va } = maintenance;
      return intern(`${kind} ${vmid} ${va}`, { ...ALL, vmid, ...atAddress(va), leaf: kind === 'VAALE1' });
    }
  }
}

function intern(key: string, invalidation: TlbInvalidation): TlbInvalidation {
  const known = interned.get(key);
  if (known !== undefined) return known;
  interned.set(key, invalidation);
  return invalidation;
}

function atAddress(address: number): Pick<TlbInvalidation, 'byAddress' | 'page' | 'pages'> {
  return { byAddress: true, page: Math.floor(address / PAGE_BYTES), pages: 1 };
}
