import type { Machine } from '../../../engine/machine.ts';
import { smp_mb, wmb } from '../../../engine/memory-order/barriers.ts';
import { step, type Step, type Task } from '../../../engine/step.ts';
import { AP, encode, STAGE1_LEAF } from '../../../model/architecture/arm/layout/index.ts';
import type { Memory } from '../../platform/index.ts';
import { hex } from '../format.ts';
import type { Arm64Mm } from './mm.ts';
import type { Arm64Cpu } from './port.ts';

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

/** Page table entries of processes, and their invalidation (`arch/arm64/include/asm/{pgtable,tlbflush}.h`, Linux 6.1). */
export class Arm64Tlbflush {
  protected readonly machine: Machine;
  protected readonly memory: Memory;
  protected readonly cpu: Arm64Cpu;
  readonly #owner: PageOwner;

  constructor(machine: Machine, memory: Memory, cpu: Arm64Cpu, owner: PageOwner) {
    this.machine = machine;
    this.memory = memory;
    this.cpu = cpu;
    this.#owner = owner;
  }

  /** A page is unmapped and freed (`try_to_unmap_one()`, or `zap_pte_range()`). False if it is not mapped. */
  *unmap(cpu: number, mm: Arm64Mm, va: number): Task<boolean> {
    yield* mm.ptl.lock();
    const mapped = yield* step(`load PTE(${hex(va)})`, () => this.memory.low(this.#entry(mm, va)) !== 0);
    if (mapped) yield* this.ptep_clear_flush(cpu, mm, va);
    yield* mm.ptl.unlock();
    return mapped;
  }

  /** A page fault: another page is mapped where there is none. False if there is one. */
  *map(mm: Arm64Mm, va: number): Task<boolean> {
    yield* mm.ptl.lock();
    const free = yield* step(`load PTE(${hex(va)})`, () => this.memory.low(this.#entry(mm, va)) === 0);
    if (free)
      yield* step(`set_pte(${hex(va)})`, () => {
        this.setPte(mm, va, this.#owner.mapping(mm, va));
        return undefined;
      });
    yield* mm.ptl.unlock();
    return free;
  }

  /** Writes an entry, inside a step or during set-up. */
  setPte(mm: Arm64Mm, va: number, pa: number): void {
    const lanes = encode(STAGE1_LEAF, { Valid: 1, Page: 1, AP: AP.ANY_RW, AF: 1, nG: 1, Address: pa });
    this.memory.writeWords(this.#entry(mm, va), lanes);
  }

  /** `ptep_clear_flush()`, after which the page is free. */
  protected *ptep_clear_flush(cpu: number, mm: Arm64Mm, va: number): Task {
    yield* this.ptep_get_and_clear(mm, va);
    yield* this.flush_tlb_page(cpu, mm, va);
    yield* this.freePage(mm, va);
  }

  /**
   * `xchg_relaxed(ptep, 0)`, which orders nothing: its store may be seen late, like any other. (A store buffer delays it;
   * what the exchange returns is not needed.)
   */
  protected ptep_get_and_clear(mm: Arm64Mm, va: number): Step<undefined> {
    return step(`PTE(${hex(va)}) := 0`, () => {
      this.#owner.unmapping(mm, va);
      this.memory.writeWord(this.#entry(mm, va), 0, 0);
      return undefined;
    });
  }

  protected freePage(mm: Arm64Mm, va: number): Step<undefined> {
    return step(`free page of ${mm.name} at ${hex(va)}`, () => {
      this.#owner.freed(mm, va);
      return undefined;
    });
  }

  /**
   * `flush_tlb_page()`. The barrier in front sees to it that whoever gets a new ASID after the load of the old one walks a
   * table in which the entry is cleared (comment above `ASID()` in `asm/mmu.h`).
   */
  protected *flush_tlb_page(cpu: number, mm: Arm64Mm, va: number): Task {
    yield* this.dsbIshst();
    const asid = yield* mm.loadAsid();
    yield* this.tlbi(cpu, va, asid);
    yield* this.tlbiSync(cpu);
  }

  protected dsbIshst(): Step<undefined> {
    return step('DSB ISHST', () => {
      wmb(this.machine);
      return undefined;
    });
  }

  protected tlbi(cpu: number, va: number, asid: number): Step<undefined> {
    return step(`TLBI VALE1IS ${hex(va)}, ASID ${asid}`, () => {
      this.cpu.tlbiVale1is(cpu, va, asid);
      return undefined;
    });
  }

  /** `__tlbi_sync_s1ish()`. */
  protected *tlbiSync(cpu: number): Task {
    yield* step('DSB ISH', () => {
      smp_mb(this.machine);
      this.cpu.dsbIsh(cpu);
      return undefined;
    });
  }

  #entry(mm: Arm64Mm, va: number): number {
    return mm.pgd + (va / PAGE_BYTES) * ENTRY_BYTES;
  }
}
