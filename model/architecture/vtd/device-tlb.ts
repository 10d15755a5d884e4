import type { Store } from '../../../engine/store.ts';
import { Held } from './held.ts';
import type { DeviceTlbInvalidation } from './invalidation.ts';
import type { VtdUniverse } from './universe.ts';
import { covered, describeBits } from './translations.ts';

/** Device-TLBs (PCIe ATS; VT-d §4.1): every translation that a function could have been given, by PASID. */
export class DeviceTlbs {
  readonly #held: Held;
  readonly #universe: VtdUniverse;

  constructor(store: Store, universe: VtdUniverse) {
    this.#universe = universe;
    const { devices, pasids } = universe;
    this.#held = new Held(store, devices.length * pasids.length, 'device-TLB', (at, bits) => {
      const [device, pasid] = [Math.floor(at / pasids.length), pasids[at % pasids.length]];
      return `device-TLB of dev${device}, PASID ${pasid} ${describeBits(universe, bits)}`;
    });
  }

  /** What a translation request may bring. */
  fill(place: number, translations: number): void {
    if (this.#universe.devices[Math.floor(place / this.#universe.pasids.length)]?.ats === true)
      this.#held.fill(place, translations);
  }

  invalidate({ sourceId, pasid, pages }: DeviceTlbInvalidation, by: number): void {
    const { devices, pasids } = this.#universe;
    for (let place = 0; place < devices.length * pasids.length; place++)
      if (
        devices[Math.floor(place / pasids.length)]?.sourceId === sourceId &&
        (pasid < 0 || pasids[place % pasids.length] === pasid)
      )
        this.#held.doom(place, covered(this.#universe, pages), by);
  }

  complete(last: number): void {
    this.#held.complete(last);
  }

  /** What a function may use for a PASID. */
  of(place: number): number {
    return this.#held.of(place);
  }
}
