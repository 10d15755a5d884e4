import { dma_wmb, wmb } from '../../engine/memory-order/barriers.ts';
import { step, type Step, type Task } from '../../engine/step.ts';
import {
  AP,
  encode,
  extract,
  levelShift,
  STAGE1_LEAF,
  startLevel,
  TABLE_DESCRIPTOR,
} from '../../model/architecture/arm/layout/index.ts';
import { READ, WRITE, type Permissions } from '../../model/contract/events.ts';
import { ATTRIBUTE_NORMAL } from './config-writer.ts';
import { hex } from './format.ts';
import type { Kernel } from './kernel.ts';
import type { Space } from './objects.ts';
import type { TlbRange } from './tlb.ts';

/** Last level of a translation table. */
export const LEAF_LEVEL = 3;
/** Level whose entries are the blocks that these tables use (2 MiB with 4 KiB pages). */
export const BLOCK_LEVEL = 2;

/** What an entry points to, as a number: 0 nothing, else the address with `TABLE` or `LEAF`, and `READ_ONLY`. */
export type EntryCode = number;

const LEAF = 1;
const TABLE = 3;
const READ_ONLY = 4;
/** Entries point to multiples of this. */
const ADDRESS_UNIT = 4096;
const INNER_SHAREABLE = 3;

/** A range that was removed from a page table and still has to be invalidated (`struct iommu_iotlb_gather`). */
export interface Gather {
  /** Bytes unmapped; 0: nothing to invalidate any more. */
  readonly size: number;
  /** Size of the leaf entries. */
  readonly granule: number;
}

/** VMSAv8-64 stage 1 tables (`io-pgtable-arm.c`), for private domains and for processes. */
export class ArmLpaeIoPgtable {
  protected readonly kernel: Kernel;
  readonly startLevel: number;
  readonly pageBytes: number;
  readonly blockBytes: number;

  constructor(kernel: Kernel) {
    const { granule, t0sz } = kernel.config;
    this.kernel = kernel;
    this.startLevel = startLevel(granule, 64 - t0sz);
    this.pageBytes = 2 ** granule;
    this.blockBytes = 2 ** levelShift(granule, BLOCK_LEVEL);
  }

  /**
   * `arm_lpae_map_pages()`: maps `size` bytes, in pages or, if it is one, as a block. `map.begin` is emitted by the
   * store that makes the first entry. Returns false if there is no memory for a table, or a block is in the way.
   */
  *arm_lpae_map_pages(space: Space, iova: number, pa: number, size: number, permissions: Permissions): Task<boolean> {
    const level = size === this.blockBytes ? BLOCK_LEVEL : LEAF_LEVEL;
    const table = yield* this.walkForMap(space, iova, level);
    if (table < 0) return false;
    if (level === BLOCK_LEVEL) {
      const entry = yield* this.readEntry(space, table, iova, level);
      if (isLeaf(entry)) return false;
      if (entry !== 0) yield* this.arm_lpae_unmap_table(space, table, iova, addressOf(entry));
    }
    const each = this.levelBytes(level);
    for (let at = 0; at < size; at += each)
      yield* this.arm_lpae_init_pte(space, table, { iova: iova + at, pa: pa + at, level, permissions }, () => {
        if (at === 0) this.kernel.emit({ type: 'map.begin', space: space.id.value, iova, size, pa, permissions });
      });
    yield* this.synchronisePtes();
    return true;
  }

  /** "Synchronise all PTE updates for the new mapping before there's a chance for anything to kick off a table walk". */
  protected *synchronisePtes(): Task {
    const { machine } = this.kernel;
    if (machine.buffers === undefined) return;
    yield* step('wmb', () => {
      wmb(machine);
      return undefined;
    });
  }

  /**
   * `arm_lpae_unmap_pages()`: removes `size` bytes of mappings. `unmap.begin` is emitted by the store that clears the
   * first entry. Table pages are invalidated and freed here; leaves are left to the caller (`Gather`). Returns
   * undefined if nothing is mapped or the range is part of a block.
   */
  *arm_lpae_unmap_pages(space: Space, iova: number, size: number): Task<Gather | undefined> {
    const level = size === this.blockBytes ? BLOCK_LEVEL : LEAF_LEVEL;
    const table = yield* this.walk(space, iova, level);
    if (table < 0) return undefined;
    const each = this.levelBytes(level);
    const begin = (): void => this.kernel.emit({ type: 'unmap.begin', space: space.id.value, iova, size });
    let gathered = 0;
    for (let at = 0; at < size; at += each) {
      const entry = yield* this.arm_lpae_clear_pte(space, table, iova + at, level, at === 0 ? begin : undefined);
      if (entry === 0) return undefined;
      if (isLeaf(entry)) gathered += each;
      else yield* this.arm_lpae_release_table(space, iova, addressOf(entry));
    }
    return { size: gathered, granule: each };
  }

  /** Removes the table under a block entry: `__arm_lpae_unmap()` of a table whose pages are not mapped any more. */
  *arm_lpae_unmap_table(space: Space, table: number, iova: number, next: number): Task {
    yield* this.arm_lpae_clear_pte(space, table, iova, BLOCK_LEVEL);
    yield* this.arm_lpae_release_table(space, iova, next);
  }

  /** A table that was unlinked: its walks are flushed before the page goes back to the allocator. */
  *arm_lpae_release_table(space: Space, iova: number, table: number): Task {
    yield* this.io_pgtable_tlb_flush_walk(space, iova);
    yield* this.free_table(table);
  }

  /** `io_pgtable_tlb_flush_walk()` of one block: leaves and walk caches, waiting for completion. */
  *io_pgtable_tlb_flush_walk(space: Space, iova: number): Task {
    const range = { iova: this.blockOf(iova), size: this.blockBytes, granule: this.pageBytes, leaf: false };
    yield* this.tlbInvRange(space, range);
  }

  /** The owner's invalidation of a range, waiting (`struct iommu_flush_ops`). */
  tlbInvRange(space: Space, range: TlbRange): Task {
    return this.kernel.tlb.arm_smmu_tlb_inv_range_domain(space, range);
  }

  /** `__arm_lpae_free_pages()` of one table. */
  free_table(table: number): Step<undefined> {
    return step(`free table ${hex(table)}`, () => {
      this.releasePage(table);
      return undefined;
    });
  }

  /**
   * Splits a block into pages that map the same memory, with break-before-make: the block goes and is flushed before
   * the table comes, so the range cannot be reached in between. The caller must have seen to it that nobody minds.
   */
  *split_block(space: Space, iova: number): Task<boolean> {
    const table = yield* this.walk(space, iova, BLOCK_LEVEL);
    if (table < 0) return false;
    const size = this.blockBytes;
    const entry = yield* this.arm_lpae_clear_pte(space, table, iova, BLOCK_LEVEL, () =>
      this.kernel.emit({ type: 'unmap.begin', space: space.id.value, iova, size }),
    );
    yield* this.tlbInvRange(space, { iova, size, granule: size, leaf: true });
    const pages = yield* this.allocSplitTable(entry);
    if (pages === 0) return false;
    yield* this.arm_lpae_install_split(space, { table, iova, pages, block: entry });
    return true;
  }

  /** Links the table of a split block; `map.begin` for the whole block, after the end of its unmap. `begin` runs first. */
  protected arm_lpae_install_split(space: Space, split: SplitTable, begin?: () => void): Step<undefined> {
    const { iova, pages, block } = split;
    const size = this.blockBytes;
    const permissions = permissionsOf(block);
    return step(`L2(${hex(iova)}) := table ${hex(pages)}`, () => {
      begin?.();
      const id = space.id.value;
      this.kernel.emit({ type: 'unmap.end', space: id, iova, size, lazy: false });
      this.kernel.emit({ type: 'map.begin', space: id, iova, size, pa: addressOf(block), permissions });
      this.storeTable(this.entryAt(space, split.table, iova, BLOCK_LEVEL), pages);
      return undefined;
    });
  }

  /** A table, not linked yet, whose pages map the memory of a block. */
  protected allocSplitTable(block: EntryCode): Step<number> {
    return step('alloc table', () => {
      const table = this.allocPage();
      if (table === 0) return 0;
      // A block is aligned to its size, so the pages differ in the low lane only.
      const [low = 0, high = 0] = this.leaf(addressOf(block), LEAF_LEVEL, permissionsOf(block));
      for (let at = 0; at < this.blockBytes; at += this.pageBytes)
        this.kernel.memory.writeWord(table + (at / this.pageBytes) * 8, low + at, high);
      return table;
    });
  }

  /** The table that holds the entry of `iova` at `level`; tables on the way are made. -1 if that is not possible. */
  *walkForMap(space: Space, iova: number, level: number): Task<number> {
    let table = 0;
    for (let at = this.startLevel; at < level; at++) {
      const entry = yield* this.readEntry(space, table, iova, at);
      if (isLeaf(entry)) return -1;
      const next = entry === 0 ? yield* this.arm_lpae_install_table(space, table, iova, at) : addressOf(entry);
      if (next < 0) return -1;
      table = next;
    }
    return table;
  }

  /** The table that holds the entry of `iova` at `level`, -1 if there is none. 0 means the top-level table. */
  *walk(space: Space, iova: number, level: number): Task<number> {
    let table = 0;
    for (let at = this.startLevel; at < level; at++) {
      const entry = yield* this.readEntry(space, table, iova, at);
      if (entry === 0 || isLeaf(entry)) return -1;
      table = addressOf(entry);
    }
    return table;
  }

  /**
   * `arm_lpae_install_table()`: a new table is linked by compare and exchange; who loses the race frees its own page and
   * uses the winner's. Returns the table linked, -1 if there is no memory or a block came in between.
   */
  *arm_lpae_install_table(space: Space, table: number, iova: number, level: number): Task<number> {
    const made = yield* step('alloc table', () => this.allocPage());
    if (made === 0) return -1;
    const before = yield* step(`cmpxchg L${level}(${hex(iova)}) 0 → table ${hex(made)}`, () => {
      const ptep = this.entryAt(space, table, iova, level);
      this.kernel.memory.settle(ptep);
      const current = this.decode(ptep, level);
      if (current === 0) this.storeTable(ptep, made);
      return current;
    });
    if (before === 0) return made;
    yield* this.free_table(made);
    return isLeaf(before) ? -1 : addressOf(before);
  }

  /** READ_ONCE of an entry. */
  readEntry(space: Space, table: number, iova: number, level: number): Step<EntryCode> {
    return step(
      `load L${level}(${hex(iova)})`,
      () => this.decode(this.entryAt(space, table, iova, level), level),
      entryText,
    );
  }

  /** Writes a leaf entry. `begin` runs in the same step. */
  arm_lpae_init_pte(space: Space, table: number, leaf: LeafEntry, begin: () => void): Step<undefined> {
    const lanes = this.leaf(leaf.pa, leaf.level, leaf.permissions);
    return step(`${entryName(leaf.level)}(${hex(leaf.iova)}) := ${hex(leaf.pa)}`, () => {
      begin();
      this.kernel.memory.writeWords(this.entryAt(space, table, leaf.iova, leaf.level), lanes);
      return undefined;
    });
  }

  /** Clears an entry and returns what it was. `begin` runs in the same step. */
  arm_lpae_clear_pte(space: Space, table: number, iova: number, level: number, begin?: () => void): Step<EntryCode> {
    return step(
      `${entryName(level)}(${hex(iova)}) := 0`,
      () => {
        begin?.();
        const ptep = this.entryAt(space, table, iova, level);
        const before = this.decode(ptep, level);
        this.kernel.memory.writeWord(ptep, 0, 0);
        return before;
      },
      () => undefined,
    );
  }

  /** `__arm_lpae_free_pgtable()` inside a step: unlinks and frees what is below `table`, which nobody walks any more. */
  freeTablesBelow(table: number, level: number): void {
    if (level === LEAF_LEVEL) return;
    for (let index = 0; index < this.entriesOf(level); index++) {
      const entry = this.decode(table + 8 * index, level);
      if (entry === 0) continue;
      this.kernel.memory.writeWord(table + 8 * index, 0, 0);
      if (isLeaf(entry)) continue;
      this.freeTablesBelow(addressOf(entry), level + 1);
      this.releasePage(addressOf(entry));
    }
  }

  /** A zeroed page for a table, inside a step; 0 if there is none. */
  allocPage(): number {
    const { failNth, pages } = this.kernel;
    const pa = failNth.shouldFail() ? 0 : pages.alloc();
    if (pa !== 0) this.kernel.emit({ type: 'table.alloc', pa, size: this.pageBytes });
    return pa;
  }

  /** Gives a table page back, inside a step: from now on it may hold anything. */
  releasePage(pa: number): void {
    this.kernel.emit({ type: 'table.free', pa, size: this.pageBytes });
    this.kernel.pages.free(pa);
  }

  /** Physical address of the entry of `iova` in a table of a level (table 0: the top-level table). Inside a step. */
  entryAt(space: Space, table: number, iova: number, level: number): number {
    const base = table === 0 ? space.pgd.value >>> 0 : table;
    const index = Math.floor(iova / this.levelBytes(level)) % this.entriesOf(level);
    return base + 8 * index;
  }

  /** What an entry in memory points to. Inside a step. */
  decode(ptep: number, level: number): EntryCode {
    const low = this.kernel.memory.low(ptep);
    if ((low & 1) === 0) return 0;
    const address = extract(TABLE_DESCRIPTOR.fields.Address, low, this.kernel.memory.high(ptep));
    if (level < LEAF_LEVEL && (low & 2) !== 0) return address + TABLE;
    const readOnly = extract(STAGE1_LEAF.fields.AP, low, 0) === AP.ANY_RO;
    return address + LEAF + (readOnly ? READ_ONLY : 0);
  }

  /** Bytes that one entry of a level covers. */
  levelBytes(level: number): number {
    return 2 ** levelShift(this.kernel.config.granule, level);
  }

  /** Start of the block that an address lies in. */
  blockOf(iova: number): number {
    return iova - (iova % this.blockBytes);
  }

  /**
   * Points an entry at a table by a cmpxchg that orders nothing, after the `dma_wmb` of `arm_lpae_install_table`: "Ensure the
   * table itself is visible before its PTE can be". Inside a step.
   */
  protected storeTable(ptep: number, table: number): void {
    dma_wmb(this.kernel.machine);
    this.linkTable(ptep, table);
  }

  /** The store of that cmpxchg. Inside a step. */
  protected linkTable(ptep: number, table: number): void {
    const [low = 0, high = 0] = encode(TABLE_DESCRIPTOR, { Valid: 1, Table: 1, Address: table });
    this.kernel.memory.exchangeWord(ptep, low, high);
  }

  /** Lanes of a leaf entry (`arm_lpae_prot_to_pte`): not global, accessed, write-back, never executable. */
  protected leaf(pa: number, level: number, permissions: Permissions): number[] {
    return encode(STAGE1_LEAF, {
      Valid: 1,
      Page: level === LEAF_LEVEL ? 1 : 0,
      AttrIndx: ATTRIBUTE_NORMAL,
      AP: (permissions & WRITE) === 0 ? AP.ANY_RO : AP.ANY_RW,
      SH: INNER_SHAREABLE,
      AF: 1,
      nG: 1,
      PXN: 1,
      UXN: 1,
      Address: pa,
    });
  }

  protected entriesOf(level: number): number {
    const { granule, t0sz } = this.kernel.config;
    const bits = level === this.startLevel ? 64 - t0sz - levelShift(granule, level) : granule - 3;
    return 2 ** bits;
  }
}

/** A leaf entry to be written. */
export interface LeafEntry {
  readonly iova: number;
  readonly pa: number;
  readonly level: number;
  readonly permissions: Permissions;
}

/** A table that is to replace a block. */
export interface SplitTable {
  /** Table that holds the block's entry; 0: the top-level table. */
  readonly table: number;
  readonly iova: number;
  /** The new table. */
  readonly pages: number;
  /** The block's entry. */
  readonly block: EntryCode;
}

/** Address that an entry points to. */
export function addressOf(entry: EntryCode): number {
  return entry - (entry % ADDRESS_UNIT);
}

/** What a leaf entry permits. */
export function permissionsOf(entry: EntryCode): Permissions {
  return Math.floor(entry / READ_ONLY) % 2 === 1 ? READ : READ | WRITE;
}

/** True if an entry is a block or a page. */
export function isLeaf(entry: EntryCode): boolean {
  return entry % 4 === LEAF;
}

function entryName(level: number): string {
  return level === LEAF_LEVEL ? 'PTE' : `L${level}`;
}

/** What an entry points to, in words. */
function entryText(entry: EntryCode): string {
  if (entry === 0) return 'nothing';
  return `${isLeaf(entry) ? 'page' : 'table'} ${hex(addressOf(entry))}`;
}
