import type { Store } from '../../engine/store.ts';
import type { PasidEvent } from './events.ts';
import type { Verdict } from './violation.ts';

/** What the monitor watches. */
export interface PasidSetWorld {
  /** PASIDs are 1 … pasids; as many may be in sets. */
  readonly pasids: number;
  readonly owners: number;
  /** Sets that a run can have, 1 … sets. */
  readonly sets: number;
  /** Guest PASIDs are 1 … spids. */
  readonly spids: number;
}

/**
 * Sets of PASID numbers, and whose a number is.
 *
 * - `capacity-lost`: what sets have and what is left are all the numbers there are (kernel: `ioasid_set_alloc()`,
 *   `ioasid_adjust_set()` of the series).
 * - `freed-by-another`: nobody frees what another owner has (`ioasid_free()`: a number belongs to a set).
 * - `freed-twice`: a number is freed once, and is pending until it is reclaimed.
 * - `spid-two-numbers`: a guest PASID leads to one number of its set (`ioasid_attach_spid()`).
 * - `spid-astray`: a guest PASID is found to lead to what it was attached to, which is the guest's, and is not being freed
 *   (`ioasid_find_by_spid()`).
 */
export class PasidSetMonitor {
  readonly #store: Store;
  readonly #world: PasidSetWorld;
  /** For each number, its owner plus 1; and whether it has been freed. */
  readonly #owners: number;
  readonly #freed: number;
  /** For each set, what it has; and what is left, plus 1 (0: nobody has said). */
  readonly #quotas: number;
  readonly #available: number;
  /** For each owner and guest PASID, what it leads to. */
  readonly #spids: number;

  constructor(store: Store, world: PasidSetWorld) {
    this.#store = store;
    this.#world = world;
    this.#owners = store.reserve(world.pasids + 1, 'contract.pasid-sets.owners');
    this.#freed = store.reserve(world.pasids + 1, 'contract.pasid-sets.freed');
    this.#quotas = store.reserve(world.sets + 1, 'contract.pasid-sets.quotas');
    this.#available = store.reserve(1, 'contract.pasid-sets.available');
    this.#spids = store.reserve(world.owners * (world.spids + 1), 'contract.pasid-sets.spids');
  }

  /** Folds an event in. */
  on(event: PasidEvent): Verdict {
    switch (event.type) {
      case 'pasid.alloc':
        this.#store.set(this.#owners + event.pasid, event.owner + 1);
        this.#store.set(this.#freed + event.pasid, 0);
        return undefined;
      case 'pasid.reclaim':
        this.#store.set(this.#owners + event.pasid, 0);
        return undefined;
      case 'pasid.freed':
        return this.#onFreed(event.pasid, event.by);
      case 'pasid.set':
        this.#store.set(this.#quotas + event.set, event.quota);
        this.#store.set(this.#available, event.available + 1);
        return this.#checkCapacity(event.available);
      case 'pasid.spid':
        return this.#onSpid(event.owner, event.spid, event.pasid);
      case 'pasid.found':
        return this.#onFound(event.owner, event.spid, event.pasid);
      default:
        return undefined;
    }
  }

  #onFreed(pasid: number, by: number): Verdict {
    const owner = this.#store.get(this.#owners + pasid) - 1;
    if (by !== owner) {
      const who = by < 0 ? 'somebody else' : `VM${by}`;
      return broken('freed-by-another', `${who} frees PASID ${pasid}, and VM${owner} owns it.`);
    }
    if (this.#store.get(this.#freed + pasid) === 1)
      return broken('freed-twice', `PASID ${pasid} of VM${owner} is freed, and was freed before.`);
    this.#store.set(this.#freed + pasid, 1);
    return undefined;
  }

  #checkCapacity(available: number): Verdict {
    let taken = 0;
    for (let set = 1; set <= this.#world.sets; set++) taken += this.#store.get(this.#quotas + set);
    if (taken + available === this.#world.pasids) return undefined;
    return broken(
      'capacity-lost',
      `Sets have ${taken} numbers and ${available} are left, of ${this.#world.pasids} that there are.`,
    );
  }

  #onSpid(owner: number, spid: number, pasid: number): Verdict {
    const cell = this.#spid(owner, spid);
    const before = this.#store.get(cell);
    this.#store.set(cell, pasid);
    if (pasid === 0 || before === 0) return undefined;
    return broken(
      'spid-two-numbers',
      `Guest PASID ${spid} of VM${owner} leads to PASID ${pasid} from now on, and leads to ${before}.`,
    );
  }

  #onFound(owner: number, spid: number, pasid: number): Verdict {
    const leads = this.#store.get(this.#spid(owner, spid));
    const whose = this.#store.get(this.#owners + pasid) - 1;
    const what = `Guest PASID ${spid} of VM${owner} is found to be PASID ${pasid}`;
    if (whose !== owner) return broken('spid-astray', `${what}, which ${whose < 0 ? 'nobody' : `VM${whose}`} owns.`);
    if (this.#store.get(this.#freed + pasid) === 1) return broken('spid-astray', `${what}, which has been freed.`);
    if (leads === pasid) return undefined;
    return broken('spid-astray', `${what}, and leads to ${leads === 0 ? 'none' : leads}.`);
  }

  #spid(owner: number, spid: number): number {
    return this.#spids + owner * (this.#world.spids + 1) + spid;
  }
}

function broken(rule: string, message: string): Verdict {
  return { monitor: 'pasid', rule, message, data: {} };
}
