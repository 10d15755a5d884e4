import { step, type Step, type Task } from '../../../engine/step.ts';
import { AP, encode, STAGE1_LEAF, TABLE_DESCRIPTOR } from '../../../model/architecture/arm/layout/index.ts';
import type { Memory } from '../../platform/index.ts';
import { hex } from '../format.ts';
import type { Arm64Mm, Arm64MmContext } from './mm.ts';
import type { Arm64Tlbflush } from './tlbflush.ts';

const ENTRY_BYTES = 8;
const PAGE_BYTES = 4096;
const ENTRIES = PAGE_BYTES / ENTRY_BYTES;

/** What the owner of the pages wants to hear, in the same step. */
export interface PageOwner {
  /** The entry of a page is cleared. */
  unmapping(mm: Arm64Mm, va: number): void;
  /** Nobody can reach the page any more: it goes back to the allocator. */
  freed(mm: Arm64Mm, va: number): void;
  /** A page is mapped anew; returns its physical address. */
  mapping(mm: Arm64Mm, va: number): number;
  /** Whether pages may be mapped at all: not once the process is gone. */
  hasVma(mm: Arm64Mm): boolean;
  /** Physical address of an empty table of the last level. */
  allocTable(mm: Arm64Mm): number;
  /** Nobody walks the table any more: it goes back to the allocator. */
  tableFreed(mm: Arm64Mm, table: number): void;
}

/** `struct mmu_notifier_ops` of a driver whose device translates by the table of a process (Linux 6.1). */
export interface Arm64MmuNotifier {
  /**
   * `invalidate_range()`, from `start` to `end` in bytes: entries are cleared and the CPUs' TLBs are flushed, pages and tables
   * are not free yet. It must not sleep: the lock of the page table may be held.
   */
  invalidate_range(cpu: number, mm: Arm64MmContext, start: number, end: number): Task;
  /** `release()`: the address space goes; nothing of it may be reached afterwards. */
  release(cpu: number, mm: Arm64MmContext): Task;
}

/** How the tables are, and who hears of changes. */
export interface PgtableOptions {
  /** Levels of the tables: the last one alone, or with one above it. Default 1. */
  readonly levels?: 1 | 2 | undefined;
  readonly notifier?: Arm64MmuNotifier | undefined;
}

/** Pages that are unmapped together, in bytes; all that a process has under one table of the last level, or part of it. */
export interface VaRange {
  readonly start: number;
  readonly end: number;
}

/** `struct mmu_gather`: addresses that were mapped, and the table that was unlinked, 0 for none. */
export interface Gathered {
  readonly pages: readonly number[];
  readonly table: number;
}

/** Page table entries of processes (`arch/arm64/include/asm/pgtable.h`, `mm/memory.c`, Linux 6.1). */
export class Arm64Pgtable {
  protected readonly memory: Memory;
  protected readonly tlbflush: Arm64Tlbflush;
  protected readonly owner: PageOwner;
  protected readonly levels: 1 | 2;
  protected readonly notifier: Arm64MmuNotifier | undefined;

  constructor(memory: Memory, tlbflush: Arm64Tlbflush, owner: PageOwner, options: PgtableOptions = {}) {
    this.memory = memory;
    this.tlbflush = tlbflush;
    this.owner = owner;
    this.levels = options.levels ?? 1;
    this.notifier = options.notifier;
  }

  /** A page is unmapped and freed (`try_to_unmap_one()`, or `zap_pte_range()`). False if it is not mapped. */
  *unmap(cpu: number, mm: Arm64Mm, va: number): Task<boolean> {
    yield* mm.ptl.lock();
    const mapped = yield* step(`load PTE(${hex(va)})`, () => this.isMapped(mm, va));
    if (mapped) yield* this.ptep_clear_flush_notify(cpu, mm, va);
    yield* mm.ptl.unlock();
    return mapped;
  }

  /** A page fault: another page is mapped where there is none. False if there is one. */
  *map(mm: Arm64Mm, va: number): Task<boolean> {
    yield* mm.ptl.lock();
    const free = yield* step(`load PTE(${hex(va)})`, () => this.mayMap(mm, va));
    if (free) {
      if (this.levels > 1) yield* this.pmd_populate(mm, va);
      yield* step(`set_pte(${hex(va)})`, () => {
        this.setPte(mm, va, this.owner.mapping(mm, va));
        return undefined;
      });
    }
    yield* mm.ptl.unlock();
    return free;
  }

  /**
   * `zap_pte_range()`, `free_pgtables()` and `tlb_finish_mmu()` of a range: entries are cleared, then the table that is not
   * needed any more is unlinked, then TLBs are flushed, by what was unlinked (`tlb_flush()` in `asm/tlb.h`), and the notifier
   * is told; pages and tables are free only then. (The kernel gives the lock back before the flush and keeps page faults out
   * by `mmap_lock`; here the one lock does both.)
   *
   * @param freeTables the table of the range serves nothing else.
   */
  *unmap_region(cpu: number, mm: Arm64Mm, range: VaRange, freeTables: boolean): Task {
    yield* mm.ptl.lock();
    const pages = yield* this.zap_range(mm, range);
    const table = freeTables && this.levels > 1 ? yield* this.pmd_clear(mm, range.start) : 0;
    if (pages.length > 0 || table !== 0) {
      yield* this.tlb_finish_mmu(cpu, mm, range, { pages, table });
    }
    yield* mm.ptl.unlock();
  }

  /**
   * `exit_mmap()`: the last user is gone. "If we are tearing down the address space then we only care about invalidating the
   * walk-cache" (`tlb_flush()`): nobody runs under the ASID, and it comes back after a flush of every TLB only. So pages go
   * at once, and only tables have to be waited for.
   */
  *exit_mmap(cpu: number, mm: Arm64Mm, range: VaRange): Task {
    if (this.notifier !== undefined) yield* this.notifier.release(cpu, mm);
    yield* mm.ptl.lock();
    const pages = yield* this.zap_range(mm, range);
    const table = this.levels > 1 ? yield* this.pmd_clear(mm, range.start) : 0;
    if (table !== 0) yield* this.tlbflush.flush_tlb_mm(cpu, mm);
    yield* this.freePages(mm, pages, table);
    yield* mm.ptl.unlock();
  }

  /** Writes an entry, inside a step or during set-up, when the table is there. */
  setPte(mm: Arm64Mm, va: number, pa: number): void {
    const lanes = encode(STAGE1_LEAF, { Valid: 1, Page: 1, AP: AP.ANY_RW, AF: 1, nG: 1, Address: pa });
    this.memory.writeWords(this.entry(mm, va), lanes);
  }

  /** Links an empty table, inside a step or during set-up, if there is none. */
  populate(mm: Arm64Mm, va: number): void {
    if (this.levels === 1 || this.tableOf(mm, va) !== 0) return;
    const lanes = encode(TABLE_DESCRIPTOR, { Valid: 1, Table: 1, Address: this.owner.allocTable(mm) });
    this.memory.writeWords(this.upperEntry(mm, va), lanes);
  }

  /** `tlb_finish_mmu()`: `tlb_flush()` and the notifier, then what was gathered is free. */
  protected *tlb_finish_mmu(cpu: number, mm: Arm64Mm, { start, end }: VaRange, { pages, table }: Gathered): Task {
    yield* this.tlbflush.flush_tlb_range(cpu, mm, start, end, table === 0);
    if (this.notifier !== undefined) yield* this.notifier.invalidate_range(cpu, mm, start, end);
    yield* this.freePages(mm, pages, table);
  }

  /** Clears the entries of a range; returns the addresses that were mapped. */
  protected *zap_range(mm: Arm64Mm, { start, end }: VaRange): Task<readonly number[]> {
    const mapped: number[] = [];
    for (let va = start; va < end; va += PAGE_BYTES) if (yield* this.ptep_get_and_clear_full(mm, va)) mapped.push(va);
    return mapped;
  }

  /** `ptep_get_and_clear()` of an entry that may be empty; says whether it was not. */
  protected ptep_get_and_clear_full(mm: Arm64Mm, va: number): Step<boolean> {
    return step(`xchg PTE(${hex(va)}) 0`, () => {
      if (!this.isMapped(mm, va)) return false;
      this.owner.unmapping(mm, va);
      this.memory.writeWord(this.entry(mm, va), 0, 0);
      return true;
    });
  }

  /** `pmd_populate()`, if there is no table: an empty one, seen before it is linked. */
  protected pmd_populate(mm: Arm64Mm, va: number): Step<undefined> {
    return step(`pmd_populate(${hex(va)})`, () => {
      this.populate(mm, va);
      return undefined;
    });
  }

  /** `pmd_clear()`, the table is unlinked; returns its address, 0 if there was none. */
  protected pmd_clear(mm: Arm64Mm, va: number): Step<number> {
    const show = (table: number): string | undefined => (table === 0 ? undefined : hex(table));
    return step(
      `pmd_clear(${hex(va)})`,
      () => {
        const table = this.tableOf(mm, va);
        if (table !== 0) this.memory.writeWord(this.upperEntry(mm, va), 0, 0);
        return table;
      },
      show,
    );
  }

  /** Pages and a table (0 for none) go back to the allocator (`tlb_batch_pages_flush()`, `tlb_table_flush()`). */
  protected freePages(mm: Arm64Mm, pages: readonly number[], table: number): Step<undefined> {
    return step(`free pages of ${mm.name}${table === 0 ? '' : ' and their table'}`, () => {
      for (const va of pages) this.owner.freed(mm, va);
      if (table !== 0) this.owner.tableFreed(mm, table);
      return undefined;
    });
  }

  /** `ptep_clear_flush_notify()`, after which the page is free. */
  protected *ptep_clear_flush_notify(cpu: number, mm: Arm64Mm, va: number): Task {
    yield* this.ptep_get_and_clear(mm, va);
    yield* this.tlbflush.flush_tlb_page(cpu, mm, va);
    if (this.notifier !== undefined) yield* this.notifier.invalidate_range(cpu, mm, va, va + PAGE_BYTES);
    yield* this.freePage(mm, va);
  }

  /**
   * `xchg_relaxed(ptep, 0)`, which orders nothing: its store may be seen late, like any other. (A store buffer delays it;
   * what the exchange returns is not needed.)
   */
  protected ptep_get_and_clear(mm: Arm64Mm, va: number): Step<undefined> {
    return step(`PTE(${hex(va)}) := 0`, () => {
      this.owner.unmapping(mm, va);
      this.memory.writeWord(this.entry(mm, va), 0, 0);
      return undefined;
    });
  }

  protected freePage(mm: Arm64Mm, va: number): Step<undefined> {
    return step(`free page of ${mm.name} at ${hex(va)}`, () => {
      this.owner.freed(mm, va);
      return undefined;
    });
  }

  /** Whether a page fault is to be served, with the lock held: not in a process whose last user is gone. */
  protected mayMap(mm: Arm64Mm, va: number): boolean {
    return this.owner.hasVma(mm) && !this.isMapped(mm, va);
  }

  protected isMapped(mm: Arm64Mm, va: number): boolean {
    return this.tableOf(mm, va) !== 0 && this.memory.low(this.entry(mm, va)) !== 0;
  }

  /** The table of the last level for an address, 0 if there is none. */
  protected tableOf(mm: Arm64Mm, va: number): number {
    if (this.levels === 1) return mm.pgd;
    return (this.memory.low(this.upperEntry(mm, va)) & ~(PAGE_BYTES - 1)) >>> 0;
  }

  protected entry(mm: Arm64Mm, va: number): number {
    return this.tableOf(mm, va) + ((va / PAGE_BYTES) % ENTRIES) * ENTRY_BYTES;
  }

  protected upperEntry(mm: Arm64Mm, va: number): number {
    return mm.pgd + Math.floor(va / (PAGE_BYTES * ENTRIES)) * ENTRY_BYTES;
  }
}
