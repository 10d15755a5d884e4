import type { HoldTable } from '../../holds.ts';
import { PAGE_BYTES, type InputAddress } from '../../universe.ts';
import type { AddressHolds, Tag } from '../tag.ts';
import type { Leaf, WalkReader } from '../walk-node.ts';

/**
 * A page of 4 KiB of the intermediate physical addresses of a virtual machine that something may have to be translated
 * at. Programs do not name these pages: a stage 1 walk, the output of stage 1, the fetch of a CD or an access that goes to
 * stage 2 directly leads to them. So the universe of stage 2 grows.
 */
export interface IpaPage extends InputAddress {
  readonly space: IpaSpace;
  /** Cell of the store: 1 from the time on when something led here. Only then stage 2 is walked for the page. */
  readonly cell: number;
  /** Stage 1 descriptors that lie here. */
  readonly readers: WalkReader[];
  /** Leaves of stage 1 that lead here. */
  readonly outputs: Leaf[];
  /** Streams whose CDs or L1CDs lie here. */
  readonly streams: Set<number>;
  /** Slots whose accesses go to stage 2 with this address. */
  readonly slots: number[];
  readonly holds: AddressHolds;
}

/** The intermediate physical addresses of one VMID: stage 2 entries carry no other tag (IHI 0070 §3.17). */
export class IpaSpace {
  readonly vmid: number;
  readonly tag: Tag;
  readonly pages: IpaPage[] = [];
  readonly #byPage = new Map<number, IpaPage>();
  readonly #make: (space: IpaSpace, page: number) => IpaPage;

  /** @param make makes a page that is not known yet, and tells the walks of stage 2. */
  constructor(vmid: number, tag: Tag, make: (space: IpaSpace, page: number) => IpaPage) {
    this.vmid = vmid;
    this.tag = tag;
    this.#make = make;
  }

  /** The page with a number, which is its address divided by 4096. */
  page(number: number): IpaPage {
    let page = this.#byPage.get(number);
    if (page === undefined) {
      page = this.#make(this, number);
      this.#byPage.set(number, page);
    }
    return page;
  }

  /** The page in which an address lies. */
  pageAt(ipa: number): IpaPage {
    return this.page(Math.floor(ipa / PAGE_BYTES));
  }
}

/** Whether something has led to a page. */
export function isDemanded(holds: HoldTable, page: IpaPage): boolean {
  return holds.state(page.cell) !== 0;
}

/** Where a leaf of stage 2 sends an address that it translates. */
export function outputOf(leaf: Leaf, ipa: number): number {
  return leaf.pa + (ipa - leaf.page * PAGE_BYTES);
}
