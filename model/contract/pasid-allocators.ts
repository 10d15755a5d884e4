import type { Store } from '../../engine/store.ts';
import type { PasidEvent } from './events.ts';
import type { Verdict } from './violation.ts';

/**
 * Where PASID numbers come from, under a hypervisor whose they are.
 *
 * - `not-granted`: while a custom allocator is active, every number that is out is one that the hypervisor has given.
 * - `grant-lost`: while none is, the guest has no number of the hypervisor: nobody could give it back.
 *
 * Kernel: `ioasid_register_allocator()`, `ioasid_unregister_allocator()`; the rules at the top of `drivers/iommu/ioasid.c`.
 */
export class PasidAllocatorMonitor {
  readonly #store: Store;
  readonly #custom: number;
  /** Bit sets of numbers. */
  readonly #granted: number;
  readonly #out: number;

  constructor(store: Store) {
    this.#store = store;
    this.#custom = store.reserve(1, 'contract.pasid-allocators.custom');
    this.#granted = store.reserve(1, 'contract.pasid-allocators.granted');
    this.#out = store.reserve(1, 'contract.pasid-allocators.out');
  }

  /** Folds an event in. */
  on(event: PasidEvent): Verdict {
    switch (event.type) {
      case 'pasid.alloc':
        this.#change(this.#out, event.pasid, true);
        return undefined;
      case 'pasid.reclaim':
        this.#change(this.#out, event.pasid, false);
        return undefined;
      case 'pasid.granted':
        this.#change(this.#granted, event.pasid, event.on);
        return undefined;
      case 'pasid.allocator':
        this.#store.set(this.#custom, event.custom ? 1 : 0);
        return undefined;
      default:
        return undefined;
    }
  }

  /** What must hold between any two steps. */
  check(): Verdict {
    const granted = this.#store.get(this.#granted);
    if (this.#store.get(this.#custom) === 0) {
      if (granted === 0) return undefined;
      return broken(
        'grant-lost',
        `The hypervisor has given PASID ${lowest(granted)}, and no allocator can give it back.`,
      );
    }
    const wrong = this.#store.get(this.#out) & ~granted;
    if (wrong === 0) return undefined;
    return broken('not-granted', `PASID ${lowest(wrong)} is out, and the hypervisor has not given it.`);
  }

  #change(cell: number, pasid: number, on: boolean): void {
    const set = this.#store.get(cell);
    this.#store.set(cell, on ? set | (1 << pasid) : set & ~(1 << pasid));
  }
}

function lowest(set: number): number {
  return 31 - Math.clz32(set & -set);
}

function broken(rule: string, message: string): Verdict {
  return { monitor: 'pasid', rule, message, data: {} };
}
