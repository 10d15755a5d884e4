import type { Interpretation } from './descriptor-step.ts';
import type { TlbTarget } from '../commands/invalidation.ts';
import type { Outcome } from '../outcomes/outcome.ts';
import type { GlobalTag, Tag } from './tag.ts';
import type { InputAddress } from '../universe.ts';

/** What all walks through one half of a CD have in common. */
export interface Lineage {
  /** Names it by its content. */
  readonly key: string;
  readonly tag: Tag;
  readonly aset: number;
  readonly interpretation: Interpretation;
}

/**
 * A walk that has come as far as one table: either its start, from a CD, or a table descriptor that a walk cache may
 * hold. It knows all that is needed to go on, so that a walk may continue from it whatever the CD says by now.
 */
export interface WalkNode extends TlbTarget {
  /** Names it by its content. */
  readonly key: string;
  /** Cell of the store. For the start of walks: how many contexts may use it now. Else a state of `HoldTable`. */
  readonly cell: number;
  readonly start: boolean;
  readonly lineage: Lineage;
  /** Those of the lineage. */
  readonly tag: Tag;
  readonly interpretation: Interpretation;
  /** Level of the descriptors in `table`. */
  readonly tableLevel: number;
  readonly table: number;
  readonly tableBytes: number;
  /** Hierarchical attributes gathered so far (`HIERARCHY`). */
  readonly hierarchy: number;
  /** Address of the descriptor that led here; -1 for a start. */
  readonly descriptorPa: number;
  /** The descriptors of `table` that walks of addresses of the universe read. */
  readonly readers: WalkReader[];
  /** The reader for each address of the universe that this table serves. */
  readonly readerOf: (WalkReader | undefined)[];
  /** Reads that have led here, each at some time. */
  readonly producers: WalkReader[];
}

/** One descriptor read by walks through one table. */
export interface WalkReader {
  readonly node: WalkNode;
  readonly pa: number;
  readonly addresses: InputAddress[];
  /** What each value seen so far led to: lanes and result, in three parallel lists. */
  readonly lows: number[];
  readonly highs: number[];
  readonly results: WalkResult[];
}

/** What reading one descriptor leads to. */
export interface WalkResult {
  /** Event of the fault, or 0. */
  readonly event: number;
  /** Address of the aborted fetch if `event` is F_WALK_EABT. */
  readonly fetchAddress: number;
  readonly node: WalkNode | undefined;
  readonly leaves: readonly Leaf[];
  /** The fault as an outcome, for each `FaultMode`; filled as needed. */
  readonly faults: (Outcome | undefined)[];
}

/** A translation that a TLB may hold: a block, a page, or a page known from another descriptor of a contiguous run. */
export interface Leaf extends TlbTarget {
  readonly cell: number;
  /** The tag if it is not global. */
  readonly tag: Tag | undefined;
  readonly global: GlobalTag | undefined;
  /** Physical address of `page`. */
  readonly pa: number;
  readonly permissions: number;
  readonly attributes: number;
  /** Never in conflict with entries of another size: a block with nT set (§3.21.1.2). */
  readonly nT: boolean;
  /** Made from another descriptor of a contiguous run. */
  readonly fromRun: boolean;
  readonly tbi: boolean;
  readonly descriptorPa: number;
  readonly table: WalkNode;
  readonly addresses: readonly InputAddress[];
  readonly producers: WalkReader[];
  /** Interned outcomes, by address and by fault mode and override. */
  readonly outcomes: Map<number, Outcome>;
}
