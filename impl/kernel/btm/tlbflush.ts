import { afterMb, smp_mb } from '../../../engine/memory-order/barriers.ts';
import { step, type Step, type Task } from '../../../engine/step.ts';
import { loadAsid, type Arm64Tlbi } from '../arm64/index.ts';
import { hex } from '../format.ts';
import type { Mm } from '../objects.ts';
import type { BtmKernel } from './kernel.ts';

/** `USER_ASID_FLAG`: what the ASID of a process has set while it is not in the kernel, with KPTI. */
export const USER_ASID_FLAG = 1;

/**
 * Invalidation of what CPUs have cached of a process (`arch/arm64/include/asm/tlbflush.h`, Linux 6.1). The instructions
 * are broadcast, so an SMMU that takes part hears them as well.
 */
export class Arm64ProcessTlb {
  protected readonly kernel: BtmKernel;

  constructor(kernel: BtmKernel) {
    this.kernel = kernel;
  }

  /** `__flush_tlb_range()` of one page. @param lastLevel only entries of the last level were changed. */
  *flush_tlb_range(mm: Mm, va: number, lastLevel: boolean): Task {
    const asid = yield* this.asidAfterBarrier(mm);
    yield* this.tlbiPage(mm, va, asid, lastLevel);
    yield* this.dsbIsh();
  }

  /** `flush_tlb_mm()`: everything of a process. */
  *flush_tlb_mm(mm: Mm): Task {
    const asid = yield* this.asidAfterBarrier(mm);
    yield* this.tlbi(mm, asid, 'TLBI ASIDE1IS', (half) => ({ kind: 'ASIDE1', asid: half }));
    yield* this.dsbIsh();
  }

  /**
   * `dsb(ishst)` and `ASID(mm)`. The barrier sees to it that whoever walks under another ASID than the one that is loaded,
   * CPU or device, finds the entry cleared (comment above `ASID()` in `asm/mmu.h`).
   */
  protected asidAfterBarrier(mm: Mm): Step<number> {
    return afterMb(this.kernel.machine, this.loadAsid(mm));
  }

  protected loadAsid(mm: Mm): Step<number> {
    return loadAsid(this.kernel.contextOf(mm));
  }

  /** TLBI VALE1IS, or VAE1IS where tables go. */
  protected tlbiPage(mm: Mm, va: number, asid: number, lastLevel: boolean): Step<undefined> {
    const kind = lastLevel ? 'VALE1' : 'VAE1';
    return this.tlbi(mm, asid, `TLBI ${kind}IS ${hex(va)}`, (half) => ({ kind, asid: half, va }));
  }

  /** `__tlbi()` and, with KPTI, `__tlbi_user()`, with nothing in between that could tell them apart. */
  protected tlbi(mm: Mm, asid: number, name: string, of: (asid: number) => Arm64Tlbi): Step<undefined> {
    const halves = this.halvesOf(asid);
    return step(`${name}, ASID ${halves.join(' and ')}`, () => {
      const { cpu, machine } = this.kernel;
      this.kernel.emit({ type: 'tlbi', by: 'broadcast', space: mm.id.value });
      for (const half of halves) cpu.tlbi(cpu.smp_processor_id(machine.current), of(half), true);
      return undefined;
    });
  }

  /** The ASIDs that entries of a process may have. */
  protected halvesOf(asid: number): readonly number[] {
    return this.kernel.config.kpti ? [asid, asid | USER_ASID_FLAG] : [asid];
  }

  /** `dsb(ish)`, which completes what this CPU has broadcast, wherever it has an effect. */
  protected *dsbIsh(): Task {
    yield* step('DSB ISH', () => {
      const { cpu, machine } = this.kernel;
      smp_mb(machine);
      cpu.dsbIsh(cpu.smp_processor_id(machine.current));
      return undefined;
    });
  }
}
