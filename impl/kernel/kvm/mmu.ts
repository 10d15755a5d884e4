import type { Machine } from '../../../engine/machine.ts';
import { smp_mb } from '../../../engine/memory-order/barriers.ts';
import { step, type Step, type Task } from '../../../engine/step.ts';
import { encode, STAGE2_LEAF } from '../../../model/architecture/arm/layout/index.ts';
import type { Memory } from '../../platform/index.ts';
import { hex } from '../format.ts';
import type { KvmHyp } from './hyp.ts';
import type { Kvm } from './kvm.ts';

const ENTRY_BYTES = 8;
const PAGE_BYTES = 4096;
/** `MemAttr` of normal write-back memory (Arm ARM D8.6.6), and accesses that stage 2 permits. */
const WRITE_BACK = 0xf;
const READ_WRITE = 3;
const INNER_SHAREABLE = 3;

/** What the owner of a guest's pages wants to hear, in the same step. */
export interface Stage2Owner {
  /** The entry of a page is cleared. */
  unmapping(kvm: Kvm, ipa: number): void;
  /** Nobody can reach the page any more: it goes back to the allocator. */
  freed(kvm: Kvm, ipa: number): void;
  /** A page is mapped anew; returns its physical address. */
  mapping(kvm: Kvm, ipa: number): number;
}

/** Stage 2 tables of virtual machines (`arch/arm64/kvm/{mmu.c,hyp/pgtable.c}`, Linux 6.1), of one level. */
export class KvmMmu {
  protected readonly machine: Machine;
  protected readonly memory: Memory;
  protected readonly hyp: KvmHyp;
  readonly #owner: Stage2Owner;
  readonly #ipas: readonly number[];

  /** @param ipas addresses of the pages that a machine has. */
  constructor(machine: Machine, memory: Memory, hyp: KvmHyp, owner: Stage2Owner, ipas: readonly number[]) {
    this.machine = machine;
    this.memory = memory;
    this.hyp = hyp;
    this.#owner = owner;
    this.#ipas = ipas;
  }

  /**
   * `kvm_unmap_gfn_range()` for one page: the host takes it back (an MMU notifier calls it before the page goes). False if
   * it is not mapped.
   */
  *kvm_unmap_gfn(cpu: number, kvm: Kvm, ipa: number): Task<boolean> {
    yield* kvm.mmuLock.lock();
    const mapped = yield* step(`load PTE(${hex(ipa)})`, () => this.memory.low(this.#entry(kvm, ipa)) !== 0);
    if (mapped) yield* this.stage2_put_pte(cpu, kvm, ipa);
    yield* kvm.mmuLock.unlock();
    return mapped;
  }

  /** `user_mem_abort()`: a stage 2 fault maps another page where there is none. False if there is one. */
  *user_mem_abort(kvm: Kvm, ipa: number): Task<boolean> {
    yield* kvm.mmuLock.lock();
    const free = yield* step(`load PTE(${hex(ipa)})`, () => this.memory.low(this.#entry(kvm, ipa)) === 0);
    if (free)
      yield* step(`set_pte(${hex(ipa)})`, () => {
        this.setPte(kvm, ipa, this.#owner.mapping(kvm, ipa));
        return undefined;
      });
    yield* kvm.mmuLock.unlock();
    return free;
  }

  /**
   * `kvm_free_stage2_pgd()`: the machine goes, with its table and pages, and is not flushed. No vCPU of it runs again; its
   * VMID goes to nobody before the next roll-over, which flushes.
   */
  *kvm_free_stage2_pgd(kvm: Kvm): Task {
    yield* kvm.mmuLock.lock();
    yield* step('kvm_pgtable_stage2_destroy', () => {
      for (const ipa of this.#ipas) {
        if (this.memory.low(this.#entry(kvm, ipa)) === 0) continue;
        this.#owner.unmapping(kvm, ipa);
        this.memory.writeWord(this.#entry(kvm, ipa), 0, 0);
        this.#owner.freed(kvm, ipa);
      }
      // The pages go back to the allocator, under locks of its own.
      smp_mb(this.machine);
      return undefined;
    });
    yield* kvm.mmuLock.unlock();
  }

  /** Writes an entry, inside a step or during set-up. */
  setPte(kvm: Kvm, ipa: number, pa: number): void {
    const lanes = encode(STAGE2_LEAF, {
      Valid: 1,
      Page: 1,
      MemAttr: WRITE_BACK,
      S2AP: READ_WRITE,
      SH: INNER_SHAREABLE,
      AF: 1,
      Address: pa,
    });
    this.memory.writeWords(this.#entry(kvm, ipa), lanes);
  }

  /** `stage2_put_pte()`, after which the page is free. */
  protected *stage2_put_pte(cpu: number, kvm: Kvm, ipa: number): Task {
    yield* this.kvm_clear_pte(kvm, ipa);
    yield* this.hyp.kvm_tlb_flush_vmid_ipa(cpu, kvm, ipa);
    yield* this.putPage(kvm, ipa);
  }

  /** `WRITE_ONCE(*ptep, 0)`. */
  protected kvm_clear_pte(kvm: Kvm, ipa: number): Step<undefined> {
    return step(`PTE(${hex(ipa)}) := 0`, () => {
      this.#owner.unmapping(kvm, ipa);
      this.memory.writeWord(this.#entry(kvm, ipa), 0, 0);
      return undefined;
    });
  }

  protected putPage(kvm: Kvm, ipa: number): Step<undefined> {
    return step(`free page of ${kvm.name} at ${hex(ipa)}`, () => {
      this.#owner.freed(kvm, ipa);
      return undefined;
    });
  }

  #entry(kvm: Kvm, ipa: number): number {
    return kvm.pgd + (ipa / PAGE_BYTES) * ENTRY_BYTES;
  }
}
