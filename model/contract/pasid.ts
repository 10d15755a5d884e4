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
  /** What reports call an owner, before its number; default: "VM". */
  readonly owner?: string;
}

/** What the monitor asks of the hardware. */
export interface PasidUse {
  /** The owner to whose space a PASID of a device leads, -1 for none. */
  entry(device: number, pasid: number): number;
  /** Bit set of the owners to whose space it may still lead by what is cached. */
  cached(device: number, pasid: number): number;
  /** Which caches lead a PASID of a device to the space of an owner, as "in …"; undefined: nobody can tell. */
  holders?(device: number, pasid: number, owner: number): string;
  /** Whether a device may use an entry of which some words are of one version and some of another. */
  torn?(device: number, pasid: number): boolean;
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
 * - `torn-entry`: an entry that a device may use is one that software has written, not words of two (VT-d §6.5.3.3; kernel:
 *   "iommu/vt-d: Clear Present bit before tearing down PASID entry").
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
          `PASID ${event.pasid} is returned to ${this.#name(event.owner)}, and ${this.#whose(event.pasid)}.`,
        );
      case 'pasid.unbound':
        if (event.by !== event.owner)
          return broken(
            'unbound-by-another',
            `${this.#name(event.by)} unbinds PASID ${event.pasid} of dev${event.device}, by which it is bound to ${this.#name(event.owner)}.`,
          );
        return this.#unbound(event.device, event.pasid, event.owner);
      case 'pasid.translated':
        this.#store.set(this.#translations + event.owner, event.pasid);
        return undefined;
      case 'pasid.quota':
        if (event.numbers <= event.quota) return undefined;
        return broken('quota-exceeded', `A set has ${event.numbers} numbers, of ${event.quota} that it may have.`);
      default:
        return undefined;
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
      return broken('two-owners', `PASID ${pasid} is given to ${this.#name(owner)}, and ${this.#whose(pasid)}.`);
    this.#store.set(this.#owners + pasid, owner + 1);
    return this.#live('reused-while-live', pasid, `is given to ${this.#name(owner)}`);
  }

  #live(rule: string, pasid: number, what: string): Verdict {
    for (let device = 0; device < this.#world.devices; device++) {
      const owner = this.#use.entry(device, pasid);
      const cached = this.#use.cached(device, pasid);
      if (owner < 0 && cached === 0) continue;
      const by =
        owner >= 0
          ? `its entry of dev${device} leads to ${this.#name(owner)}`
          : `dev${device} may have ${this.#name(lowest(cached))} cached under it${this.#holders(device, pasid, lowest(cached))}`;
      return broken(rule, `PASID ${pasid} ${what} while ${by}.`);
    }
    return undefined;
  }

  #unbound(device: number, pasid: number, owner: number): Verdict {
    const entry = this.#use.entry(device, pasid) === owner;
    const cached = (this.#use.cached(device, pasid) & (1 << owner)) !== 0;
    if (!entry && !cached) return undefined;
    const by = entry ? 'the PASID entry' : `what is cached of it${this.#holders(device, pasid, owner)}`;
    return broken(
      'reachable-after-unbind',
      `dev${device} can reach ${this.#name(owner)} by PASID ${pasid} and ${by} although unbind has returned.`,
    );
  }

  #checkEntry(device: number, pasid: number): Verdict {
    if (this.#use.torn?.(device, pasid) === true)
      return broken(
        'torn-entry',
        `dev${device} may use an entry of PASID ${pasid} that is half of one version and half of another.`,
      );
    const entry = this.#use.entry(device, pasid);
    const owner = this.#owner(pasid);
    if (entry < 0 || owner < 0 || entry === owner) return undefined;
    return broken(
      'wrong-space',
      `PASID ${pasid} of dev${device} leads to ${this.#name(entry)}, and ${this.#whose(pasid)}.`,
    );
  }

  #checkTranslation(owner: number): Verdict {
    const pasid = this.#store.get(this.#translations + owner);
    if (pasid === 0) return undefined;
    if (this.#world.strict && this.#owner(pasid) !== owner)
      return broken(
        'translated-unowned',
        `KVM translates to PASID ${pasid} for ${this.#name(owner)}, and ${this.#whose(pasid)}.`,
      );
    for (let device = 0; device < this.#world.devices; device++)
      if (this.#use.entry(device, pasid) >= 0) return undefined;
    return broken(
      'notify-order',
      `KVM translates to PASID ${pasid} for ${this.#name(owner)}, and no device is bound by it.`,
    );
  }

  #holders(device: number, pasid: number, owner: number): string {
    const holders = this.#use.holders?.(device, pasid, owner);
    return holders === undefined ? '' : ` ${holders}`;
  }

  #owner(pasid: number): number {
    return this.#store.get(this.#owners + pasid) - 1;
  }

  #name(owner: number): string {
    return `${this.#world.owner ?? 'VM'}${owner}`;
  }

  #whose(pasid: number): string {
    const owner = this.#owner(pasid);
    return owner < 0 ? 'nobody owns it' : `${this.#name(owner)} owns it`;
  }
}

function lowest(set: number): number {
  return 31 - Math.clz32(set & -set);
}

function broken(rule: string, message: string): Verdict {
  return { monitor: 'pasid', rule, message, data: {} };
}
