import type { Store } from '../../../../engine/store.ts';
import type { TlbInvalidation } from '../commands/invalidation.ts';
import { OutstandingTlbis } from './outstanding.ts';

/** Whoever hears the broadcasts of CPUs: an SMMU (IHI 0070 §3.17). One that does not take part does nothing. */
export interface DvmReceiver {
  /**
   * A CPU has executed a broadcast TLBI. What it covers goes when `complete` says so; until then either may be used.
   *
   * @param slot the number that it has until it completes (`OutstandingTlbis`). A slot may be heard again, with the same
   *   command, before it completes: what it covers now is then covered too.
   */
  invalidate(command: TlbInvalidation, slot: number): void;
  /**
   * TLBIs have completed: those of the slots whose bits (`1 << slot`) are set. Bits of TLBIs that were not broadcast are
   * among them.
   */
  complete(mask: number): void;
}

/** The TLB of one CPU, or of all that share one. */
export interface TlbOfCpus extends DvmReceiver {
  /** The CPUs that use it. */
  readonly cpus: readonly number[];
}

/** Carries TLBIs and their completion (DVM messages) to the TLBs of CPUs, and to whoever else hears broadcasts. */
export class DvmBus {
  /** What is on its way. */
  readonly outstanding: OutstandingTlbis;
  readonly #tlbs: readonly TlbOfCpus[];
  readonly #receivers: readonly DvmReceiver[];

  constructor(store: Store, cpus: number, tlbs: readonly TlbOfCpus[], receivers: readonly DvmReceiver[]) {
    this.outstanding = new OutstandingTlbis(store, cpus);
    this.#tlbs = tlbs;
    this.#receivers = receivers;
  }

  /** A CPU executes a TLBI, which in its local form concerns the TLBs that the CPU uses itself. */
  invalidate(cpu: number, command: TlbInvalidation, broadcast: boolean): void {
    this.#completed(this.outstanding.makeRoom(cpu));
    const slot = this.outstanding.issue(cpu, command, broadcast);
    for (const tlb of this.#tlbs) if (broadcast || tlb.cpus.includes(cpu)) tlb.invalidate(command, slot);
    if (broadcast) for (const receiver of this.#receivers) receiver.invalidate(command, slot);
  }

  /** A CPU executes a DSB (`OutstandingTlbis.complete`). */
  complete(cpu: number, shareable: boolean): void {
    this.#completed(this.outstanding.complete(cpu, shareable));
  }

  #completed(mask: number): void {
    if (mask === 0) return;
    for (const tlb of this.#tlbs) tlb.complete(mask);
    for (const receiver of this.#receivers) receiver.complete(mask);
  }
}
