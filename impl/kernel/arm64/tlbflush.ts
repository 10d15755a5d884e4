import type { Machine } from '../../../engine/machine.ts';
import { smp_mb, wmb } from '../../../engine/memory-order/barriers.ts';
import { step, type Step, type Task } from '../../../engine/step.ts';
import { hex } from '../format.ts';
import { loadAsid, type Arm64MmContext } from './mm.ts';
import type { Arm64Cpu, Arm64Tlbi } from './port.ts';

const PAGE_BYTES = 4096;

/**
 * Invalidation of the TLBs by address or ASID (`arch/arm64/include/asm/tlbflush.h`, Linux 6.1): a barrier, so that the changes
 * of the table are seen by walks that begin from now on, the instructions, and a barrier that waits for them.
 *
 * With KPTI (`kpti`) a process has entries under both ASIDs of its pair, so each instruction goes to both (`__tlbi_user()`).
 */
export class Arm64Tlbflush {
  protected readonly machine: Machine;
  protected readonly cpu: Arm64Cpu;
  protected readonly kpti: boolean;

  constructor(machine: Machine, cpu: Arm64Cpu, kpti = false) {
    this.machine = machine;
    this.cpu = cpu;
    this.kpti = kpti;
  }

  /**
   * `flush_tlb_page()`. The barrier in front sees to it that whoever gets a new ASID after the load of the old one walks a
   * table in which the entry is cleared (comment above `ASID()` in `asm/mmu.h`).
   */
  *flush_tlb_page(cpu: number, mm: Arm64MmContext, va: number): Task {
    yield* this.dsbIshst();
    const asid = yield* loadAsid(mm);
    yield* this.tlbi(cpu, { kind: 'VALE1', asid, va });
    yield* this.tlbiSync(cpu);
  }

  /**
   * `__flush_tlb_range()`, page by page.
   *
   * @param lastLevel no table was unlinked: entries of tables may stay (`last_level`).
   */
  *flush_tlb_range(cpu: number, mm: Arm64MmContext, start: number, end: number, lastLevel: boolean): Task {
    yield* this.dsbIshst();
    const asid = yield* loadAsid(mm);
    const kind = this.byAddress(lastLevel);
    for (let va = start; va < end; va += PAGE_BYTES) yield* this.tlbi(cpu, { kind, asid, va });
    yield* this.tlbiSync(cpu);
  }

  /** `flush_tlb_mm()`: everything of a process. */
  *flush_tlb_mm(cpu: number, mm: Arm64MmContext): Task {
    yield* this.dsbIshst();
    const asid = yield* loadAsid(mm);
    yield* this.tlbi(cpu, { kind: 'ASIDE1', asid });
    yield* this.tlbiSync(cpu);
  }

  /** The instruction for an address: that of tables too, unless there is none to forget. */
  protected byAddress(lastLevel: boolean): 'VALE1' | 'VAE1' {
    return lastLevel ? 'VALE1' : 'VAE1';
  }

  /** `dsb(ishst)`: what the CPU has stored is seen by walks that begin from now on. */
  dsbIshst(): Step<undefined> {
    return step('DSB ISHST', () => {
      wmb(this.machine);
      return undefined;
    });
  }

  /** `__tlbi()` and `__tlbi_user()`, to every CPU. */
  tlbi(cpu: number, instruction: Arm64Tlbi): Step<undefined> {
    return step(`TLBI ${showTlbi(instruction, true)}`, () => {
      for (const each of this.halves(instruction)) this.cpu.tlbi(cpu, each, true);
      return undefined;
    });
  }

  /** An instruction that names an ASID, for the kernel's half of a pair and for the user's. */
  protected halves(instruction: Arm64Tlbi): readonly Arm64Tlbi[] {
    if (!this.kpti || !('asid' in instruction)) return [instruction];
    return [instruction, { ...instruction, asid: instruction.asid | 1 }];
  }

  /** `__tlbi_sync_s1ish()`. */
  *tlbiSync(cpu: number): Task {
    yield* step('DSB ISH', () => {
      smp_mb(this.machine);
      this.cpu.dsbIsh(cpu);
      return undefined;
    });
  }
}

/** "VALE1IS 0x1000, ASID 1". @param broadcast the inner-shareable form. */
export function showTlbi(instruction: Arm64Tlbi, broadcast: boolean): string {
  const name = `${instruction.kind}${broadcast ? 'IS' : ''}`;
  switch (instruction.kind) {
    case 'VALE1':
    case 'VAE1':
      return `${name} ${hex(instruction.va)}, ASID ${instruction.asid}`;
    case 'ASIDE1':
      return `${name} ASID ${instruction.asid}`;
    case 'VMALLE1':
      return name;
  }
}
