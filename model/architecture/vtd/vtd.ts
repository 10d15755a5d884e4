import type { Store } from '../../../engine/store.ts';
import type { Lanes } from '../arm/layout/layout.ts';
import type { PhysicalMemory } from '../arm/memory.ts';
import { DeviceTlbs } from './device-tlb.ts';
import { EntryWords } from './entry-words.ts';
import { decodeInvalidation } from './invalidation.ts';
import { Iotlb } from './iotlb.ts';
import { PASID_ENTRY_BYTES } from './layout/pasid.ts';
import { PasidCache } from './pasid-cache.ts';
import { spacesOf } from './translations.ts';
import { checkUniverse, type VtdUniverse } from './universe.ts';

/** Bit sets of the spaces to which requests of a function with a PASID may lead, by what it is that leads there. */
export interface VtdReach {
  readonly pasidCache: number;
  readonly iotlb: number;
  readonly deviceTlb: number;
}

/**
 * Everything that VT-d hardware in scalable mode is permitted to hold of PASID entries, and of what they lead to: the saturated
 * model (caching mode 0). Whatever may be cached is cached, until an invalidation that covers it has been completed.
 *
 *     const vtd = new Vtd(store, memory, universe);
 *     vtd.memoryWritten(pa);             // a word of a PASID entry was written
 *     const done = vtd.submit(lanes);    // a descriptor was put into the invalidation queue
 *     vtd.completed(done);               // software has seen the status of a wait descriptor
 *     vtd.reach(0, 1);                   // where requests of function 0 with the universe's PASID 1 may lead
 *
 * Descriptors may be executed in any order, and each as late as possible: only a wait descriptor tells of those before it. A
 * fence is not taken account of, so that one more order is permitted than there is.
 */
export class Vtd {
  readonly universe: VtdUniverse;
  readonly #store: Store;
  readonly #cache: PasidCache;
  readonly #iotlb: Iotlb;
  readonly #deviceTlbs: DeviceTlbs;
  /** For each place, whether it has a torn entry. */
  readonly #torn: number;
  /** Descriptors that are outstanding. Those are numbered from 1; when there are none, numbers begin again. */
  readonly #outstanding: number;

  /** @throws RangeError see `checkUniverse`. */
  constructor(store: Store, memory: PhysicalMemory, universe: VtdUniverse) {
    checkUniverse(universe);
    this.universe = universe;
    this.#store = store;
    this.#cache = new PasidCache(store, memory, universe, new EntryWords(universe));
    this.#iotlb = new Iotlb(store, universe);
    this.#deviceTlbs = new DeviceTlbs(store, universe);
    this.#torn = store.reserve(universe.devices.length * universe.pasids.length, 'torn entries');
    this.#outstanding = store.reserve(1, 'invalidations outstanding');
    for (let place = 0; place < this.#places; place++) this.#cache.fetch(place);
    this.#settle();
  }

  /** Tells of a write to the 64-bit word at `pa`. */
  memoryWritten(pa: number): void {
    const directory = this.#isDirectory(pa);
    let fetched = false;
    for (let place = 0; place < this.#places; place++) {
      const entry = this.#cache.addressOf(place);
      if (entry === undefined || (!directory && !(pa >= entry && pa < entry + PASID_ENTRY_BYTES))) continue;
      this.#cache.fetch(place);
      this.#settlePlace(place);
      fetched = true;
    }
    if (fetched) this.#settleDevices();
  }

  /** Puts a descriptor into the queue. Returns its number, for `completed`. */
  submit(lanes: Lanes): number {
    const by = this.#store.get(this.#outstanding) + 1;
    this.#store.set(this.#outstanding, by);
    const invalidation = decodeInvalidation(lanes);
    switch (invalidation.kind) {
      case 'pasid-cache':
        this.#cache.invalidate(invalidation, by);
        break;
      case 'iotlb':
      case 'pasid-iotlb':
        this.#iotlb.invalidate(invalidation, by);
        break;
      case 'device-tlb':
        this.#deviceTlbs.invalidate(invalidation, by);
        break;
      case 'wait':
      case 'none':
    }
    // What a source is left for is filled again.
    this.#settle();
    return by;
  }

  /**
   * Software has seen that a wait descriptor is done: so are all descriptors before it. Whoever waits for one of these must
   * have been told when numbers begin again.
   */
  completed(wait: number): void {
    this.#cache.complete(wait);
    this.#iotlb.complete(wait);
    this.#deviceTlbs.complete(wait);
    if (wait >= this.#store.get(this.#outstanding)) this.#store.set(this.#outstanding, 0);
    this.#settle();
  }

  /** The space to which the PASID entry in memory leads; -1: to none. `pasid` is an index of the universe. */
  entry(device: number, pasid: number): number {
    return this.#cache.entrySpace(this.#place(device, pasid));
  }

  /** Where requests may lead by what is cached. */
  reach(device: number, pasid: number): VtdReach {
    const place = this.#place(device, pasid);
    let pasidCache = 0;
    let iotlb = this.#iotlb.madeFor(place);
    for (const lead of this.#cache.leads(place)) {
      if (lead === undefined) continue;
      pasidCache |= 1 << lead.space;
      iotlb |= this.#iotlb.found(place, lead);
    }
    const { universe } = this;
    return {
      pasidCache,
      iotlb: spacesOf(universe, iotlb),
      deviceTlb: spacesOf(universe, this.#deviceTlbs.of(place)),
    };
  }

  /** Whether a fetch may have given an entry that leads to no space: words of two entries, or an entry half written. */
  torn(device: number, pasid: number): boolean {
    return this.#store.get(this.#torn + this.#place(device, pasid)) !== 0;
  }

  /** The translations made for a function and PASID, as sets of bits (see `translations.ts`). */
  translations(device: number, pasid: number): { readonly iotlb: number; readonly deviceTlb: number } {
    const place = this.#place(device, pasid);
    return { iotlb: this.#iotlb.madeFor(place), deviceTlb: this.#deviceTlbs.of(place) };
  }

  #settle(): void {
    for (let place = 0; place < this.#places; place++) this.#settlePlace(place);
    this.#settleDevices();
  }

  /** What the entries that are held bring into the IOTLB. */
  #settlePlace(place: number): void {
    let torn = 0;
    for (const lead of this.#cache.leads(place))
      if (lead === undefined) torn = 1;
      else this.#iotlb.fill(place, lead);
    this.#store.set(this.#torn + place, torn);
  }

  /** … and what that, and the translations of others under the same tags, bring to the devices. */
  #settleDevices(): void {
    for (let place = 0; place < this.#places; place++) {
      let translations = this.#iotlb.madeFor(place);
      for (const lead of this.#cache.leads(place))
        if (lead !== undefined) translations |= this.#iotlb.found(place, lead);
      this.#deviceTlbs.fill(place, translations);
    }
  }

  #isDirectory(pa: number): boolean {
    const { devices, pasids } = this.universe;
    return devices.some(({ directory }) => pasids.some((pasid) => pa === directory + 8 * Math.floor(pasid / 64)));
  }

  get #places(): number {
    return this.universe.devices.length * this.universe.pasids.length;
  }

  #place(device: number, pasid: number): number {
    return device * this.universe.pasids.length + pasid;
  }
}
