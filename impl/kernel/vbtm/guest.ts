import { step, type Task } from '../../../engine/step.ts';
import { hex } from '../format.ts';
import { GuestSoftware, type GuestSpace } from '../nested/index.ts';
import type { TlbRange } from '../tlb.ts';
import type { VbtmKernel } from './kernel.ts';

/** Pages from which on an address space is flushed as a whole (`MAX_DVM_OPS` of Linux). */
const PAGES_MAX = 512;

/**
 * Guest software whose SMMU takes part in broadcasts, if the hypervisor offers that (vBTM): an address space is invalidated by
 * TLBI instructions of the guest's CPUs, which no hypervisor hears of, in place of commands, for which it has to exit.
 */
export class VbtmGuest extends GuestSoftware {
  declare protected readonly kernel: VbtmKernel;

  /** Whether the guest's firmware tables and identification registers say that its SMMU takes part. */
  get hasBtm(): boolean {
    return this.kernel.nesting.guestBtm === true;
  }

  /** `__flush_tlb_range()`: a TLBI for each page, or one for all of the ASID, then DSB. What device caches hold goes after. */
  override *invalidateRange(space: GuestSpace, range: TlbRange): Task {
    if (!this.hasBtm) return yield* super.invalidateRange(space, range);
    if (range.size === 0) return;
    const asid = yield* space.asid.load();
    yield* this.flushTlbRange(asid, range);
    yield* this.invalidateAtcs(space);
  }

  /** The instructions. */
  protected *flushTlbRange(asid: number, range: TlbRange): Task {
    const { guestCpu } = this.kernel;
    const pages = range.size / this.pgtable.pageBytes;
    if (pages >= PAGES_MAX) yield* guestCpu.tlbi(`guest: TLBI ASIDE1IS ASID ${asid}`, { kind: 'ASIDE1', asid });
    else
      for (let page = 0; page < pages; page++) {
        const va = range.iova + page * this.pgtable.pageBytes;
        const kind = range.leaf ? 'VALE1' : 'VAE1';
        yield* guestCpu.tlbi(`guest: TLBI ${kind}IS ASID ${asid}, ${hex(va)}`, { kind, asid, va });
      }
    yield* guestCpu.dsbIsh();
  }

  /** All of stage 1: TLBI VMALLE1IS, or a command. */
  override *invalidateAll(): Task {
    if (!this.hasBtm) return yield* super.invalidateAll();
    yield* this.kernel.guestCpu.tlbi('guest: TLBI VMALLE1IS', { kind: 'VMALLE1' });
    yield* this.kernel.guestCpu.dsbIsh();
  }
}

/** The step by which a guest's software waits for its TLBIs. */
export const GUEST_DSB = 'guest: DSB ISH';

/** Makes the step of `GuestCpu.dsbIsh`. */
export function guestDsb(run: () => void): ReturnType<typeof step<undefined>> {
  return step(GUEST_DSB, () => {
    run();
    return undefined;
  });
}
