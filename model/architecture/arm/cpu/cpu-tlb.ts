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
import { GuestTlb } from './guest-tlb.ts';
import type { WalkStart } from './regime.ts';
import { SaturatedWalks } from './saturated-walks.ts';

/** What TTBR0_EL1 and the current ASID say. */
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
  readonly start: WalkStart;
  readonly addresses: readonly InputAddress[];
  /** Stage 2, and the IPAs of guests that matter. */
  readonly guest?: { readonly start: WalkStart; readonly ipas: readonly InputAddress[] } | undefined;
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
  readonly #start: WalkStart;
  readonly #readers = new Map<number, WalkReader[]>();
  readonly #guestReaders = new Map<number, WalkReader[]>();
  /** Starts of walks, by ASID and table. */
  readonly #starts = new Map<number, Map<number, WalkNode>>();

  constructor({ store, memory, cpus, start, addresses, guest, capacity, outstanding }: CpuTlbParts) {
    this.cpus = cpus;
    this.holds = new HoldTable(store, capacity, 'a CPU');
    this.#tags = new TagTable(addresses.length);
    this.#addresses = addresses;
    this.#start = start;
    const { holds } = this;
    const tags = this.#tags;
    this.graph = new WalkGraph(memory, holds, tags, (pa, reader) => watch(this.#readers, pa, reader));
    this.walks = new SaturatedWalks({ graph: this.graph, holds, outstanding });
    if (guest === undefined) return;
    const watchGuest = (pa: number, _stage: 2, reader: WalkReader): void => watch(this.#guestReaders, pa, reader);
    this.guest = new GuestTlb({ ...guest, memory, holds, tags, outstanding, watch: watchGuest });
  }

  /** A CPU has loaded a context: walks may start from it, whenever the CPU likes (speculation, Arm ARM D8.16 R_SQBCS). */
  load(context: CpuContext): void {
    this.walks.load(this.#startOf(context));
  }

  /** A CPU has loaded another context; what walks of this one have left behind stays. */
  unload(context: CpuContext): void {
    this.walks.unload(this.#startOf(context));
  }

  /** A word of memory has changed. */
  written(pa: number): void {
    for (const reader of this.#readers.get(pa) ?? NONE) this.walks.reread(reader);
    for (const reader of this.#guestReaders.get(pa) ?? NONE) this.guest?.walks.reread(reader);
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
    const own = this.#tags.tag(VMID, asid).holds[address]?.leaves ?? NO_LEAVES;
    const global = this.#tags.global(VMID, ASET).holds[address]?.leaves ?? NO_LEAVES;
    return [...own, ...global].filter(({ cell }) => this.holds.state(cell) !== ABSENT);
  }

  #startOf({ table, asid }: CpuContext): WalkNode {
    let starts = this.#starts.get(asid);
    if (starts === undefined) {
      starts = new Map();
      this.#starts.set(asid, starts);
    }
    let start = starts.get(table);
    if (start === undefined) {
      const under = { tag: this.#tags.tag(VMID, asid), aset: ASET, addresses: this.#addresses, space: undefined };
      start = this.graph.start(under, { ...this.#start, address: table });
      starts.set(table, start);
      this.walks.add(start);
    }
    return start;
  }
}

const NONE: readonly WalkReader[] = [];
const NO_LEAVES: readonly Leaf[] = [];

function watch(readers: Map<number, WalkReader[]>, pa: number, reader: WalkReader): void {
  const known = readers.get(pa);
  if (known === undefined) readers.set(pa, [reader]);
  else known.push(reader);
}
