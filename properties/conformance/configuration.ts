/**
 * The fixed part of a conformance program: what its symbolic references stand for.
 *
 * Everything here is plain data (JSON). An operation names a page, a tree, a context or a stream by its index in these
 * lists, so deleting an operation never changes what the others mean.
 */
import type { GranuleBits } from '../../model/architecture/arm/layout/index.ts';

/** A translation table tree: one half of an address space. */
export interface Tree {
  readonly granule: GranuleBits;
  /** Size of the input range, log2 of bytes: 64 - TxSZ; 32 to 48. */
  readonly inputBits: number;
  /** 0: low addresses, used through TTB0; 1: high addresses, TTB1. */
  readonly half: 0 | 1;
  /** The tree of a guest: its tables and outputs are at IPAs, which stage 2 maps to other physical addresses. */
  readonly guest?: boolean;
}

/**
 * The stage 2 address space of a guest, as an STE describes it. VMIDs of guests are distinct, and no context outside a guest
 * has the VMID of one: STEs with one VMID must agree on their stage 2 fields (IHI 0070 §5.2.1).
 */
export interface Guest {
  readonly vmid: number;
  readonly granule: GranuleBits;
  /** 64 - S2T0SZ; 32 to the output address size of the device. */
  readonly inputBits: number;
  /** Level at which walks start (S2SL0): up to 16 tables are concatenated there (Arm ARM D8.2.2). */
  readonly startLevel: number;
  /** STE.S2PS: 0 … 5 for 32, 36, 40, 42, 44, 48 bits. */
  readonly addressSize: number;
  /** STE.S2AFFD. */
  readonly accessFlagFaultDisabled: boolean;
  /** STE.S2PTW: CDs and stage 1 tables may not lie in Device memory. */
  readonly protectedWalk: boolean;
}

/**
 * A page of IPA space that stage 2 is to map, by what the guest has there: a context's descriptor; an entry of a stage 1
 * table; the place that an access to `page` reaches through a leaf of `tree` at a level; an input page (for streams
 * without stage 1).
 */
export type GuestPage =
  | { readonly of: 'cd'; readonly context: number }
  | {
      readonly of: 'table';
      readonly tree: number;
      readonly page: number;
      readonly level: number;
      readonly copy: number;
    }
  | {
      readonly of: 'frame';
      readonly tree: number;
      readonly page: number;
      readonly level: number;
      readonly target: number;
      /** The leaf is one of a contiguous group. */
      readonly contiguous: boolean;
    }
  | { readonly of: 'input'; readonly page: number };

/**
 * An address space as a context descriptor describes it, with the VMID that its streams use. The pairs (vmid, asid) of
 * a configuration are distinct: two live CDs with one pair and different fields would be UNPREDICTABLE
 * (IHI 0070 §5.4.1).
 */
export interface Context {
  /** The VMID of its guest, if it has one. */
  readonly vmid: number;
  /** Index of the guest: its CD and tables are at IPAs, and streams use stage 2 below or instead of stage 1. */
  readonly guest?: number;
  readonly asid: number;
  /** Index of the tree behind TTB0. */
  readonly low: number;
  /** Index of the tree behind TTB1; undefined: EPD1 is set. */
  readonly high?: number;
  /** CD.TBI: bit 0 for the low half, bit 1 for the high half. */
  readonly topByteIgnore: number;
  /** CD.HAD0 and HAD1: hierarchical permissions are disabled. */
  readonly hierarchyDisabled: boolean;
  /** CD.AFFD: the Access flag is taken as set. */
  readonly accessFlagFaultDisabled: boolean;
  /** CD.IPS: 0 … 5 for 32, 36, 40, 42, 44, 48 bits. */
  readonly addressSize: number;
}

/** What a program's references stand for. */
export interface ConformanceConfiguration {
  /** Two-level stream table (split at StreamID bit 6) instead of a linear one. */
  readonly twoLevelStreams: boolean;
  /** The linear stream table has 2^5 entries, so that the last device (StreamID 0x28) is beyond it; else 2^6. */
  readonly shortStreamTable: boolean;
  /** CR2.RECINVSID: transactions with a bad StreamID are recorded. */
  readonly recordBadStreamId: boolean;
  /** Input addresses, as byte offsets below 2^vaBits, multiples of 4 KiB. */
  readonly pages: readonly number[];
  /** High addresses are 2^64 - 2^vaBits + page; at most the `inputBits` of any tree. */
  readonly vaBits: number;
  readonly trees: readonly Tree[];
  readonly contexts: readonly Context[];
  readonly guests?: readonly Guest[];
  readonly guestPages?: readonly GuestPage[];
  /** DMA devices in use, as indices into the machine's six (0, 1: rocker; 2, 3: edu; 4, 5: one of each behind a bridge). */
  readonly devices: readonly number[];
  /** Sizes of the caches of a device that leaves them open, as an index into `cacheSwarm`; undefined: the first. */
  readonly caches?: number;
}
