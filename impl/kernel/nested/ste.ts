import { encode, patch, read, STE, STE_CONFIG, EATS, S1_FORMAT } from '../../../model/architecture/arm/layout/index.ts';
import type { Entry } from '../config-entry.ts';
import type { EntryChange } from '../config-writer.ts';
import type { NestedKernel } from './kernel.ts';
import type { Device, NestedDomain, PagingDomain } from './objects.ts';

const USE_INCOMING = 1;
const WRITE_BACK = 1;
const INNER_SHAREABLE = 3;
const GRANULE_4K = 0;
/** `S2PS` for 48 bits of output address. */
const OAS_48 = 5;
const { fields } = STE;

/** What a guest may say in word 0 of its entry (`STRTAB_STE_0_NESTING_ALLOWED`). */
const ALLOWED_0 = encode(STE, { V: 1, Config: 7, S1Fmt: 3, S1ContextPtr: 2 ** 56 - 64, S1CDMax: 31 });
/** What a guest may say in word 1 (`STRTAB_STE_1_NESTING_ALLOWED`). */
const ALLOWED_1 = encode(STE, { S1DSS: 3, S1CIR: 3, S1COR: 3, S1CSH: 3, S1STALLD: 1, EATS: 3 });

/** Lanes of words 0 and 1 of a guest's stream table entry. */
export type VirtualSte = readonly [number, number, number, number];

/** What a guest's entry asks for: see `arm_smmu_validate_vste`. */
export type VirtualConfig = 'abort' | 'bypass' | 'stage 1';

/** The stream table entries of everything that a device may be attached to. */
export class StreamTableEntries {
  protected readonly kernel: NestedKernel;

  constructor(kernel: NestedKernel) {
    this.kernel = kernel;
  }

  /** `arm_smmu_make_abort_ste()`. */
  abort(): EntryChange {
    const lanes = encode(STE, { V: 1, Config: STE_CONFIG.ABORT });
    return { what: 'abort', target: () => lanes };
  }

  /** `arm_smmu_make_bypass_ste()`. */
  bypass(): EntryChange {
    const lanes = encode(STE, { V: 1, Config: STE_CONFIG.BYPASS, SHCFG: USE_INCOMING });
    return { what: 'bypass', target: () => lanes };
  }

  /** `arm_smmu_make_cdtable_ste()`: the device translates by its own table of context descriptors. */
  cdTable(device: Device, ats: boolean): EntryChange {
    const base = this.kernel.configWriter.stage1Ste(device.master);
    const target = (): Entry => patch(STE, base.target([]), { EATS: ats ? EATS.FULL : EATS.NONE });
    return { what: named('stage 1', ats), target };
  }

  /** `arm_smmu_make_s2_domain_ste()`. */
  stage2(domain: PagingDomain, ats: boolean): EntryChange {
    const target = (): Entry => this.stage2Lanes(domain, STE_CONFIG.STAGE2, ats);
    return { what: named(`stage 2 of ${domain.name}`, ats), target };
  }

  /**
   * `arm_smmu_make_nested_domain_ste()`: stage 2 of the parent below what the guest said of stage 1. A guest that says
   * "bypass" gets stage 2 alone.
   */
  nested(nested: NestedDomain, parent: PagingDomain, ats: boolean): EntryChange {
    const target = (): Entry => {
      const vste = this.copied(nested);
      switch (read(fields.Config, vste)) {
        case STE_CONFIG.STAGE1:
          return this.overParent(vste, this.stage2Lanes(parent, STE_CONFIG.NESTED, ats));
        case STE_CONFIG.BYPASS:
          return this.stage2Lanes(parent, STE_CONFIG.STAGE2, ats);
        default:
          return encode(STE, { V: 1, Config: STE_CONFIG.ABORT });
      }
    };
    return { what: named(`nested on ${parent.name}`, ats), target };
  }

  /**
   * `arm_smmu_validate_vste()`: what a guest's entry asks for, undefined if it is none that a guest may have. An entry
   * without V is one that aborts.
   */
  arm_smmu_validate_vste(vste: VirtualSte): VirtualConfig | undefined {
    if (read(fields.V, vste) === 0) return 'abort';
    const allowed = [ALLOWED_0[0], ALLOWED_0[1], ALLOWED_1[2], ALLOWED_1[3]] as VirtualSte;
    if (vste.some((lane, at) => (lane & ~(allowed[at] as number)) !== 0)) return undefined;
    if (![EATS.NONE, EATS.FULL].some((eats) => eats === read(fields.EATS, vste))) return undefined;
    switch (read(fields.Config, vste)) {
      case STE_CONFIG.ABORT:
        return 'abort';
      case STE_CONFIG.BYPASS:
        return 'bypass';
      case STE_CONFIG.STAGE1:
        return 'stage 1';
      default:
        return undefined;
    }
  }

  /** The words that the hypervisor has copied from the guest, and validated. Inside a step. */
  protected copied(nested: NestedDomain): VirtualSte {
    return nested.ste.map((lane) => lane.value) as unknown as VirtualSte;
  }

  /** The parent's entry with the guest's stage 1 in it, `Config` and `EATS` apart. */
  protected overParent(vste: VirtualSte, parent: Entry): Entry {
    const guest = patch(STE, [...vste, ...Array.from({ length: 12 }, () => 0)], { Config: 0, EATS: 0 });
    return parent.map((lane, at) => lane | (guest[at] as number));
  }

  protected stage2Lanes(domain: PagingDomain, config: number, ats: boolean): Entry {
    const { ipaBits } = this.kernel.nesting;
    return encode(STE, {
      V: 1,
      Config: config,
      SHCFG: USE_INCOMING,
      EATS: ats ? EATS.FULL : EATS.NONE,
      S2VMID: domain.vmid.value,
      S2T0SZ: 64 - ipaBits,
      S2SL0: 2 - this.kernel.stage2.startLevel,
      S2IR0: WRITE_BACK,
      S2OR0: WRITE_BACK,
      S2SH0: INNER_SHAREABLE,
      S2TG: GRANULE_4K,
      S2PS: OAS_48,
      S2AA64: 1,
      S2PTW: 1,
      S2R: 1,
      S2TTB: domain.pgd.value >>> 0,
    });
  }
}

/** Lanes of the entry that a guest writes for one of its devices. */
export function virtualSte(config: VirtualConfig, contextPointer: number, ats: boolean): VirtualSte {
  const stage1 = {
    Config: STE_CONFIG.STAGE1,
    S1Fmt: S1_FORMAT.LINEAR,
    S1ContextPtr: contextPointer,
    S1CIR: WRITE_BACK,
    S1COR: WRITE_BACK,
    S1CSH: INNER_SHAREABLE,
    EATS: ats ? EATS.FULL : EATS.NONE,
  };
  const by = config === 'stage 1' ? stage1 : { Config: config === 'bypass' ? STE_CONFIG.BYPASS : STE_CONFIG.ABORT };
  return encode(STE, { V: 1, ...by }).slice(0, 4) as unknown as VirtualSte;
}

function named(what: string, ats: boolean): string {
  return ats ? `${what}, ATS` : what;
}
