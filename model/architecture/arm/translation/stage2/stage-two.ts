import type { PendingCommands } from '../../commands/pending.ts';
import type { StageTwoEntry } from '../../configuration/stage-two-entry.ts';
import type { LookupConfig } from '../../configuration/lookup-config.ts';
import type { HoldTable } from '../../holds.ts';
import { EVENT } from '../../layout/event.ts';
import type { PhysicalMemory } from '../../memory.ts';
import { PAGE_BYTES, type InputAddress, type StreamContext } from '../../universe.ts';
import type { TagTable } from '../tag.ts';
import { Tlb } from '../tlb.ts';
import { WalkGraph } from '../walk-graph.ts';
import type { Leaf, WalkNode, WalkReader } from '../walk-node.ts';
import { IpaSpace, isDemanded, type IpaPage } from './ipa-space.ts';

/** How a context uses stage 2: the space that its VMID names, the start of walks, and the end of faults. */
export interface StageTwoUse {
  readonly space: IpaSpace;
  readonly start: WalkNode;
  readonly faultMode: StageTwoEntry['faultMode'];
}

/** Stage 2: the walks of all IPAs that anything has led to, and what they may leave in the TLB. */
export class StageTwo {
  readonly walks: WalkGraph;
  readonly tlb: Tlb;
  readonly #holds: HoldTable;
  readonly #tags: TagTable;
  readonly #spaces = new Map<number, IpaSpace>();
  readonly #pages: IpaPage[] = [];
  readonly #starts = new Map<number, WalkNode>();
  readonly #wanted = (page: InputAddress): boolean => isDemanded(this.#holds, page as IpaPage);
  /** Pages for which something may have changed, to be looked at by stage 1: a queue without duplicates. */
  readonly #touched = new Set<number>();

  constructor(
    memory: PhysicalMemory,
    holds: HoldTable,
    pending: PendingCommands,
    tags: TagTable,
    watch: (pa: number, reader: WalkReader) => void,
  ) {
    this.#holds = holds;
    this.#tags = tags;
    this.walks = new WalkGraph(memory, holds, tags, watch);
    this.tlb = new Tlb(this.walks, holds, pending, (index) => this.#touched.add(index), { wanted: this.#wanted });
  }

  /** Whether there are pages to be taken. */
  get changed(): boolean {
    return this.#touched.size > 0;
  }

  /** Whether stage 2 has ever been used. */
  get used(): boolean {
    return this.#spaces.size > 0;
  }

  /** How an STE uses stage 2. */
  use({ vmid, faultMode, table }: StageTwoEntry): StageTwoUse {
    const space = this.space(vmid);
    const start = this.walks.start({ tag: space.tag, aset: 0, addresses: space.pages, space: undefined }, table);
    this.#starts.set(start.cell, start);
    return { space, start, faultMode };
  }

  /** The start of walks with a cell of the store. */
  startAt(cell: number): WalkNode {
    return this.#starts.get(cell) as WalkNode;
  }

  space(vmid: number): IpaSpace {
    let space = this.#spaces.get(vmid);
    if (space === undefined) {
      space = new IpaSpace(vmid, this.#tags.stageTwo(vmid), (of, page) => this.#makePage(of, page));
      this.#spaces.set(vmid, space);
    }
    return space;
  }

  /** Something leads to a page: from now on hardware may walk for it, and hits what is held for its neighbours. */
  demand(page: IpaPage): void {
    if (isDemanded(this.#holds, page)) return;
    this.#holds.set(page.cell, 1);
    this.tlb.admit(page.space.tag, page);
    this.#touched.add(page.index);
  }

  /** Accesses of a context may go to stage 2 with their input addresses. */
  claim(configs: readonly LookupConfig[], { slots }: StreamContext, addressOf: readonly InputAddress[]): void {
    for (const config of configs) {
      if (config.kind !== 'stage2') continue;
      for (const slot of slots) {
        this.serve(config.stage2.space.page((addressOf[slot] as InputAddress).page), slot);
      }
    }
  }

  /** Accesses of a slot may go to stage 2 at a page: they are looked at again whenever the page is. */
  serve(page: IpaPage, slot: number): void {
    if (!page.slots.includes(slot)) {
      page.slots.push(slot);
      this.#holds.grown();
    }
    this.demand(page);
  }

  /** The CDs of a stream may lie at a page: they are looked for again whenever the page is. */
  serveStream(page: IpaPage, streamId: number): void {
    if (!page.streams.has(streamId)) {
      page.streams.add(streamId);
      this.#holds.grown();
    }
    this.demand(page);
  }

  /** Calls back for each translation of a page that is held. */
  forEachHeld(page: IpaPage, visit: (leaf: Leaf) => void): void {
    for (const leaf of page.holds.leaves) if (this.#holds.state(leaf.cell) !== 0) visit(leaf);
  }

  /**
   * Calls back for each fault that a walk of a page may end with now.
   *
   * @param visit given the event, and the address of the fetch that was aborted or 0.
   */
  forEachFault({ start }: StageTwoUse, page: IpaPage, visit: (event: number, fetchAddress: number) => void): void {
    const first = start.readerOf[page.index];
    if (first === undefined) visit(EVENT.F_TRANSLATION, 0);
    else this.#visitFault(first, visit);
    for (const reader of page.holds.readers) if (this.walks.stateOf(reader.node) !== 0) this.#visitFault(reader, visit);
  }

  #visitFault(reader: WalkReader, visit: (event: number, fetchAddress: number) => void): void {
    const { event, fetchAddress } = this.walks.resultOf(reader);
    if (event !== 0) visit(event, fetchAddress);
  }

  /** A page for which something may have changed since it was last taken; undefined if there is none. */
  takeTouched(): IpaPage | undefined {
    for (const index of this.#touched) {
      this.#touched.delete(index);
      return this.#pages[index];
    }
    return undefined;
  }

  #makePage(space: IpaSpace, number: number): IpaPage {
    const page: IpaPage = {
      index: this.#pages.length,
      va: number * PAGE_BYTES,
      page: number,
      canonicalPage: number,
      region: 0,
      slots: [],
      space,
      cell: this.#holds.intern(`IPA ${space.vmid}/${number}`),
      readers: [],
      outputs: [],
      streams: new Set(),
      holds: this.#tags.emptyHolds(),
    };
    this.#pages.push(page);
    space.pages.push(page);
    space.tag.holds[page.index] = page.holds;
    this.walks.addAddress(space.tag, page);
    return page;
  }
}
