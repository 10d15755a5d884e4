import type { Store } from '../../../../engine/store.ts';
import { coversTlb, type TlbInvalidation } from '../commands/invalidation.ts';
import { HoldTable } from '../holds.ts';
import type { PhysicalMemory } from '../memory.ts';
import { interpretationKey, type Interpretation } from '../translation/descriptor-step.ts';
import { TagTable } from '../translation/tag.ts';
import { WalkGraph } from '../translation/walk-graph.ts';
import type { Leaf, WalkNode, WalkReader } from '../translation/walk-node.ts';
import type { InputAddress } from '../universe.ts';
import { startLevel } from '../layout/descriptor.ts';

/** What TTBR0_EL1 and the current ASID say. */
export interface CpuContext {
  /** Physical address of the translation table. */
  readonly table: number;
  readonly asid: number;
}

/** log2 of the bytes that TTBR0 translates, the least that there is (T0SZ = 48, FEAT_TTST): one level of 16 entries. */
const INPUT_BITS = 16;
const GRANULE = 12;
const VMID = 0;
const ASET = 0;

/** Stage 1 of EL1&0 as Linux sets it up, in the lower half of the address space. */
const CONTROLS: Omit<Interpretation, 'key'> = {
  granule: GRANULE,
  region: 0,
  inputBits: INPUT_BITS,
  outputBits: 48,
  affd: false,
  had: false,
  wxn: false,
  pan: false,
  tbi: false,
  el2: false,
  stage2: undefined,
};
const INTERPRETATION: Interpretation = { key: interpretationKey(CONTROLS), ...CONTROLS };

/** State of an entry in the hold table: not there, there, or there and covered by instructions that have not completed. */
const ABSENT = 0;
const HELD = 1;

/**
 * A TLB as full as any hardware may have it: every walk that the loaded contexts permit has been made, and what it found
 * stays until an invalidation that covers it has completed. It belongs to one CPU, or to several that share their entries
 * (TTBRn_ELx.CnP = 1, Arm ARM D8.16.3.4), of which a local instruction covers all.
 *
 * Instructions of several CPUs complete in any order, each by a DSB of its own CPU. So a doomed entry has the set of those
 * that may take it away, a bit (`mark`) for each; it goes with the first of them, unless it was walked again after.
 * Translation tables have one level: there is no walk cache for an invalidation to miss.
 */
export class CpuTlb {
  readonly #holds: HoldTable;
  readonly #tags: TagTable;
  readonly #graph: WalkGraph;
  readonly #addresses: readonly InputAddress[];
  readonly #readers = new Map<number, WalkReader[]>();

  /** @param capacity most entries, and starts of walks, that can ever come up. */
  constructor(store: Store, memory: PhysicalMemory, addresses: readonly InputAddress[], capacity: number) {
    this.#holds = new HoldTable(store, capacity, 'a CPU');
    this.#tags = new TagTable(addresses.length);
    this.#addresses = addresses;
    this.#graph = new WalkGraph(memory, this.#holds, this.#tags, (pa, reader) => {
      const readers = this.#readers.get(pa);
      if (readers === undefined) this.#readers.set(pa, [reader]);
      else readers.push(reader);
    });
  }

  /** A CPU has loaded a context: walks may start from it, whenever the CPU likes (speculation, Arm ARM D8.16 R_SQBCS). */
  load(context: CpuContext): void {
    const start = this.#start(context);
    this.#holds.set(start.cell, this.#holds.state(start.cell) + 1);
    for (const reader of start.readers) this.#walk(reader);
  }

  /** A CPU has loaded another context; what walks of this one have left behind stays. */
  unload(context: CpuContext): void {
    const start = this.#start(context);
    this.#holds.set(start.cell, this.#holds.state(start.cell) - 1);
  }

  /** A word of memory has changed. */
  written(pa: number): void {
    for (const reader of this.#readers.get(pa) ?? []) if (this.#isLoaded(reader.node)) this.#walk(reader);
  }

  /** An invalidation that `complete(mark)` completes. Walks that begin after it make again what memory still says. */
  invalidate(command: TlbInvalidation, mark: number): void {
    for (const leaf of this.#graph.leaves) {
      const state = this.#holds.state(leaf.cell);
      if (state === ABSENT || !coversTlb(command, leaf) || this.#isWalked(leaf)) continue;
      this.#holds.set(leaf.cell, HELD + ((state - HELD) | mark));
    }
  }

  /** The invalidations with these marks have completed. */
  complete(marks: number): void {
    for (const { cell } of this.#graph.leaves)
      if (((this.#holds.state(cell) - HELD) & marks) !== 0 && this.#holds.state(cell) !== ABSENT)
        this.#holds.set(cell, ABSENT);
  }

  /** Entries that an access under an ASID may hit, for one of the addresses. */
  hits(asid: number, address: number): readonly Leaf[] {
    const own = this.#tags.tag(VMID, asid).holds[address]?.leaves ?? [];
    const global = this.#tags.global(VMID, ASET).holds[address]?.leaves ?? [];
    return [...own, ...global].filter(({ cell }) => this.#holds.state(cell) !== ABSENT);
  }

  #start({ table, asid }: CpuContext): WalkNode {
    const under = { tag: this.#tags.tag(VMID, asid), aset: ASET, addresses: this.#addresses, space: undefined };
    const level = startLevel(GRANULE, INPUT_BITS);
    return this.#graph.start(under, { interpretation: INTERPRETATION, level, address: table });
  }

  #isLoaded(start: WalkNode): boolean {
    return this.#holds.state(start.cell) !== 0;
  }

  #walk(reader: WalkReader): void {
    for (const { cell } of this.#graph.resultOf(reader).leaves)
      if (this.#holds.state(cell) !== HELD) this.#holds.set(cell, HELD);
  }

  #isWalked(leaf: Leaf): boolean {
    return leaf.producers.some(
      (reader) => this.#isLoaded(reader.node) && this.#graph.resultOf(reader).leaves.includes(leaf),
    );
  }
}
