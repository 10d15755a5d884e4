import type { Store } from '../../../../engine/store.ts';
import type { TlbInvalidation } from '../commands/invalidation.ts';
import type { TlbOfCpus } from '../dvm/bus.ts';
import { ABSENT } from '../dvm/hold-state.ts';
import type { OutstandingTlbis } from '../dvm/outstanding.ts';
import { HoldTable } from '../holds.ts';
import type { PhysicalMemory } from '../memory.ts';
import { TagTable } from '../translation/tag.ts';
import { WalkGraph } from '../translation/walk-graph.ts';
import type { Leaf, WalkNode, WalkReader } from '../translation/walk-node.ts';
import type { InputAddress } from '../universe.ts';
import { GuestTlb, type GuestParts } from './guest-tlb.ts';
import { Inheritance } from './inheritance.ts';
import type { WalkStart } from './regime.ts';
import { SaturatedWalks } from './saturated-walks.ts';

/** What TTBR0_EL1 or TTBR1_EL1 and the current ASID say. */
export interface CpuContext {
  /** Physical address of the translation table. */
  readonly table: number;
  readonly asid: number;
}

/** What a TLB is made of. */
export interface CpuTlbParts {
  readonly store: Store;
  readonly memory: PhysicalMemory;
  /** The CPUs that use it. */
  readonly cpus: readonly number[];
  /** Walks of the lower half of the address space, and of the upper. */
  readonly starts: readonly [WalkStart, WalkStart];
  readonly addresses: readonly InputAddress[];
  /** Stage 2, and the IPAs of guests that matter. */
  readonly guest: Pick<GuestParts, 'start' | 'ipas' | 'processes'> | undefined;
  /** Most entries, and starts of walks, that can ever come up. */
  readonly capacity: number;
  readonly outstanding: () => OutstandingTlbis;
}

const VMID = 0;
const ASET = 0;

/**
 * A TLB as full as any hardware may have it: every walk that the loaded contexts permit has been made, and what it found
 * stays until an invalidation that covers it has completed. It belongs to one CPU, or to several that share their entries
 * (TTBRn_ELx.CnP = 1, VTTBR_EL2.CnP = 1, Arm ARM D8.16.3.4), of which a local instruction covers all: it applies "to all
 * TLBs that could be used by the PE" (D8.17.5 I_BNSBV).
 */
export class CpuTlb implements TlbOfCpus {
  readonly cpus: readonly number[];
  readonly holds: HoldTable;
  /** Stage 1 of the host. */
  readonly graph: WalkGraph;
  readonly walks: SaturatedWalks;
  /** Guests; undefined where there are none. */
  readonly guest: GuestTlb | undefined;
  readonly #tags: TagTable;
  readonly #addresses: readonly InputAddress[];
  readonly #regions: readonly [WalkStart, WalkStart];
  readonly #readers = new Map<number, WalkReader[]>();
  /** What looks again at a word of a guest, or of the host for it. */
  readonly #guestReaders = new Map<number, (() => void)[]>();
  /** Starts of walks, by ASID and half of the address space, and by table. */
  readonly #starts = new Map<number, Map<number, WalkNode>>();

  constructor({ store, memory, cpus, starts, addresses, guest, capacity, outstanding }: CpuTlbParts) {
    this.cpus = cpus;
    this.holds = new HoldTable(store, capacity, cpus.map((cpu) => `CPU${cpu}`).join(', '));
    this.#tags = new TagTable(addresses.length);
    this.#addresses = addresses;
    this.#regions = starts;
    const { holds } = this;
    const inheritance = new Inheritance(outstanding);
    this.graph = new WalkGraph(memory, holds, this.#tags, (pa, reader) => listAt(this.#readers, pa).push(reader));
    this.walks = new SaturatedWalks({ graph: this.graph, holds, inheritance });
    if (guest === undefined) return;
    const watch: GuestParts['watch'] = (pa, reader, reread) =>
      listAt(this.#guestReaders, pa).push(() => reread(reader));
    this.guest = new GuestTlb({ ...guest, memory, holds, inheritance, watch });
  }

  /** A CPU has loaded a context: walks may start from it, whenever the CPU likes (speculation, Arm ARM D8.16 R_SQBCS). */
  load(context: CpuContext, region: 0 | 1): void {
    this.walks.load(this.#startOf(context, region));
  }

  /** A CPU has loaded another context; what walks of this one have left behind stays. */
  unload(context: CpuContext, region: 0 | 1): void {
    this.walks.unload(this.#startOf(context, region));
  }

  /** A word of memory has changed. */
  written(pa: number): void {
    for (const reader of this.#readers.get(pa) ?? NONE) this.walks.reread(reader);
    for (const reread of this.#guestReaders.get(pa) ?? []) reread();
  }

  /** A TLBI has been executed. Walks that begin after it make again what memory still says. */
  invalidate(command: TlbInvalidation, slot: number): void {
    this.walks.invalidate(command, slot);
    this.guest?.invalidate(command, slot);
  }

  /** TLBIs have completed. */
  complete(mask: number): void {
    this.walks.complete(mask);
    this.guest?.complete(mask);
  }

  /** Entries of the host that an access under an ASID may hit, for one of the addresses. */
  hits(asid: number, address: number): readonly Leaf[] {
    const hits: Leaf[] = [];
    for (const { holds } of [this.#tags.tag(VMID, asid), this.#tags.global(VMID, ASET)])
      for (const leaf of holds[address]?.leaves ?? []) if (this.holds.state(leaf.cell) !== ABSENT) hits.push(leaf);
    return hits;
  }

  #startOf({ table, asid }: CpuContext, region: 0 | 1): WalkNode {
    let starts = this.#starts.get(2 * asid + region);
    if (starts === undefined) {
      starts = new Map();
      this.#starts.set(2 * asid + region, starts);
    }
    let start = starts.get(table);
    if (start === undefined) {
      const under = { tag: this.#tags.tag(VMID, asid), aset: ASET, addresses: this.#addresses, space: undefined };
      start = this.graph.start(under, { ...this.#regions[region], address: table });
      starts.set(table, start);
      this.walks.add(start);
    }
    return start;
  }
}

const NONE: readonly WalkReader[] = [];

function listAt<Item>(lists: Map<number, Item[]>, key: number): Item[] {
  let list = lists.get(key);
  if (list === undefined) {
    list = [];
    lists.set(key, list);
  }
  return list;
}
