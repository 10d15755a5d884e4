import { extract, encode } from './layout.ts';
import type { GranuleBits } from './descriptor.ts';
import { ADDRESS_SIZES_BITS } from './cd.ts';
import { IDR0, IDR1, IDR3, IDR5 } from './register.ts';

/** What an implementation offers: the identification registers in plain form (IHI 0070 §6.3.1 to §6.3.6). */
export interface SmmuFeatures {
  /** Output address size in bits: 32, 36, 40, 42, 44, 48 or 52. */
  readonly oas: number;
  /** Granules supported, as log2 of bytes. */
  readonly granules: readonly GranuleBits[];
  /** 16-bit ASIDs (else 8). */
  readonly asid16: boolean;
  /** 16-bit VMIDs (else 8). */
  readonly vmid16: boolean;
  /** Stage 1 is implemented (IDR0.S1P). */
  readonly stage1: boolean;
  /** Stage 2 is implemented (IDR0.S2P), so that stage-1-only entries carry a VMID too (§3.17). */
  readonly stage2: boolean;
  /** PCIe Address Translation Services (IDR0.ATS). */
  readonly ats: boolean;
  /** PCIe page requests (IDR0.PRI). */
  readonly pri: boolean;
  /** EL2 StreamWorlds and their commands (IDR0.Hyp). */
  readonly hyp: boolean;
  /** Broadcast TLB maintenance is received (IDR0.BTM). */
  readonly btm: boolean;
  /** STE.S2FWB has an effect (IDR3.FWB). */
  readonly fwb: boolean;
  /** Stage 2 tells privileged from unprivileged execution (IDR3.XNX). */
  readonly xnx: boolean;
  /** Range invalidation and level hint. */
  readonly ril: boolean;
  /** Break-before-make level, 0 to 2 (§3.21.1). */
  readonly bbml: 0 | 1 | 2;
  /** Two-level stream tables. */
  readonly stLevel: boolean;
  /** Two-level CD tables. */
  readonly cd2l: boolean;
  /** Bits of a StreamID, 0 to 32. */
  readonly sidSize: number;
  /** Bits of a SubstreamID, 0 to 20; 0 means none. */
  readonly ssidSize: number;
  /** Hierarchical attribute disable (CD.HADx). */
  readonly had: boolean;
  /** Small translation tables (TxSZ up to 48). */
  readonly stt: boolean;
  /** STE.PRIVCFG and INSTCFG have an effect (IDR1.ATTR_PERMS_OVR). */
  readonly permissionOverride: boolean;
  /** IDR0.STALL_MODEL: 0 stall and terminate, 1 terminate only, 2 stall only. */
  readonly stallModel: 0 | 1 | 2;
  /** IDR0.TERM_MODEL: only abort termination, so CD.A must be 1. */
  readonly termModel: boolean;
}

/** An implementation with everything that the model has. */
export const FULL_FEATURES: SmmuFeatures = {
  oas: 48,
  granules: [12, 14, 16],
  asid16: true,
  vmid16: true,
  stage1: true,
  stage2: true,
  ats: false,
  pri: false,
  hyp: false,
  btm: false,
  fwb: false,
  xnx: true,
  ril: true,
  bbml: 0,
  stLevel: true,
  cd2l: true,
  sidSize: 16,
  ssidSize: 10,
  had: true,
  stt: false,
  permissionOverride: true,
  stallModel: 0,
  termModel: false,
};

/** log2 of the largest command and event queue (IDR1.CMDQS, EVENTQS). */
export const QUEUE_LOG2_MAX = 19;

/** The features that the identification registers of a device state. */
export function featuresFromRegisters(idr0: number, idr1: number, idr3: number, idr5: number): SmmuFeatures {
  const { fields: f0 } = IDR0;
  const { fields: f1 } = IDR1;
  const { fields: f3 } = IDR3;
  const { fields: f5 } = IDR5;
  const granules: GranuleBits[] = [];
  if (extract(f5.GRAN4K, idr5, 0) === 1) granules.push(12);
  if (extract(f5.GRAN16K, idr5, 0) === 1) granules.push(14);
  if (extract(f5.GRAN64K, idr5, 0) === 1) granules.push(16);
  return {
    oas: ADDRESS_SIZES_BITS[extract(f5.OAS, idr5, 0)] ?? 52,
    granules,
    asid16: extract(f0.ASID16, idr0, 0) === 1,
    vmid16: extract(f0.VMID16, idr0, 0) === 1,
    stage1: extract(f0.S1P, idr0, 0) === 1,
    stage2: extract(f0.S2P, idr0, 0) === 1,
    ats: extract(f0.ATS, idr0, 0) === 1,
    pri: extract(f0.PRI, idr0, 0) === 1,
    hyp: extract(f0.HYP, idr0, 0) === 1,
    btm: extract(f0.BTM, idr0, 0) === 1,
    fwb: extract(f3.FWB, idr3, 0) === 1,
    xnx: extract(f3.XNX, idr3, 0) === 1,
    ril: extract(f3.RIL, idr3, 0) === 1,
    bbml: Math.min(2, extract(f3.BBML, idr3, 0)) as 0 | 1 | 2,
    stLevel: extract(f0.ST_LEVEL, idr0, 0) !== 0,
    cd2l: extract(f0.CD2L, idr0, 0) === 1,
    sidSize: extract(f1.SIDSIZE, idr1, 0),
    ssidSize: extract(f1.SSIDSIZE, idr1, 0),
    had: extract(f3.HAD, idr3, 0) === 1,
    stt: extract(f3.STT, idr3, 0) === 1,
    permissionOverride: extract(f1.ATTR_PERMS_OVR, idr1, 0) === 1,
    stallModel: Math.min(2, extract(f0.STALL_MODEL, idr0, 0)) as 0 | 1 | 2,
    termModel: extract(f0.TERM_MODEL, idr0, 0) === 1,
  };
}

/** The identification registers IDR0, IDR1, IDR3 and IDR5 that state some features. */
export function featureRegisters(features: SmmuFeatures): { idr0: number; idr1: number; idr3: number; idr5: number } {
  const flag = (value: boolean): number => (value ? 1 : 0);
  const word = (lanes: number[]): number => lanes[0] as number;
  return {
    idr0: word(
      encode(IDR0, {
        S1P: flag(features.stage1),
        S2P: flag(features.stage2),
        TTF: 2,
        COHACC: 1,
        BTM: flag(features.btm),
        HYP: flag(features.hyp),
        ATS: flag(features.ats),
        PRI: flag(features.pri),
        ASID16: flag(features.asid16),
        VMID16: flag(features.vmid16),
        CD2L: flag(features.cd2l),
        TTENDIAN: 2,
        STALL_MODEL: features.stallModel,
        TERM_MODEL: flag(features.termModel),
        ST_LEVEL: flag(features.stLevel),
      }),
    ),
    idr1: word(
      encode(IDR1, {
        SIDSIZE: features.sidSize,
        SSIDSIZE: features.ssidSize,
        EVENTQS: QUEUE_LOG2_MAX,
        CMDQS: QUEUE_LOG2_MAX,
        ATTR_PERMS_OVR: flag(features.permissionOverride),
      }),
    ),
    idr3: word(
      encode(IDR3, {
        HAD: flag(features.had),
        XNX: flag(features.xnx),
        FWB: flag(features.fwb),
        STT: flag(features.stt),
        RIL: flag(features.ril),
        BBML: features.bbml,
      }),
    ),
    idr5: word(
      encode(IDR5, {
        OAS: ADDRESS_SIZES_BITS.findIndex((bits) => bits === features.oas),
        GRAN4K: flag(features.granules.includes(12)),
        GRAN16K: flag(features.granules.includes(14)),
        GRAN64K: flag(features.granules.includes(16)),
      }),
    ),
  };
}
