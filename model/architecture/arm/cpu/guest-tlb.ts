import { coversTlb, type TlbInvalidation, type TlbTarget } from '../commands/invalidation.ts';
import { ABSENT, complete, doom } from '../dvm/hold-state.ts';
import type { OutstandingTlbis } from '../dvm/outstanding.ts';
import type { HoldTable } from '../holds.ts';
import type { PhysicalMemory } from '../memory.ts';
import type { Tag, TagTable } from '../translation/tag.ts';
import { WalkGraph } from '../translation/walk-graph.ts';
import type { Leaf, WalkNode, WalkReader } from '../translation/walk-node.ts';
import { PAGE_BYTES, type InputAddress } from '../universe.ts';
import type { WalkStart } from './regime.ts';
import { SaturatedWalks } from './saturated-walks.ts';

/** What VTTBR_EL2 says. */
export interface GuestContext {
  /** Physical address of the stage 2 table, or of the first of several side by side. */
  readonly table: number;
  readonly vmid: number;
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
  readonly tags: TagTable;
  readonly outstanding: () => OutstandingTlbis;
  readonly watch: (pa: number, stage: 2, reader: WalkReader) => void;
  readonly start: WalkStart;
  readonly ipas: readonly InputAddress[];
}

/**
 * Stage 2 of a TLB, saturated: what guests whose stage 1 is off may leave there.
 *
 * Two kinds of entries: those of stage 2 alone (tables and leaves, by IPA), and combined ones, which an access uses. The
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
  readonly #holds: HoldTable;
  readonly #tags: TagTable;
  readonly #start: WalkStart;
  readonly #ipas: readonly InputAddress[];
  readonly #entriesOf = new Map<Leaf, GuestEntry[]>();
  readonly #starts = new Map<string, WalkNode>();

  constructor({ memory, holds, tags, outstanding, watch, start, ipas }: GuestParts) {
    this.#holds = holds;
    this.#tags = tags;
    this.#start = start;
    this.#ipas = ipas;
    this.graph = new WalkGraph(memory, holds, tags, (pa, reader) => watch(pa, 2, reader));
    this.walks = new SaturatedWalks({ graph: this.graph, holds, outstanding, raised: (leaf) => this.#combine(leaf) });
  }

  /** A CPU has loaded VTTBR_EL2: accesses and walks of this VMID may be made, whenever the CPU likes. */
  load(context: GuestContext): void {
    const start = this.#startOf(context);
    const fresh = !this.walks.isLoaded(start.tag);
    this.walks.load(start);
    if (!fresh) return;
    for (const { leaves } of start.tag.holds)
      for (const leaf of leaves) if (this.#holds.state(leaf.cell) !== ABSENT) this.#combine(leaf);
  }

  /** A CPU has loaded another one. */
  unload(context: GuestContext): void {
    this.walks.unload(this.#startOf(context));
  }

  /** A TLBI has been executed: stage 2 first, for then it is known what combined entries can be made of again. */
  invalidate(command: TlbInvalidation, slot: number): void {
    this.walks.invalidate(command, slot);
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
    for (const { cell } of this.entries) this.#holds.set(cell, complete(this.#holds.state(cell), mask));
  }

  /** Entries that an access under a VMID may hit. */
  hits(vmid: number, address: number): readonly GuestEntry[] {
    const leaves = this.#tag(vmid).holds[address]?.leaves ?? [];
    return leaves
      .flatMap((leaf) => this.#entriesOf.get(leaf) ?? [])
      .filter((entry) => entry.address.index === address && this.#holds.state(entry.cell) !== ABSENT);
  }

  #combine(leaf: Leaf): void {
    for (const entry of this.#made(leaf)) {
      this.#holds.set(entry.cell, this.#fresher(entry, this.#holds.state(entry.cell)));
    }
  }

  /** Whether accesses that begin now make the entry. */
  #isMade({ through }: GuestEntry): boolean {
    return this.#holds.state(through.cell) !== ABSENT && this.walks.isLoaded(through.table.tag);
  }

  #fresher(entry: GuestEntry, state: number): number {
    return this.walks.inherit(state, this.#holds.state(entry.through.cell), entry);
  }

  #made(leaf: Leaf): readonly GuestEntry[] {
    let entries = this.#entriesOf.get(leaf);
    if (entries === undefined) {
      entries = leaf.addresses.map((address) => this.#entry(leaf, address));
      this.#entriesOf.set(leaf, entries);
      this.entries.push(...entries);
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
      const under = { tag: this.#tag(vmid), aset: 0, addresses: this.#ipas, space: undefined };
      start = this.graph.start(under, { ...this.#start, address: table });
      this.#starts.set(key, start);
      this.walks.add(start);
    }
    return start;
  }

  #tag(vmid: number): Tag {
    const tag = this.#tags.stageTwo(vmid);
    if (tag.holds.length === 0) tag.holds.push(...this.#ipas.map(() => this.#tags.emptyHolds()));
    return tag;
  }
}
