import type { Store } from '../../../engine/store.ts';
import { CLASS, type Lead, type TranslationClass } from './entry-words.ts';
import { Held } from './held.ts';
import type { IotlbInvalidation } from './invalidation.ts';
import type { VtdUniverse } from './universe.ts';
import { covered, describeBits, everyPage } from './translations.ts';

const CLASSES = 3;

/**
 * The IOTLB and what else is cached of walks (VT-d §6.2): every translation that any held PASID entry could have given.
 *
 * Translations of a first stage and of both stages are tagged by domain-id and PASID, those of a second stage by domain-id
 * alone. An implementation may also keep with a translation for whom it was made, and use it for the same requester
 * whatever it knows of the PASID entry by then: so each is kept under the function and PASID of the request.
 *
 * *By PASID* covers first-stage and pass-through translations; *by domain* covers second-stage and nested ones: that is what
 * software is told to use for each (§6.5.3.3), and what else they may cover is not relied on. Of a nested translation, a
 * PASID-based invalidation drops the combined one, but not what the second stage gave, which leads to the same space.
 */
export class Iotlb {
  readonly #held: Held;
  readonly #universe: VtdUniverse;

  constructor(store: Store, universe: VtdUniverse) {
    this.#universe = universe;
    const { devices, pasids, dids } = universe;
    const each = dids.length * CLASSES;
    this.#held = new Held(store, devices.length * pasids.length * each, 'IOTLB', (at, bits) => {
      const place = Math.floor(at / each);
      const [device, pasid] = [Math.floor(place / pasids.length), pasids[place % pasids.length]];
      const did = dids[Math.floor((at % each) / CLASSES)];
      return `IOTLB of dev${device}, DID ${did}, PASID ${pasid} ${describeBits(universe, bits)}`;
    });
  }

  /** What the walks of a place bring: all the pages of a space. */
  fill(place: number, lead: Lead): void {
    this.#held.fill(this.#at(place, lead.did, lead.class), everyPage(this.#universe, lead.space));
  }

  invalidate({ kind, did, pasid, pages }: IotlbInvalidation, by: number): void {
    const { dids, pasids } = this.#universe;
    const bits = covered(this.#universe, pages);
    for (let place = 0; place < this.#places; place++) {
      if (pasid >= 0 && pasids[place % pasids.length] !== pasid) continue;
      for (let index = 0; index < dids.length; index++) {
        if (did >= 0 && dids[index] !== did) continue;
        if (kind === 'pasid-iotlb' || did < 0) this.#held.doom(this.#at(place, index, CLASS.FIRST), bits, by);
        if (kind === 'pasid-iotlb') continue;
        this.#held.doom(this.#at(place, index, CLASS.SECOND), bits, by);
        // The pages of nested translations are not those of the second stage.
        if (pages === undefined) this.#held.doom(this.#at(place, index, CLASS.NESTED), bits, by);
      }
    }
  }

  complete(last: number): void {
    this.#held.complete(last);
  }

  /** What was made for a function and PASID. */
  madeFor(place: number): number {
    let bits = 0;
    for (let did = 0; did < this.#universe.dids.length; did++)
      for (let each = 0; each < CLASSES; each++) bits |= this.#held.of(this.#at(place, did, each as TranslationClass));
    return bits;
  }

  /** What a function with a PASID entry finds under its tags, for whomever it was made. */
  found(place: number, { did, class: own }: Lead): number {
    const { pasids } = this.#universe;
    let bits = 0;
    for (let other = 0; other < this.#places; other++) {
      const samePasid = other % pasids.length === place % pasids.length;
      if (samePasid)
        bits |= this.#held.of(this.#at(other, did, CLASS.FIRST)) | this.#held.of(this.#at(other, did, CLASS.NESTED));
      if (own !== CLASS.FIRST)
        bits |= this.#held.of(this.#at(other, did, CLASS.SECOND)) | this.#held.of(this.#at(other, did, CLASS.NESTED));
    }
    return bits;
  }

  get #places(): number {
    return this.#universe.devices.length * this.#universe.pasids.length;
  }

  #at(place: number, did: number, each: TranslationClass): number {
    return (place * this.#universe.dids.length + did) * CLASSES + each;
  }
}
