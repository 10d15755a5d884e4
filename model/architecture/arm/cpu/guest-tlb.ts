import { coversTlb, type TlbInvalidation, type TlbTarget } from '../commands/invalidation.ts';
import { ABSENT, complete, doom } from '../dvm/hold-state.ts';
import type { HoldTable } from '../holds.ts';
import type { PhysicalMemory } from '../memory.ts';
import { IpaSpace, type IpaPage } from '../translation/stage2/ipa-space.ts';
import { TagTable } from '../translation/tag.ts';
import { WalkGraph } from '../translation/walk-graph.ts';
import type { Leaf, WalkNode, WalkReader } from '../translation/walk-node.ts';
import { PAGE_BYTES, type InputAddress } from '../universe.ts';
import type { CpuContext } from './cpu-tlb.ts';
import { GuestProcesses } from './guest-processes.ts';
import type { Inheritance } from './inheritance.ts';
import type { WalkStart } from './regime.ts';
import { SaturatedWalks } from './saturated-walks.ts';

/** What VTTBR_EL2 says, and what the guest runs. */
export interface GuestContext {
  /** Physical address of the stage 2 table, or of the first of several side by side. */
  readonly table: number;
  readonly vmid: number;
  /** The process of the guest: its table is at an IPA. Undefined: stage 1 is off. */
  readonly process?: CpuContext | undefined;
}

/** A translation from the input address of a guest to the physical address, through stage 1 (which is off) and stage 2. */
export interface GuestEntry extends TlbTarget {
  readonly cell: number;
  /** Names it by its content. */
  readonly key: string;
  readonly address: InputAddress;
  /** Physical address of the page. */
  readonly pa: number;
  readonly permissions: number;
  /** The leaf of stage 2 that it was made from. */
  readonly through: Leaf;
}

/** What of the rest of a TLB its part for guests needs. */
export interface GuestParts {
  readonly memory: PhysicalMemory;
  readonly holds: HoldTable;
  readonly inheritance: Inheritance;
  readonly watch: (pa: number, reader: WalkReader, reread: (reader: WalkReader) => void) => void;
  readonly start: WalkStart;
  readonly ipas: readonly InputAddress[];
  /** Stage 1 of guests, and the input addresses of their processes that matter; undefined if it is always off. */
  readonly processes: { readonly start: WalkStart; readonly addresses: readonly InputAddress[] } | undefined;
}

/**
 * Stage 2 of a TLB, saturated: what guests may leave there. What their processes leave is in `GuestProcesses`.
 *
 * Of a guest whose stage 1 is off, two kinds of entries: those of stage 2 alone (tables and leaves, by IPA), and combined ones, which an access uses. The
 * combined ones are there with stage 1 off too: it is an identity then, and software "is required to use the entire
 * invalidation sequences" (Arm ARM D8.17.6.1 I_RGYNM). TLBI IPAS2E1 does not reach them (D8.17 R_LGSCG, R_VZZVZ), and as
 * long as a stage 2 entry has not gone, they can be made from it again. They have no ASID, and each is an entry of its own
 * page, for an invalidation by address need not find the rest of a block whose parts were combined one by one.
 */
export class GuestTlb {
  readonly walks: SaturatedWalks;
  readonly graph: WalkGraph;
  /** All combined entries that have come up. */
  readonly entries: GuestEntry[] = [];
  /** Stage 1 of guests; undefined if it is always off. */
  readonly processes: GuestProcesses | undefined;
  readonly #holds: HoldTable;
  readonly #tags: TagTable;
  readonly #inheritance: Inheritance;
  readonly #start: WalkStart;
  readonly #ipas: readonly InputAddress[];
  readonly #entriesOf = new Map<Leaf, GuestEntry[]>();
  /** The same by VMID, and by the number of the address. */
  readonly #entriesAt = new Map<number, GuestEntry[][]>();
  readonly #starts = new Map<string, WalkNode>();
  readonly #spaces = new Map<number, IpaSpace>();
  /** For each VMID: the cell that counts the CPUs which run the guest with its stage 1 off. */
  readonly #off = new Map<number, number>();

  constructor({ memory, holds, inheritance, watch, start, ipas, processes }: GuestParts) {
    this.#holds = holds;
    this.#tags = new TagTable(processes?.addresses.length ?? 0);
    this.#inheritance = inheritance;
    this.#start = start;
    this.#ipas = ipas;
    const tags = this.#tags;
    const rereadStageTwo = (reader: WalkReader): void => this.walks.reread(reader);
    this.graph = new WalkGraph(memory, holds, tags, (pa, reader) => watch(pa, reader, rereadStageTwo));
    this.walks = new SaturatedWalks({ graph: this.graph, holds, inheritance, raised: (leaf) => this.#raised(leaf) });
    if (processes === undefined) return;
    const reread = (fetch: WalkReader): void => this.processes?.reread(fetch);
    const watchFetch = (pa: number, fetch: WalkReader): void => watch(pa, fetch, reread);
    this.processes = new GuestProcesses({ ...processes, memory, holds, tags, inheritance, watch: watchFetch });
  }

  /** A CPU has loaded VTTBR_EL2: accesses and walks of this VMID may be made, whenever the CPU likes. */
  load(context: GuestContext): void {
    const start = this.#startOf(context);
    this.walks.load(start);
    if (context.process !== undefined) {
      this.#processes.load(context.process, this.#space(context.vmid));
      return;
    }
    const off = this.#offCell(context.vmid);
    this.#holds.set(off, this.#holds.state(off) + 1);
    for (const { leaves } of start.tag.holds)
      for (const leaf of leaves) if (this.#holds.state(leaf.cell) !== ABSENT) this.#combine(leaf);
  }

  /** A CPU has loaded another one. */
  unload(context: GuestContext): void {
    this.walks.unload(this.#startOf(context));
    const off = this.#offCell(context.vmid);
    if (context.process === undefined) this.#holds.set(off, this.#holds.state(off) - 1);
    else this.#processes.unload(context.process, this.#space(context.vmid));
  }

  /** A TLBI has been executed: stage 2 first, for then it is known what combined entries can be made of again. */
  invalidate(command: TlbInvalidation, slot: number): void {
    this.walks.invalidate(command, slot);
    this.processes?.invalidate(command, slot);
    for (const entry of this.entries) {
      const before = this.#holds.state(entry.cell);
      if (before === ABSENT || !coversTlb(command, entry)) continue;
      const doomed = doom(before, 1 << slot);
      this.#holds.set(entry.cell, this.#isMade(entry) ? this.#fresher(entry, doomed) : doomed);
    }
  }

  /** TLBIs have completed. */
  complete(mask: number): void {
    this.walks.complete(mask);
    this.processes?.complete(mask);
    for (const { cell } of this.entries) this.#holds.set(cell, complete(this.#holds.state(cell), mask));
  }

  /** Entries that an access under a VMID may hit, with stage 1 off. */
  hits(vmid: number, address: number): readonly GuestEntry[] {
    const hits: GuestEntry[] = [];
    for (const entry of this.#entriesAt.get(vmid)?.[address] ?? [])
      if (this.#holds.state(entry.cell) !== ABSENT) hits.push(entry);
    return hits;
  }

  get #processes(): GuestProcesses {
    if (this.processes === undefined) throw new RangeError('guests have no stage 1: give `processes`');
    return this.processes;
  }

  /** Stage 2 has an entry, or a fresher one. */
  #raised(leaf: Leaf): void {
    if (this.#isOff(leaf.vmid)) this.#combine(leaf);
    const { processes } = this;
    if (processes === undefined) return;
    const space = this.#space(leaf.vmid);
    for (const { page } of leaf.addresses) processes.stageTwoRaised(space.page(page));
  }

  #combine(leaf: Leaf): void {
    for (const entry of this.#made(leaf))
      this.#holds.set(entry.cell, this.#fresher(entry, this.#holds.state(entry.cell)));
  }

  /** Whether accesses that begin now make the entry. */
  #isMade({ through, vmid }: GuestEntry): boolean {
    return this.#holds.state(through.cell) !== ABSENT && this.#isOff(vmid);
  }

  #fresher(entry: GuestEntry, state: number): number {
    return this.#inheritance.through(state, this.#holds.state(entry.through.cell), entry);
  }

  #isOff(vmid: number): boolean {
    return this.#holds.state(this.#offCell(vmid)) !== 0;
  }

  #offCell(vmid: number): number {
    let cell = this.#off.get(vmid);
    if (cell === undefined) {
      cell = this.#holds.intern(`stage 1 off ${vmid}`, true);
      this.#off.set(vmid, cell);
    }
    return cell;
  }

  #made(leaf: Leaf): readonly GuestEntry[] {
    let entries = this.#entriesOf.get(leaf);
    if (entries === undefined) {
      entries = leaf.addresses.map((address) => this.#entry(leaf, address));
      this.#entriesOf.set(leaf, entries);
      this.entries.push(...entries);
      for (const entry of entries) this.#entriesAt.get(leaf.vmid)?.[entry.address.index]?.push(entry);
    }
    return entries;
  }

  #entry(through: Leaf, address: InputAddress): GuestEntry {
    const { vmid, granule, level, permissions } = through;
    const { page } = address;
    const key = `${page}+${through.key}`;
    return {
      cell: this.#holds.intern(`combined ${key}`),
      key,
      address,
      pa: through.pa + (page - through.page) * PAGE_BYTES,
      permissions,
      through,
      stage: 1,
      vmid,
      asid: -1,
      page,
      pages: 1,
      sourcePage: page,
      granule,
      level,
      leaf: true,
    };
  }

  #startOf({ table, vmid }: GuestContext): WalkNode {
    const key = `${vmid}/${table}`;
    let start = this.#starts.get(key);
    if (start === undefined) {
      const { tag } = this.#space(vmid);
      const under = { tag, aset: 0, addresses: this.#ipas, space: undefined };
      start = this.graph.start(under, { ...this.#start, address: table });
      this.#starts.set(key, start);
      this.walks.add(start);
    }
    return start;
  }

  #space(vmid: number): IpaSpace {
    let space = this.#spaces.get(vmid);
    if (space === undefined) {
      const tag = this.#tags.stageTwo(vmid);
      tag.holds.push(...this.#ipas.map(() => this.#tags.emptyHolds()));
      space = new IpaSpace(vmid, tag, (of, page) => this.#page(of, page));
      this.#spaces.set(vmid, space);
      this.#entriesAt.set(
        vmid,
        this.#ipas.map(() => []),
      );
    }
    return space;
  }

  /** A page of a guest; nothing is ever held for one that is not among the IPAs that matter. */
  #page(space: IpaSpace, number: number): IpaPage {
    const address = this.#ipas.find(({ page }) => page === number);
    const place = address ?? { index: -1, va: number * PAGE_BYTES, page: number, canonicalPage: number, region: 0 };
    const holds = space.tag.holds[place.index] ?? this.#tags.emptyHolds();
    return { ...place, space, cell: -1, readers: [], outputs: [], streams: new Set(), slots: [], holds };
  }
}
