import type { GranuleBits } from '../../model/architecture/arm/layout/index.ts';
import type { MemoryRegion } from '../platform/index.ts';

/** The size and the options of a world of kernel software over one SMMUv3. */
export interface KernelConfig {
  /** Number of places where callers keep a private domain. Each is a space of the contract: ids 0 … domains-1. */
  readonly domains: number;
  /** CPU ASID of each process, at most `ASID_MAX`. Process p is space `domains` + p, and has PASID p + 1. */
  readonly processes: readonly number[];
  /** StreamID of each device, below 64 (one linear stream table of 4 KiB). */
  readonly streams: readonly number[];
  /** log2 of the number of context descriptors of a device: `STE.S1CDMax`. PASIDs must fit. */
  readonly substreamBits: number;
  /** Highest ASID of the SMMU's allocator, at most `ASID_MAX`; small, so that numbers come back soon. */
  readonly asidMax: number;
  /** 64 minus the number of address bits that page tables translate, for domains and processes. */
  readonly t0sz: number;
  /** log2 of the page size. */
  readonly granule: GranuleBits;
  /** Use range invalidation (`IDR3.RIL`). */
  readonly rangeInvalidation: boolean;
  /** Take part in broadcast TLB maintenance (`IDR0.BTM`, `CR2.PTM` = 0); default: no. */
  readonly btm?: boolean;
  /** True: a device with no domain bypasses the SMMU; false: its accesses are aborted. */
  readonly bypass: boolean;
  /** Addresses of the pages that map and unmap may name (domains and processes). */
  readonly pages: readonly number[];
  /** Addresses that the DMA API's allocator gives out, lowest first; disjoint from `pages`. */
  readonly iovas: readonly number[];
  /** Which domain the DMA API works on. */
  readonly dmaDomain: number;
  /** Entries of the flush queue. */
  readonly flushQueueSize: number;
  /** How many domains and shared context descriptors can be allocated in one run; more fail as a kmalloc does. */
  readonly objects: number;
  /** Memory for tables, queues and structures. */
  readonly memory: MemoryRegion;
}

/** A small world: two domains, one process whose CPU ASID is that of the first domain, two devices. */
export const SMALL_CONFIG: KernelConfig = {
  domains: 2,
  processes: [1],
  streams: [0x10, 0x18],
  substreamBits: 2,
  asidMax: 4,
  t0sz: 39,
  granule: 12,
  rangeInvalidation: true,
  bypass: false,
  pages: [0x1000, 0x2000, 0x3000],
  iovas: [0x40_0000, 0x40_1000],
  dmaDomain: 0,
  flushQueueSize: 3,
  objects: 8,
  memory: { base: 0x4100_0000, frames: 32 },
};
