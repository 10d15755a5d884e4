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
}

/**
 * An address space as a context descriptor describes it, with the VMID that its streams use. The pairs (vmid, asid) of
 * a configuration are distinct: two live CDs with one pair and different fields would be UNPREDICTABLE
 * (IHI 0070 §5.4.1).
 */
export interface Context {
  readonly vmid: number;
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
  /** Input addresses, as byte offsets below 2^vaBits, multiples of the largest granule. */
  readonly pages: readonly number[];
  /** High addresses are 2^64 - 2^vaBits + page; at most the `inputBits` of any tree. */
  readonly vaBits: number;
  readonly trees: readonly Tree[];
  readonly contexts: readonly Context[];
  /** DMA devices in use, as indices into the machine's four (0, 1: rocker; 2, 3: edu). */
  readonly devices: readonly number[];
}
