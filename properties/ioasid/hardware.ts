import type { Store } from '../../engine/store.ts';
import type { PasidPort } from '../../impl/kernel/ioasid/index.ts';
import type { PasidUse } from '../../model/contract/pasid.ts';
import type { IoasidConfiguration } from './configuration.ts';
import { SmmuEntries } from './smmu-hardware.ts';
import { VtdEntries } from './vtd-hardware.ts';

/** What the driver has of the hardware, and what the contract asks of it. */
export type PasidHardware = PasidPort & PasidUse;

/** The hardware of a configuration. */
export function makeHardware(store: Store, configuration: IoasidConfiguration): PasidHardware {
  const { table } = configuration;
  if (table === 'abstract') return new PasidEntries(store, configuration);
  return table === 'smmu' ? new SmmuEntries(store, configuration) : new VtdEntries(store, configuration);
}

/**
 * PASID entries of devices, and all that may be cached of them: an entry is cached as soon as it is there, and until it was
 * flushed, so that the worst device is judged.
 */
export class PasidEntries implements PasidPort, PasidUse {
  readonly #store: Store;
  readonly #pasids: number;
  /** For each device and PASID, the owner plus 1; the set of owners that may be cached. */
  readonly #entries: number;
  readonly #cached: number;

  constructor(store: Store, { devices, pasids }: IoasidConfiguration) {
    this.#store = store;
    this.#pasids = pasids;
    const place = (at: number): string => `dev${Math.floor(at / (pasids + 1))}, PASID ${at % (pasids + 1)}`;
    this.#entries = store.reserve(
      devices * (pasids + 1),
      'PASID entry',
      (at, owner) => `${place(at)} ${owner === 0 ? 'not present' : `VM${owner - 1}`}`,
    );
    this.#cached = store.reserve(
      devices * (pasids + 1),
      'cached',
      (at, owners) => `cached of ${place(at)} {${[0, 1].filter((owner) => (owners & (1 << owner)) !== 0).join(', ')}}`,
    );
  }

  writeEntry(device: number, pasid: number, owner: number): void {
    const at = this.#at(device, pasid);
    this.#store.set(this.#entries + at, owner + 1);
    if (owner >= 0) this.#store.set(this.#cached + at, this.#store.get(this.#cached + at) | (1 << owner));
  }

  flush(device: number, pasid: number): void {
    const at = this.#at(device, pasid);
    const entry = this.#store.get(this.#entries + at);
    this.#store.set(this.#cached + at, entry === 0 ? 0 : 1 << (entry - 1));
  }

  entry(device: number, pasid: number): number {
    return this.#store.get(this.#entries + this.#at(device, pasid)) - 1;
  }

  cached(device: number, pasid: number): number {
    return this.#store.get(this.#cached + this.#at(device, pasid));
  }

  #at(device: number, pasid: number): number {
    return device * (this.#pasids + 1) + pasid;
  }
}
