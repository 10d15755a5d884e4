import { step, type Step, type Task } from '../../../engine/step.ts';
import { AP, encode, STAGE1_LEAF } from '../../../model/architecture/arm/layout/index.ts';
import type { Memory } from '../../platform/index.ts';
import { hex } from '../format.ts';
import type { Arm64Mm, Arm64MmContext } from './mm.ts';
import type { Arm64Tlbflush } from './tlbflush.ts';

const ENTRY_BYTES = 8;
const PAGE_BYTES = 4096;

/** What the owner of the pages wants to hear, in the same step. */
export interface PageOwner {
  /** The entry of a page is cleared. */
  unmapping(mm: Arm64Mm, va: number): void;
  /** Nobody can reach the page any more: it goes back to the allocator. */
  freed(mm: Arm64Mm, va: number): void;
  /** A page is mapped anew; returns its physical address. */
  mapping(mm: Arm64Mm, va: number): number;
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

/** Page table entries of processes (`arch/arm64/include/asm/pgtable.h`, `mm/memory.c`, Linux 6.1). */
export class Arm64Pgtable {
  protected readonly memory: Memory;
  protected readonly tlbflush: Arm64Tlbflush;
  protected readonly owner: PageOwner;
  protected readonly notifier: Arm64MmuNotifier | undefined;

  constructor(memory: Memory, tlbflush: Arm64Tlbflush, owner: PageOwner, notifier?: Arm64MmuNotifier) {
    this.memory = memory;
    this.tlbflush = tlbflush;
    this.owner = owner;
    this.notifier = notifier;
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
    const free = yield* step(`load PTE(${hex(va)})`, () => !this.isMapped(mm, va));
    if (free)
      yield* step(`set_pte(${hex(va)})`, () => {
        this.setPte(mm, va, this.owner.mapping(mm, va));
        return undefined;
      });
    yield* mm.ptl.unlock();
    return free;
  }

  /** Writes an entry, inside a step or during set-up. */
  setPte(mm: Arm64Mm, va: number, pa: number): void {
    const lanes = encode(STAGE1_LEAF, { Valid: 1, Page: 1, AP: AP.ANY_RW, AF: 1, nG: 1, Address: pa });
    this.memory.writeWords(this.entry(mm, va), lanes);
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

  protected isMapped(mm: Arm64Mm, va: number): boolean {
    return this.memory.low(this.entry(mm, va)) !== 0;
  }

  protected entry(mm: Arm64Mm, va: number): number {
    return mm.pgd + (va / PAGE_BYTES) * ENTRY_BYTES;
  }
}
