import type { ContractEvent } from './events.ts';
import { hex, type Verdict } from './violation.ts';

/** What the monitor asks of the architecture. */
export interface TableUse {
  /**
   * By what a walk may still reach memory in [pa, pa + size), in words ("walk cache: level 2 entry of space 0"), or
   * undefined if none can. Descriptors in memory that a walk can reach count like those held in a cache.
   */
  tableHeld(pa: number, size: number): { readonly text: string } | undefined;
}

/**
 * A page of a page table goes back to the allocator only when no walk can reach it: after it has been unlinked
 * and an invalidation that covers its walk-cache entries has completed. Otherwise the next owner's data are taken for
 * descriptors (kernel: `__arm_lpae_unmap` with `io_pgtable_tlb_flush_walk`; deferred: the gather's freelist).
 *
 * The monitor remembers nothing: the architecture knows what walks can reach.
 */
export class TableMonitor {
  readonly #use: TableUse;

  constructor(use: TableUse) {
    this.#use = use;
  }

  /** Folds an event in; events of other monitors are ignored. */
  on(event: ContractEvent): Verdict {
    if (event.type !== 'table.free') return undefined;
    const { pa, size } = event;
    const use = this.#use.tableHeld(pa, size)?.text;
    if (use === undefined) return undefined;
    const message = `The page table at ${hex(pa)} is freed while a walk may still reach it: ${use}.`;
    return {
      monitor: 'tables',
      rule: 'table-free-in-use',
      message,
      data: { pa: hex(pa), size, use, promise: event.type },
    };
  }
}
