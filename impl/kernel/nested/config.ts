import type { MemoryRegion } from '../../platform/index.ts';
import { SMALL_CONFIG, type KernelConfig } from '../config.ts';

/** What a world of stage 2, nesting and ATS has beside a plain kernel. */
export interface NestingConfig {
  /** Places of paging domains: the stage of each. Their spaces are 0 …; the one at `parentPlace` is the nest parent. */
  readonly stages: readonly (1 | 2)[];
  readonly parentPlace: number;
  /** Address spaces of the guest, each a space of the contract from `firstGuestSpace`. */
  readonly guestSpaces: number;
  readonly firstGuestSpace: number;
  /** Input address bits of stage 2. */
  readonly ipaBits: number;
  /** Where the guest has its tables, as an IPA; and the memory behind it, which stage 2 has to map there as one block. */
  readonly guestIpa: number;
  readonly guestMemory: MemoryRegion;
  /** Which devices have ATS. */
  readonly ats: readonly boolean[];
  /** Highest VMID given out. */
  readonly vmidMax: number;
  /** The SMMU has but one stage, so that nothing is nested on the parent; default: it has both. */
  readonly oneStage?: boolean;
  /** Lowest VMID given out; default 1. */
  readonly vmidMin?: number;
  /** The guest's context descriptors take part in broadcast TLB maintenance (`CD.ASET` = 0); default: no. */
  readonly guestBtm?: boolean;
  /** Nested domains that can be allocated in one run. */
  readonly nestedObjects: number;
}

/** A host domain of stage 1, a nest parent, another stage 2 domain; a guest with two address spaces; two devices. */
export const SMALL_NESTING: NestingConfig = {
  stages: [1, 2, 2],
  parentPlace: 1,
  guestSpaces: 2,
  firstGuestSpace: 4,
  // 2^31 bytes are two entries of level 1: two tables of level 2 side by side.
  ipaBits: 31,
  guestIpa: 0x20_0000,
  guestMemory: { base: 0x6000_0000, frames: 6 },
  ats: [false, false],
  vmidMax: 3,
  nestedObjects: 10,
};

/** The kernel's configuration that goes with it. */
export const SMALL_NESTED_KERNEL: KernelConfig = {
  ...SMALL_CONFIG,
  domains: 0,
  processes: [],
  substreamBits: 0,
  iovas: [],
  pages: [0x1000, 0x2000, 0x4000_1000, 0x4000_2000],
  memory: { base: 0x4100_0000, frames: 24 },
};
