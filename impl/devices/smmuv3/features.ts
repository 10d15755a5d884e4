import { ADDRESS_SIZES_BITS } from '../../../model/architecture/arm/layout/cd.ts';
import type { GranuleBits } from '../../../model/architecture/arm/layout/descriptor.ts';
import { encode } from '../../../model/architecture/arm/layout/layout.ts';
import { IDR0, IDR1, IDR3, IDR5, REGISTER } from '../../../model/architecture/arm/layout/register.ts';

/** What a device offers, as its identification registers state it (IHI 0070 §6.3.1 to §6.3.6). */
export interface DeviceFeatures {
  /** Output address size in bits: 32, 36, 40, 42, 44, 48 or 52. */
  readonly oas: number;
  /** Granules of translation tables, as log2 of bytes. */
  readonly granules: readonly GranuleBits[];
  /** 16-bit ASIDs and VMIDs (else 8). */
  readonly asid16: boolean;
  readonly vmid16: boolean;
  /** Stages implemented (IDR0.S1P, S2P). */
  readonly stage1: boolean;
  readonly stage2: boolean;
  /** PCIe ATS and PRI. */
  readonly ats: boolean;
  readonly pri: boolean;
  /** EL2 StreamWorlds and the commands for them (IDR0.Hyp). */
  readonly hyp: boolean;
  /** Broadcast TLB maintenance is received (IDR0.BTM). */
  readonly btm: boolean;
  /** STE.S2FWB has an effect (IDR3.FWB). */
  readonly fwb: boolean;
  /** Stage 2 tells privileged from unprivileged execution (IDR3.XNX). */
  readonly xnx: boolean;
  /** Range invalidation and level hint (IDR3.RIL). */
  readonly ril: boolean;
  /** Break-before-make level (§3.21.1). */
  readonly bbml: 0 | 1 | 2;
  /** Two-level stream tables and CD tables. */
  readonly stLevel: boolean;
  readonly cd2l: boolean;
  /** Bits of a StreamID (0 to 32) and of a SubstreamID (0 to 20; 0 means none). */
  readonly sidSize: number;
  readonly ssidSize: number;
  /** Hierarchical attribute disable (IDR3.HAD). */
  readonly had: boolean;
  /** Small translation tables: TxSZ up to 48 (IDR3.STT). */
  readonly stt: boolean;
  /** STE.PRIVCFG and INSTCFG have an effect (IDR1.ATTR_PERMS_OVR). */
  readonly permissionOverride: boolean;
  /** IDR0.STALL_MODEL: 0 stall and terminate, 1 terminate only, 2 stall only. */
  readonly stallModel: 0 | 1 | 2;
  /** IDR0.TERM_MODEL: terminated transactions are always aborted, so CD.A must be 1. */
  readonly termModel: boolean;
}

/** log2 of the largest command and event queue (IDR1.CMDQS, EVENTQS). */
export const QUEUE_LOG2_MAX = 19;

/** AIDR of SMMUv3.2, the first version in which range invalidation is mandatory (§6.3.8). */
const AIDR_V3_2 = 2;

/** Values of the identification registers, by offset. */
export function identification(features: DeviceFeatures): Map<number, number> {
  const flag = (value: boolean): number => (value ? 1 : 0);
  const word = (lanes: readonly number[]): number => lanes[0] as number;
  const oas = ADDRESS_SIZES_BITS.findIndex((bits) => bits === features.oas);
  return new Map([
    [
      REGISTER.IDR0,
      word(
        encode(IDR0, {
          S2P: flag(features.stage2),
          S1P: flag(features.stage1),
          TTF: 2,
          COHACC: 1,
          BTM: flag(features.btm),
          HYP: flag(features.hyp),
          ATS: flag(features.ats),
          ASID16: flag(features.asid16),
          PRI: flag(features.pri),
          VMID16: flag(features.vmid16),
          CD2L: flag(features.cd2l),
          TTENDIAN: 2,
          STALL_MODEL: features.stallModel,
          TERM_MODEL: flag(features.termModel),
          ST_LEVEL: flag(features.stLevel),
        }),
      ),
    ],
    [
      REGISTER.IDR1,
      word(
        encode(IDR1, {
          SIDSIZE: features.sidSize,
          SSIDSIZE: features.ssidSize,
          EVENTQS: QUEUE_LOG2_MAX,
          CMDQS: QUEUE_LOG2_MAX,
          ATTR_PERMS_OVR: flag(features.permissionOverride),
        }),
      ),
    ],
    [
      REGISTER.IDR3,
      word(
        encode(IDR3, {
          HAD: flag(features.had),
          XNX: flag(features.xnx),
          FWB: flag(features.fwb),
          STT: flag(features.stt),
          RIL: flag(features.ril),
          BBML: features.bbml,
        }),
      ),
    ],
    [
      REGISTER.IDR5,
      word(
        encode(IDR5, {
          OAS: oas,
          GRAN4K: flag(features.granules.includes(12)),
          GRAN16K: flag(features.granules.includes(14)),
          GRAN64K: flag(features.granules.includes(16)),
        }),
      ),
    ],
    [REGISTER.AIDR, AIDR_V3_2],
  ]);
}
