import { step, type Step, type Task } from '../../../engine/step.ts';
import { hex } from '../format.ts';
import { GuestSoftware, type GuestSpace } from '../nested/index.ts';
import type { TlbRange } from '../tlb.ts';
import type { VbtmKernel } from './kernel.ts';
import type { GuestTlbi } from './port.ts';

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
    const pages = range.size / this.pgtable.pageBytes;
    if (pages >= PAGES_MAX) yield* this.tlbi({ kind: 'ASIDE1', asid }, `ASID ${asid}`);
    else
      for (let page = 0; page < pages; page++) {
        const va = range.iova + page * this.pgtable.pageBytes;
        const kind = range.leaf ? 'VALE1' : 'VAE1';
        yield* this.tlbi({ kind, asid, va }, `ASID ${asid}, ${hex(va)}`);
      }
    yield* this.dsb();
  }

  /** A TLBI instruction. */
  protected tlbi(tlbi: GuestTlbi, of = ''): Step<undefined> {
    const { shareable } = this;
    const label = `guest: TLBI ${tlbi.kind}${shareable ? 'IS' : ''} ${of}`;
    return step(label.trimEnd(), () => {
      // A command that covers the same.
      this.kernel.emit({ type: 'tlbi.left-out', space: this.kernel.nesting.firstGuestSpace, commands: 1 });
      this.kernel.guestCpu.tlbi(tlbi, shareable);
      return undefined;
    });
  }

  /** The DSB that waits for them. */
  protected dsb(): Step<undefined> {
    const { shareable } = this;
    return step(`guest: DSB ${shareable ? 'ISH' : 'NSH'}`, () => {
      this.kernel.guestCpu.dsb(shareable);
      return undefined;
    });
  }

  /** Whether all CPUs of the inner shareable domain are concerned, and SMMUs, as for all that devices use. */
  protected get shareable(): boolean {
    return true;
  }

  /** All of stage 1: TLBI VMALLE1IS, or a command. */
  override *invalidateAll(): Task {
    if (!this.hasBtm) return yield* super.invalidateAll();
    yield* this.tlbi({ kind: 'VMALLE1' });
    yield* this.dsb();
  }
}
