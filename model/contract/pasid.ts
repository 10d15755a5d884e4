import type { Store } from '../../engine/store.ts';
import type { PasidEvent } from './events.ts';
import type { Verdict } from './violation.ts';

/** What the monitor watches. */
export interface PasidWorld {
  readonly devices: number;
  /** PASIDs are 1 … pasids. */
  readonly pasids: number;
  readonly owners: number;
  /**
   * A number must be unused when it is free; else only when it is given out again (for allocators that rely on that being
   * late).
   */
  readonly strict: boolean;
}

/** What the monitor asks of the hardware. */
export interface PasidUse {
  /** The owner to whose space a PASID of a device leads, -1 for none. */
  entry(device: number, pasid: number): number;
  /** Bit set of the owners to whose space it may still lead by what is cached. */
  cached(device: number, pasid: number): number;
}

/**
 * The life of PASID numbers.
 *
 * - `reclaimed-while-live`, `reused-while-live`: a number goes back to the pool, or at least to its next owner, when no
 *   device has an entry of it and nothing of it is cached: a device that goes on would reach the next owner's space
 *   (seed: "IOASID extensions for guest SVA"; kernel: `ioasid_free()`, `intel_svm_unbind_gpasid()`).
 * - `two-owners`: a number has one owner at a time, and an allocation returns the one that its caller owns.
 * - `wrong-space`: what a PASID leads to belongs to the owner of the number.
 * - `reachable-after-unbind`: when unbind of a device has returned, it does not reach the space by this number.
 * - `unbound-by-another`: nobody takes down what another owner has bound by a number that was his before (kernel:
 *   `mm_pasid_drop()`, moved to `__mmdrop()`).
 * - `translated-unowned`: KVM translates a guest's PASID only to a number that its owner has.
 * - `notify-order`: KVM translates only to what some device is bound by: it is told last of a bind and first of an unbind or
 *   a free (seed: notifier priorities CPU, IOMMU, device).
 * - `quota-exceeded`: a set has no more numbers than its quota.
 */
export class PasidMonitor {
  readonly #store: Store;
  readonly #world: PasidWorld;
  readonly #use: PasidUse;
  /** For each number, its owner plus 1. */
  readonly #owners: number;
  /** For each owner, the number that KVM translates to. */
  readonly #translations: number;

  constructor(store: Store, world: PasidWorld, use: PasidUse) {
    this.#store = store;
    this.#world = world;
    this.#use = use;
    this.#owners = store.reserve(world.pasids + 1, 'contract.pasid.owners');
    this.#translations = store.reserve(world.owners, 'contract.pasid.translations');
  }

  /** Folds an event in. */
  on(event: PasidEvent): Verdict {
    switch (event.type) {
      case 'pasid.alloc':
        return this.#allocated(event.pasid, event.owner);
      case 'pasid.reclaim':
        this.#store.set(this.#owners + event.pasid, 0);
        return this.#world.strict
          ? this.#live('reclaimed-while-live', event.pasid, 'goes back to the pool')
          : undefined;
      case 'pasid.returned':
        if (this.#owner(event.pasid) === event.owner) return undefined;
        return broken(
          'two-owners',
          `PASID ${event.pasid} is returned to VM${event.owner}, and ${this.#whose(event.pasid)}.`,
        );
      case 'pasid.unbound':
        if (event.by !== event.owner)
          return broken(
            'unbound-by-another',
            `VM${event.by} unbinds PASID ${event.pasid} of dev${event.device}, by which it is bound to VM${event.owner}.`,
          );
        return this.#unbound(event.device, event.pasid, event.owner);
      case 'pasid.translated':
        this.#store.set(this.#translations + event.owner, event.pasid);
        return undefined;
      case 'pasid.quota':
        if (event.numbers <= event.quota) return undefined;
        return broken('quota-exceeded', `A set has ${event.numbers} numbers, of ${event.quota} that it may have.`);
    }
  }

  /** What must hold between any two steps. */
  check(): Verdict {
    for (let device = 0; device < this.#world.devices; device++)
      for (let pasid = 1; pasid <= this.#world.pasids; pasid++) {
        const verdict = this.#checkEntry(device, pasid);
        if (verdict !== undefined) return verdict;
      }
    for (let owner = 0; owner < this.#world.owners; owner++) {
      const verdict = this.#checkTranslation(owner);
      if (verdict !== undefined) return verdict;
    }
    return undefined;
  }

  #allocated(pasid: number, owner: number): Verdict {
    if (this.#owner(pasid) >= 0)
      return broken('two-owners', `PASID ${pasid} is given to VM${owner}, and ${this.#whose(pasid)}.`);
    this.#store.set(this.#owners + pasid, owner + 1);
    return this.#live('reused-while-live', pasid, `is given to VM${owner}`);
  }

  #live(rule: string, pasid: number, what: string): Verdict {
    for (let device = 0; device < this.#world.devices; device++) {
      const owner = this.#use.entry(device, pasid);
      const cached = this.#use.cached(device, pasid);
      if (owner < 0 && cached === 0) continue;
      const by =
        owner >= 0
          ? `its entry of dev${device} leads to VM${owner}`
          : `dev${device} may have VM${lowest(cached)} cached under it`;
      return broken(rule, `PASID ${pasid} ${what} while ${by}.`);
    }
    return undefined;
  }

  #unbound(device: number, pasid: number, owner: number): Verdict {
    const entry = this.#use.entry(device, pasid) === owner;
    const cached = (this.#use.cached(device, pasid) & (1 << owner)) !== 0;
    if (!entry && !cached) return undefined;
    const by = entry ? 'the PASID entry' : 'what is cached of it';
    return broken(
      'reachable-after-unbind',
      `dev${device} can reach VM${owner} by PASID ${pasid} and ${by} although unbind has returned.`,
    );
  }

  #checkEntry(device: number, pasid: number): Verdict {
    const entry = this.#use.entry(device, pasid);
    const owner = this.#owner(pasid);
    if (entry < 0 || owner < 0 || entry === owner) return undefined;
    return broken('wrong-space', `PASID ${pasid} of dev${device} leads to VM${entry}, and ${this.#whose(pasid)}.`);
  }

  #checkTranslation(owner: number): Verdict {
    const pasid = this.#store.get(this.#translations + owner);
    if (pasid === 0) return undefined;
    if (this.#world.strict && this.#owner(pasid) !== owner)
      return broken(
        'translated-unowned',
        `KVM translates to PASID ${pasid} for VM${owner}, and ${this.#whose(pasid)}.`,
      );
    for (let device = 0; device < this.#world.devices; device++)
      if (this.#use.entry(device, pasid) >= 0) return undefined;
    return broken('notify-order', `KVM translates to PASID ${pasid} for VM${owner}, and no device is bound by it.`);
  }

  #owner(pasid: number): number {
    return this.#store.get(this.#owners + pasid) - 1;
  }

  #whose(pasid: number): string {
    const owner = this.#owner(pasid);
    return owner < 0 ? 'nobody owns it' : `VM${owner} owns it`;
  }
}

function lowest(set: number): number {
  return 31 - Math.clz32(set & -set);
}

function broken(rule: string, message: string): Verdict {
  return { monitor: 'pasid', rule, message, data: {} };
}
