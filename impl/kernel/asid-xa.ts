import type { Machine } from '../../engine/machine.ts';
import { step, type Step } from '../../engine/step.ts';
import { ASID_MAX } from './format.ts';

/** Owner of an ASID as a number: 0 nobody, below `SHARED` the handle of a private domain, else a shared descriptor. */
export type AsidOwner = number;

/** Added to the handle of a shared context descriptor. */
const SHARED = 0x100;

/** The owner value of a private domain. */
export function domainOwner(handle: number): AsidOwner {
  return handle;
}

/** The owner value of a context descriptor that a process shares with the CPU. */
export function sharedOwner(handle: number): AsidOwner {
  return SHARED + handle;
}

/** Handle of the shared descriptor that owns an ASID, or 0. */
export function sharedHandle(owner: AsidOwner): number {
  return owner > SHARED ? owner - SHARED : 0;
}

/** The SMMU's ASIDs and their owners (`arm_smmu_asid_xa`): lowest free number first, from 1. */
export class AsidXa {
  readonly #machine: Machine;
  readonly #base: number;
  readonly #max: number;

  /** @param max highest ASID given out, at most `ASID_MAX`. */
  constructor(machine: Machine, max: number) {
    if (max > ASID_MAX) throw new RangeError(`ASIDs above ${ASID_MAX} do not fit an invalidation set`);
    this.#machine = machine;
    this.#max = max;
    this.#base = machine.store.reserve(ASID_MAX + 1, 'arm_smmu_asid_xa', (asid, owner) => {
      if (owner === 0) return `ASID ${asid} free`;
      return `ASID ${asid} owned by ${owner > SHARED ? `shared cd${owner - SHARED - 1}` : `domain${owner - 1}`}`;
    });
  }

  /** `xa_load` as a step. */
  load(asid: number): Step<AsidOwner> {
    return step(`xa_load(ASID ${asid})`, () => this.owner(asid));
  }

  /** Owner of an ASID, inside a step. */
  owner(asid: number): AsidOwner {
    return this.#machine.store.get(this.#base + asid);
  }

  /** `xa_alloc` inside a step: the lowest free ASID now belongs to `owner`. Returns it, or 0 when all are taken. */
  alloc(owner: AsidOwner): number {
    for (let asid = 1; asid <= this.#max; asid++) {
      if (this.owner(asid) !== 0) continue;
      this.#machine.store.set(this.#base + asid, owner);
      return asid;
    }
    return 0;
  }

  /** `xa_store` inside a step. */
  store(asid: number, owner: AsidOwner): void {
    this.#machine.store.set(this.#base + asid, owner);
  }
}
