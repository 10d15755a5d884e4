import type { Store } from '../../engine/store.ts';
import type { PasidEvent, PasidNotice } from './events.ts';
import type { PasidUse } from './pasid.ts';
import type { Verdict } from './violation.ts';

/** What the monitor watches. */
export interface PasidListenerWorld {
  readonly devices: number;
  /** PASIDs are 1 … pasids. */
  readonly pasids: number;
  readonly owners: number;
}

const NOTICES: readonly PasidNotice[] = ['ALLOC', 'FREE', 'BIND', 'UNBIND'];
const RANKS = ['the CPU', 'the IOMMU', 'a device'];

/**
 * Who hears of PASID numbers, when, and what he does then.
 *
 * - `told-out-of-order`: of FREE and UNBIND the CPU hears first and devices last, of BIND the other way round (seed: notifier
 *   priorities CPU, IOMMU, device).
 * - `event-lost`: when nothing is under way, KVM of a machine that listens knows the numbers that the machine has, and
 *   translates to what is bound, whenever it began to listen.
 * - `queue-by-freed`: no work queue of a device submits by a number that goes back to the pool.
 * - `reachable-after-removal`: a device that has gone has no entry. (What is cached of it is judged when it is unbound.)
 */
export class PasidListenerMonitor {
  readonly #store: Store;
  readonly #world: PasidListenerWorld;
  readonly #use: PasidUse;
  /** For each number and notice, the rank that has heard last, plus 1; 0: none yet. */
  readonly #ranks: number;
  /** For each number, its owner plus 1 while it is not freed. */
  readonly #active: number;
  /** For each owner: whether KVM listens, the bit set of what it knows, what it translates to. */
  readonly #listens: number;
  readonly #heard: number;
  readonly #translations: number;
  /** For each device, the number that its work queue submits by; and whether it has gone. */
  readonly #queues: number;
  readonly #gone: number;

  constructor(store: Store, world: PasidListenerWorld, use: PasidUse) {
    const { pasids, owners, devices } = world;
    this.#store = store;
    this.#world = world;
    this.#use = use;
    this.#ranks = store.reserve((pasids + 1) * NOTICES.length, 'contract.pasid-listeners.ranks');
    this.#active = store.reserve(pasids + 1, 'contract.pasid-listeners.active');
    this.#listens = store.reserve(owners, 'contract.pasid-listeners.listens');
    this.#heard = store.reserve(owners, 'contract.pasid-listeners.heard');
    this.#translations = store.reserve(owners, 'contract.pasid-listeners.translations');
    this.#queues = store.reserve(devices, 'contract.pasid-listeners.queues');
    this.#gone = store.reserve(devices, 'contract.pasid-listeners.gone');
  }

  /** Folds an event in. */
  on(event: PasidEvent): Verdict {
    const store = this.#store;
    switch (event.type) {
      case 'pasid.alloc':
        store.set(this.#active + event.pasid, event.owner + 1);
        return undefined;
      case 'pasid.freed':
        store.set(this.#active + event.pasid, 0);
        return undefined;
      case 'pasid.reclaim':
        store.set(this.#active + event.pasid, 0);
        return this.#onReclaim(event.pasid);
      case 'pasid.notice':
        store.set(this.#rank(event.pasid, event.notice), 0);
        return undefined;
      case 'pasid.told':
        return this.#onTold(event.pasid, event.notice, event.rank);
      case 'pasid.listens':
        store.set(this.#listens + event.owner, event.on ? 1 : 0);
        if (!event.on) store.set(this.#heard + event.owner, 0);
        return undefined;
      case 'pasid.heard': {
        const cell = this.#heard + event.owner;
        const bit = 1 << event.pasid;
        store.set(cell, event.on ? store.get(cell) | bit : store.get(cell) & ~bit);
        return undefined;
      }
      case 'pasid.translated':
        store.set(this.#translations + event.owner, event.pasid);
        return undefined;
      case 'pasid.queue':
        store.set(this.#queues + event.device, event.pasid);
        return undefined;
      case 'pasid.removed':
        store.set(this.#gone + event.device, event.on ? 1 : 0);
        return undefined;
      default:
        return undefined;
    }
  }

  /** What must hold between any two steps. */
  check(): Verdict {
    for (let device = 0; device < this.#world.devices; device++) {
      if (this.#store.get(this.#gone + device) === 0) continue;
      for (let pasid = 1; pasid <= this.#world.pasids; pasid++) {
        if (this.#use.entry(device, pasid) < 0) continue;
        return broken('reachable-after-removal', `dev${device} has gone, and its PASID ${pasid} leads somewhere.`);
      }
    }
    return undefined;
  }

  /** What must hold when nothing is under way. */
  atEnd(): Verdict {
    for (let pasid = 1; pasid <= this.#world.pasids; pasid++) {
      const owner = this.#store.get(this.#active + pasid) - 1;
      if (owner < 0 || this.#store.get(this.#listens + owner) === 0) continue;
      if ((this.#store.get(this.#heard + owner) & (1 << pasid)) === 0)
        return broken('event-lost', `KVM of VM${owner} listens, and has not heard that it has PASID ${pasid}.`);
      if (this.#isBound(pasid) && this.#store.get(this.#translations + owner) !== pasid)
        return broken('event-lost', `KVM of VM${owner} listens, and has not heard that PASID ${pasid} is bound.`);
    }
    return undefined;
  }

  #onTold(pasid: number, notice: PasidNotice, rank: number): Verdict {
    const cell = this.#rank(pasid, notice);
    const before = this.#store.get(cell) - 1;
    this.#store.set(cell, rank + 1);
    if (before < 0 || (notice === 'BIND' ? rank <= before : rank >= before)) return undefined;
    return broken('told-out-of-order', `${RANKS[rank]} hears ${notice} of PASID ${pasid} after ${RANKS[before]}.`);
  }

  #onReclaim(pasid: number): Verdict {
    for (let device = 0; device < this.#world.devices; device++)
      if (this.#store.get(this.#queues + device) === pasid)
        return broken('queue-by-freed', `PASID ${pasid} goes back to the pool, and dev${device} submits by it.`);
    return undefined;
  }

  #isBound(pasid: number): boolean {
    for (let device = 0; device < this.#world.devices; device++) if (this.#use.entry(device, pasid) >= 0) return true;
    return false;
  }

  #rank(pasid: number, notice: PasidNotice): number {
    return this.#ranks + pasid * NOTICES.length + NOTICES.indexOf(notice);
  }
}

function broken(rule: string, message: string): Verdict {
  return { monitor: 'pasid', rule, message, data: {} };
}
