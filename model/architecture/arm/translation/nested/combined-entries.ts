import type { HoldTable } from '../../holds.ts';
import { PAGE_BYTES, type InputAddress } from '../../universe.ts';
import { ipaOf } from '../walk-graph.ts';
import type { CombinedFetch, Leaf, WalkReader } from '../walk-node.ts';
import { outputOf, type IpaSpace } from '../stage2/ipa-space.ts';

/**
 * Everything ever made of a thing of stage 1 and a translation of stage 2: descriptors of stage 1 at physical addresses,
 * and leaves from input to physical addresses. It only grows; what is held is in the `HoldTable`. Each is tagged as its
 * part of stage 1 is, so that stage 1 maintenance covers it and stage 2 maintenance by IPA does not (IHI 0070 §4.4.3.1).
 */
export class CombinedEntries {
  readonly fetches: CombinedFetch[] = [];
  readonly leaves: Leaf[] = [];
  readonly #holds: HoldTable;
  readonly #watch: (pa: number, reader: WalkReader) => void;
  readonly #leafByKey = new Map<string, Leaf>();

  /** @param watch told of each descriptor address that a walk may read, once for each reader. */
  constructor(holds: HoldTable, watch: (pa: number, reader: WalkReader) => void) {
    this.#holds = holds;
    this.#watch = watch;
  }

  /** A stage 1 descriptor as a stage 2 leaf places it. */
  fetch(base: WalkReader, through: Leaf): CombinedFetch {
    for (const known of base.fetches) if (known.through === through) return known;
    const { node, addresses } = base;
    const pa = outputOf(through, base.pa);
    const cell = this.#holds.intern(`fetch ${node.key}@${base.pa}+${through.key}`);
    const own = { fetches: [], cell, ipa: undefined, lows: [], highs: [], results: [] };
    const fetch: CombinedFetch = { node, pa, addresses, ...own, base, through };
    base.fetches.push(fetch);
    this.fetches.push(fetch);
    this.#watch(pa, fetch);
    return fetch;
  }

  /**
   * The translation that a stage 1 leaf and a stage 2 leaf make, for the addresses that go through both.
   *
   * Its range is that of the stage 1 leaf, for an invalidation of any address of a block covers all that was made of
   * the block; `span` is the size that an entry really has.
   */
  leaf(first: Leaf, second: Leaf): Leaf {
    const key = `${first.key}+${second.key}`;
    let leaf = this.#leafByKey.get(key);
    if (leaf === undefined) {
      leaf = {
        ...first,
        cell: this.#holds.intern(`combined ${key}`),
        key,
        space: undefined,
        span: Math.min(first.pages, second.pages),
        parts: { first, second },
        run: undefined,
        // Beyond the addresses that go through both, this has no meaning.
        pa: outputOf(second, first.pa),
        permissions: first.permissions & second.permissions,
        attributes: first.attributes | (second.attributes << 8),
        addresses: first.addresses.filter((address) => meets(first, second, address)),
        producers: [],
        outcomes: new Map(),
      };
      this.#leafByKey.set(key, leaf);
      this.leaves.push(leaf);
      const { holds } = leaf.global ?? first.table.tag;
      for (const { index } of leaf.addresses) holds[index]?.leaves.push(leaf);
    }
    return leaf;
  }
}

/** Whether an address goes through both leaves. */
function meets(first: Leaf, second: Leaf, address: InputAddress): boolean {
  const { page } = ipaOf(first, address, first.space as IpaSpace);
  return page >= second.page && page < second.page + second.pages;
}

/** The IPA at which an address enters stage 2 by a combined entry, a multiple of 4 KiB. */
export function ipaThrough({ first }: { readonly first: Leaf }, address: InputAddress): number {
  return first.pa + (address.canonicalPage - first.page) * PAGE_BYTES;
}
