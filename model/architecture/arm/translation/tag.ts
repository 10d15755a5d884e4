import type { Leaf, WalkNode, WalkReader } from './walk-node.ts';

/**
 * What TLB entries are tagged with in the Non-secure EL1 world: VMID and ASID (IHI 0070 §3.17). Entries belong to a tag,
 * not to a stream: every context with this tag may use them and may have made them.
 */
export interface Tag {
  readonly vmid: number;
  readonly asid: number;
  /** What may be held for each input address of the universe. */
  readonly holds: AddressHolds[];
  /** All starts of walks that ever came up, by CD.ASET. */
  readonly starts: readonly [WalkNode[], WalkNode[]];
}

/** Everything ever interned that serves one input address under one tag; what of it is held is in the store. */
export interface AddressHolds {
  /** Walks in the middle: a held table descriptor and the next descriptor that a walk of this address reads. */
  readonly readers: WalkReader[];
  /** Entries that lead to physical addresses. */
  readonly leaves: Leaf[];
  /** Entries of stage 1 that lead to stage 2. */
  readonly firstStage: Leaf[];
}

/** Global entries, which carry no ASID but only match lookups of the same VMID and ASET (§3.17.1). */
export interface GlobalTag {
  readonly vmid: number;
  readonly aset: number;
  readonly holds: readonly AddressHolds[];
}

/** Interns tags. */
export class TagTable {
  readonly #addresses: number;
  readonly #tags = new Map<number, Tag>();
  readonly #globals = new Map<number, GlobalTag>();
  readonly #stageTwo = new Map<number, Tag>();

  /** @param addresses number of input addresses in the universe. */
  constructor(addresses: number) {
    this.#addresses = addresses;
  }

  tag(vmid: number, asid: number): Tag {
    const key = vmid * 0x1_0000 + asid;
    let tag = this.#tags.get(key);
    if (tag === undefined) {
      tag = { vmid, asid, holds: emptyHolds(this.#addresses), starts: [[], []] };
      this.#tags.set(key, tag);
    }
    return tag;
  }

  /** The tag of stage 2 entries: no ASID, and addresses that are added as they come up. */
  stageTwo(vmid: number): Tag {
    let tag = this.#stageTwo.get(vmid);
    if (tag === undefined) {
      tag = { vmid, asid: -1, holds: [], starts: [[], []] };
      this.#stageTwo.set(vmid, tag);
    }
    return tag;
  }

  /** Room for what serves one input address. */
  emptyHolds(): AddressHolds {
    return { readers: [], leaves: [], firstStage: [] };
  }

  global(vmid: number, aset: number): GlobalTag {
    const key = vmid * 2 + aset;
    let tag = this.#globals.get(key);
    if (tag === undefined) {
      tag = { vmid, aset, holds: emptyHolds(this.#addresses) };
      this.#globals.set(key, tag);
    }
    return tag;
  }
}

function emptyHolds(addresses: number): AddressHolds[] {
  return Array.from({ length: addresses }, () => ({ readers: [], leaves: [], firstStage: [] }));
}
