import type { Interpretation } from './descriptor-step.ts';
import type { TlbTarget } from '../commands/invalidation.ts';
import type { Outcome } from '../outcomes/outcome.ts';
import type { GlobalTag, Tag } from './tag.ts';
import type { InputAddress } from '../universe.ts';
import type { IpaPage, IpaSpace } from './stage2/ipa-space.ts';

/** What all walks through one half of a CD have in common. */
export interface Lineage {
  /** Names it by its content. */
  readonly key: string;
  readonly tag: Tag;
  readonly aset: number;
  readonly interpretation: Interpretation;
  /** The input addresses that its walks may be made for; those of stage 2 grow. */
  readonly addresses: readonly InputAddress[];
  /** Of stage 1 with stage 2: where its tables and outputs are. Undefined if they are physical addresses. */
  readonly space: IpaSpace | undefined;
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
  /**
   * The same table as walks of CDs with the other ASET go on from it: lookups do not tell the two apart, but what such a
   * walk leaves behind has the ASET of its own CD (IHI 0070 §3.17). Only where a tag has been used with both.
   */
  twin: WalkNode | undefined;
}

/** One descriptor read by walks through one table. */
export interface WalkReader {
  readonly node: WalkNode;
  /** Address of the descriptor: a physical one, unless `ipa` is set. */
  readonly pa: number;
  /** With stage 2, the page of the descriptor: it is read through `fetches` and never directly. */
  readonly ipa: IpaPage | undefined;
  readonly addresses: InputAddress[];
  /** The same descriptor at each physical address at which stage 2 has ever placed it. */
  readonly fetches: CombinedFetch[];
  /** Of a combined fetch: its cell of the store. Else -1: it is as held as its node. */
  readonly cell: number;
  /** What each value seen so far led to: lanes and result, in three parallel lists. */
  readonly lows: number[];
  readonly highs: number[];
  readonly results: WalkResult[];
}

/**
 * A stage 1 descriptor at a physical address, found through one stage 2 translation: a walk cache may hold it, combined,
 * by the range of input addresses of its table. Stage 2 maintenance does not reach it (IHI 0070 §4.4.3.1).
 */
export interface CombinedFetch extends WalkReader {
  readonly base: WalkReader;
  readonly through: Leaf;
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
  /** Names it by its content. */
  readonly key: string;
  /** The tag if it is not global. */
  readonly tag: Tag | undefined;
  readonly global: GlobalTag | undefined;
  /** Address of `page`: a physical one, or an IPA if `space` is set. */
  readonly pa: number;
  /** Of stage 1 with stage 2: where it leads. Accesses need a combined entry then. */
  readonly space: IpaSpace | undefined;
  /** Pages of 4 KiB that a TLB entry may translate at once: `pages`, or fewer if stage 2 maps less than stage 1. */
  readonly span: number;
  /** Of a combined entry: what it was made of. */
  readonly parts: CombinedParts | undefined;
  /** Of stage 2: the Contiguous run that its descriptor speaks for. Undefined in stage 1, whose addresses never become more. */
  readonly run: ContiguousRun | undefined;
  readonly permissions: number;
  readonly attributes: number;
  /** Never in conflict with entries of another size: a block with nT set (§3.21.1.2). */
  readonly nT: boolean;
  readonly tbi: boolean;
  readonly descriptorPa: number;
  readonly table: WalkNode;
  readonly addresses: InputAddress[];
  readonly producers: WalkReader[];
  /** Interned outcomes, by address and by fault mode and override. */
  readonly outcomes: Map<number, Outcome>;
}

/** The two leaves that make a combined entry, from input address to physical address. */
export interface CombinedParts {
  readonly first: Leaf;
  readonly second: Leaf;
}

/** A run of entries with the Contiguous bit: its first page, number of pages, and the address of the first. */
export interface ContiguousRun {
  readonly page: number;
  readonly pages: number;
  readonly pa: number;
}
