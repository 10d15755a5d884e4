import { expect, test } from 'vitest';
import { encode, PASID_CACHE_GRANULARITY, PASID_ENTRY } from './layout/index.ts';
import { NaiveVtd } from './testing/naive.ts';
import { descriptors, entryOf, UNIVERSE, VtdWorld } from './testing/world.ts';

const PLACES = [0, 1, 2, 3];
const EMPTY = [0, 0];

/** The model and the naive one, side by side, in the hands of random software. */
class Pair {
  readonly #world = new VtdWorld();
  readonly #naive = new NaiveVtd(UNIVERSE);
  /** For each place, the lanes of the words of its entry. */
  readonly #entries = PLACES.map(() => [EMPTY, EMPTY, EMPTY]);
  readonly log: string[] = [];
  #state: number;

  constructor(seed: number) {
    this.#state = Math.imul(seed + 1, 0x9e37_79b1);
  }

  below(bound: number): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) | 0;
    return (this.#state >>> 10) % bound;
  }

  word(place: number, word: number, lanes: number[]): void {
    this.log.push(`place ${place} word ${word} := ${lanes.join()}`);
    (this.#entries[place] as number[][])[word] = lanes;
    this.#world.word(Math.floor(place / 2), 1 + (place % 2), word, lanes);
    this.#naive.write(place, word, lanes);
  }

  /** A new entry, as software should write it; nothing happens if something of the old one is held. */
  setUp(place: number): void {
    const held = this.#world.vtd.reach(Math.floor(place / 2), place % 2).pasidCache;
    if (held !== 0) return;
    const lanes = this.#randomEntry();
    for (const word of [1, 2, 0]) this.word(place, word, lanes[word] as number[]);
  }

  clearPresent(place: number): void {
    const [low = 0, high = 0] = this.#entries[place]?.[0] ?? EMPTY;
    this.word(place, 0, [low & ~1, high]);
  }

  /** Any word of any entry. */
  scribble(place: number): void {
    const word = this.below(3);
    this.word(place, word, this.below(3) === 0 ? EMPTY : (this.#randomEntry()[word] as number[]));
  }

  submit(): void {
    const [did, pasid] = [1 + this.below(2), 1 + this.below(2)];
    const lanes = [
      () => descriptors.pasidCache(did, pasid, [0, 1, 1, 3][this.below(4)] ?? PASID_CACHE_GRANULARITY.PASID),
      () => descriptors.pasidCache(did, pasid),
      () => descriptors.domain(did),
      () => descriptors.pasidIotlb(did, pasid),
      () => descriptors.page(did, pasid, this.below(2)),
      () => descriptors.deviceTlb(8 * (1 + this.below(2)), pasid),
    ][this.below(6)]?.() as number[];
    this.log.push(`submit ${lanes.join()}`);
    this.#world.vtd.submit(lanes);
    this.#naive.submit(lanes);
  }

  complete(): void {
    this.log.push('wait');
    this.#world.vtd.completed(this.#world.vtd.submit(descriptors.wait()));
    this.#naive.completeAll();
  }

  compare(exact: boolean): number {
    let known = 0;
    for (const place of PLACES) {
      const [device, pasid] = [Math.floor(place / 2), place % 2];
      const { vtd } = this.#world;
      const model = { ...vtd.reach(device, pasid), torn: vtd.torn(device, pasid) };
      const naive = this.#naive.reach(place);
      known |= naive.deviceTlb | naive.pasidCache;
      const caches = ['pasidCache', 'iotlb', 'deviceTlb'] as const;
      const within = caches.every((cache) => (naive[cache] & ~model[cache]) === 0) && (model.torn || !naive.torn);
      const same = caches.every((cache) => naive[cache] === model[cache]) && model.torn === naive.torn;
      if (!(exact ? same : within)) expect(model, this.log.join('\n')).toEqual(naive);
    }
    return known;
  }

  #randomEntry(): number[][] {
    const lanes = encode(PASID_ENTRY, entryOf(1 + this.below(4), 1 + this.below(2), this.below(2)));
    return [0, 1, 2].map((word) => lanes.slice(2 * word, 2 * word + 2));
  }
}

test.each([
  ['orderly', true],
  ['any', false],
])('%s software sees what the naive machine may do', (_kind, orderly) => {
  let known = 0;
  for (let seed = 0; seed < 60; seed++) {
    const pair = new Pair(seed);
    for (let step = 0; step < 40; step++) {
      const place = pair.below(4);
      const change = orderly
        ? [() => pair.setUp(place), () => pair.clearPresent(place)][pair.below(2)]
        : () => pair.scribble(place);
      [change, () => pair.submit(), () => pair.submit(), () => pair.complete()][pair.below(4)]?.();
      known += pair.compare(orderly);
    }
  }
  expect(known).toBeGreaterThan(0);
});
