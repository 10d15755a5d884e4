import type { Store } from '../../../engine/store.ts';
import type { PhysicalMemory } from '../arm/memory.ts';
import { extract } from '../arm/layout/layout.ts';
import { EntryWords, type Lead } from './entry-words.ts';
import { Held } from './held.ts';
import type { PasidCacheInvalidation } from './invalidation.ts';
import { PASID_DIRECTORY_ENTRY, PASID_ENTRY_BYTES, PASID_TABLE_ENTRIES } from './layout/pasid.ts';
import { nameOfSpace, type VtdUniverse } from './universe.ts';

const { P, SMPTBLPTR } = PASID_DIRECTORY_ENTRY.fields;

/** The codes of the words of an entry. */
type Words = readonly [number, number, number];

/**
 * The PASID-cache (VT-d §6.2): every PASID entry that may have been fetched. An entry is fetched word by word: the first
 * word first, which has P, then the others, at any time until an invalidation of the fetch has been completed. So an entry
 * whose first word is written last is fetched whole; one that changes while it is present gives every mix.
 *
 * It is tagged by source-id and PASID, and by the domain-id that the entry has itself.
 */
export class PasidCache {
  /** Sets of words 2, by function and PASID (a "place"), word 0 and word 1. */
  readonly #held: Held;
  readonly #words: EntryWords;
  readonly #universe: VtdUniverse;
  readonly #memory: PhysicalMemory;

  constructor(store: Store, memory: PhysicalMemory, universe: VtdUniverse, words: EntryWords) {
    this.#words = words;
    this.#universe = universe;
    this.#memory = memory;
    const [firsts, seconds] = words.counts;
    const { devices, pasids } = universe;
    const each = firsts * seconds;
    this.#held = new Held(store, devices.length * pasids.length * each, 'PASID-cache', (at, bits) => {
      const place = Math.floor(at / each);
      const [device, pasid] = [Math.floor(place / pasids.length), pasids[place % pasids.length]];
      const leads = this.#leadsOf(Math.floor((at % each) / seconds), at % seconds, bits);
      const spaces = leads.map((lead) => (lead === undefined ? 'a mix' : nameOfSpace(universe, lead.space)));
      return `PASID-cache of dev${device}, PASID ${pasid} {${spaces.join(', ')}}`;
    });
  }

  /** The words of the entry of a place in memory; undefined: it is not present. */
  inMemory(place: number): Words | undefined {
    const entry = this.addressOf(place);
    if (entry === undefined) return undefined;
    const first = this.#words.first(this.#memory.low(entry), this.#memory.high(entry));
    if (first === 0) return undefined;
    return [first, ...this.#others(entry)];
  }

  /** The space to which the entry in memory leads; -1: to none. */
  entrySpace(place: number): number {
    const words = this.inMemory(place);
    return words === undefined ? -1 : (this.#words.lead(...words)?.space ?? -1);
  }

  /** Byte address of the entry of a place; undefined: its directory entry is not present. */
  addressOf(place: number): number | undefined {
    const { pasids, devices } = this.#universe;
    const pasid = pasids[place % pasids.length] as number;
    const device = devices[Math.floor(place / pasids.length)];
    const entry = (device?.directory ?? 0) + 8 * Math.floor(pasid / PASID_TABLE_ENTRIES);
    if (!this.#memory.present(entry)) return undefined;
    const [low, high] = [this.#memory.low(entry), this.#memory.high(entry)];
    if (extract(P, low, high) === 0) return undefined;
    return extract(SMPTBLPTR, low, high) + PASID_ENTRY_BYTES * (pasid % PASID_TABLE_ENTRIES);
  }

  /** Fetches what memory has now: as a new fetch, and as what is left of fetches that have begun. */
  fetch(place: number): void {
    const entry = this.addressOf(place);
    if (entry === undefined || !this.#memory.present(entry)) return;
    const now = this.inMemory(place);
    if (now !== undefined) this.#held.fill(this.#at(place, now[0], now[1]), 1 << now[2]);
    const [second, third] = this.#others(entry);
    for (let first = 1; first < this.#words.counts[0]; first++) this.#goOn(place, first, second, third);
  }

  /** A descriptor covers entries by the domain-id that they were fetched with, of whichever function. */
  invalidate({ did, pasid }: PasidCacheInvalidation, by: number): void {
    const { pasids, devices, dids } = this.#universe;
    const [firsts, seconds] = this.#words.counts;
    for (let place = 0; place < devices.length * pasids.length; place++) {
      if (pasid >= 0 && pasids[place % pasids.length] !== pasid) continue;
      for (let first = 1; first < firsts; first++)
        for (let second = 0; second < seconds; second++)
          if (did < 0 || dids[second - 1] === did) this.#held.doom(this.#at(place, first, second), -1, by);
      this.fetch(place);
    }
  }

  complete(last: number): void {
    this.#held.complete(last);
  }

  /** Where what is held of a place leads; undefined: where software never meant it to lead. */
  leads(place: number): (Lead | undefined)[] {
    const [firsts, seconds] = this.#words.counts;
    const leads: (Lead | undefined)[] = [];
    for (let first = 1; first < firsts; first++)
      for (let second = 0; second < seconds; second++) {
        const bits = this.#held.of(this.#at(place, first, second));
        if (bits !== 0) leads.push(...this.#leadsOf(first, second, bits));
      }
    return leads;
  }

  #leadsOf(first: number, second: number, bits: number): (Lead | undefined)[] {
    return Array.from({ length: this.#words.counts[2] }, (_, third) => third)
      .filter((third) => (bits & (1 << third)) !== 0)
      .map((third) => this.#words.lead(first, second, third));
  }

  /** Fetches that began with a word 0 read the others now, or have read one of them before. */
  #goOn(place: number, first: number, second: number, third: number): void {
    const seconds = this.#words.counts[1];
    let before = 0;
    let lasting = 0;
    let by = 0;
    for (let other = 0; other < seconds; other++) {
      const at = this.#at(place, first, other);
      const held = this.#held.of(at);
      if (held === 0) continue;
      before |= held;
      lasting |= this.#held.lasting(at);
      by = Math.max(by, this.#held.doomedBy(at));
    }
    if (before === 0) return;
    for (let other = 0; other < seconds; other++) {
      const at = this.#at(place, first, other);
      if (other === second || this.#held.of(at) === 0) continue;
      if (this.#held.lasting(at) !== 0) this.#held.fill(at, 1 << third);
      else this.#held.fillDoomed(at, 1 << third, this.#held.doomedBy(at));
    }
    const at = this.#at(place, first, second);
    if (lasting !== 0) this.#held.fill(at, lasting | (1 << third));
    this.#held.fillDoomed(at, before | (1 << third), by);
  }

  /** The codes of words 1 and 2 of an entry. */
  #others(entry: number): [number, number] {
    const memory = this.#memory;
    return [
      this.#words.second(memory.low(entry + 8), memory.high(entry + 8)),
      this.#words.third(memory.low(entry + 16), memory.high(entry + 16)),
    ];
  }

  #at(place: number, first: number, second: number): number {
    return (place * this.#words.counts[0] + first) * this.#words.counts[1] + second;
  }
}
