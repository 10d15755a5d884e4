import { decodeInvalidation } from '../invalidation.ts';
import { decode, PASID_ENTRY, PGTT } from '../layout/index.ts';
import type { Lanes } from '../../arm/layout/layout.ts';
import type { VtdUniverse } from '../universe.ts';

/** A fetch under way or done: the words that it has read, as text. */
interface Fetch {
  readonly place: number;
  readonly words: readonly (string | undefined)[];
  doomed: boolean;
}

/** A translation that something holds. */
interface Translation {
  readonly where: 'iotlb' | 'device-tlb';
  readonly place: number;
  readonly did: number;
  readonly type: number;
  readonly space: number;
  readonly page: number;
  doomed: boolean;
}

/** Where an entry leads, by its fields. */
interface Entry {
  readonly did: number;
  readonly type: number;
  readonly space: number;
}

/** The same machine in plain lists of everything: each fetch by itself, each translation by itself. */
export class NaiveVtd {
  readonly #universe: VtdUniverse;
  readonly #memory: readonly string[][];
  #fetches: Fetch[] = [];
  #translations: Translation[] = [];

  constructor(universe: VtdUniverse) {
    this.#universe = universe;
    this.#memory = Array.from({ length: universe.devices.length * universe.pasids.length }, () => [
      '0,0',
      '0,0',
      '0,0',
    ]);
  }

  write(place: number, word: number, lanes: readonly number[]): void {
    (this.#memory[place] as string[])[word] = `${lanes[0]},${lanes[1]}`;
    this.#run();
  }

  submit(lanes: Lanes): void {
    const { pasids, devices, pages } = this.#universe;
    const invalidation = decodeInvalidation(lanes);
    const pasidOf = (place: number): number => pasids[place % pasids.length] as number;
    if (invalidation.kind === 'pasid-cache') {
      for (const fetch of this.#fetches) {
        const tag = fetch.words[1];
        const did = tag === undefined ? invalidation.did : fieldsOf(fetch.words).DID;
        const covers = invalidation.pasid < 0 || pasidOf(fetch.place) === invalidation.pasid;
        fetch.doomed ||= covers && (invalidation.did < 0 || did === invalidation.did);
      }
    } else if (invalidation.kind !== 'wait' && invalidation.kind !== 'none') {
      for (const translation of this.#translations) {
        const { where, place, did, type, page } = translation;
        if ((where === 'device-tlb') !== (invalidation.kind === 'device-tlb')) continue;
        const range = invalidation.pages;
        const number = pages[page] as number;
        if (range !== undefined && (number < range.first || number >= range.first + range.count)) continue;
        if (invalidation.pasid >= 0 && pasidOf(place) !== invalidation.pasid) continue;
        if (invalidation.kind === 'device-tlb') {
          const device = devices[Math.floor(place / pasids.length)];
          translation.doomed ||= device?.sourceId === invalidation.sourceId;
          continue;
        }
        if (invalidation.did >= 0 && did !== invalidation.did) continue;
        const first = type === PGTT.FIRST_STAGE || type === PGTT.PASS_THROUGH;
        translation.doomed ||= first === (invalidation.kind === 'pasid-iotlb');
      }
    }
    this.#run();
  }

  completeAll(): void {
    this.#fetches = this.#fetches.filter(({ doomed }) => !doomed);
    this.#translations = this.#translations.filter(({ doomed }) => !doomed);
    this.#run();
  }

  /** Bit sets of the spaces that a place leads to by each cache; `torn`: by entries that lead nowhere. */
  reach(place: number): { pasidCache: number; iotlb: number; deviceTlb: number; torn: boolean } {
    const entries = this.#entries(place);
    const bits = (spaces: readonly number[]): number => spaces.reduce((set, space) => set | (1 << space), 0);
    const held = this.#translations.filter(
      (translation) => translation.where === 'device-tlb' && translation.place === place,
    );
    return {
      pasidCache: bits(entries.flatMap((entry) => (entry === undefined ? [] : [entry.space]))),
      iotlb: bits(this.#found(place).map(({ space }) => space)),
      deviceTlb: bits(held.map(({ space }) => space)),
      torn: entries.includes(undefined),
    };
  }

  /** Whatever hardware can do, until nothing is new. */
  #run(): void {
    for (const [place, words] of this.#memory.entries()) {
      if (Number((words[0] as string).split(',')[0]) & 1) this.#add({ place, words: [words[0]], doomed: false });
      for (let at = 0; at < this.#fetches.length; at++) {
        const fetch = this.#fetches[at] as Fetch;
        if (fetch.place !== place) continue;
        for (const word of [1, 2])
          if (fetch.words[word] === undefined) {
            const next = [0, 1, 2].map((each) => (each === word ? words[word] : fetch.words[each]));
            this.#add({ place, words: next, doomed: fetch.doomed });
          }
      }
    }
    for (const place of this.#memory.keys())
      for (const entry of this.#entries(place))
        if (entry !== undefined) this.#hold('iotlb', place, entry.did, entry.type, entry.space);
    for (const [place] of this.#memory.entries())
      for (const { did, type, space, page } of this.#found(place))
        this.#holdPage('device-tlb', place, did, type, space, page);
  }

  #found(place: number): Translation[] {
    const count = this.#universe.pasids.length;
    const entries = this.#entries(place).filter((entry) => entry !== undefined);
    return this.#translations.filter((held) => {
      if (held.where !== 'iotlb') return false;
      if (held.place === place) return true;
      return entries.some(({ did, type }) => {
        if (did !== held.did) return false;
        const staged = (of: number): boolean => of === PGTT.SECOND_STAGE || of === PGTT.NESTED;
        return (
          (held.place % count === place % count && held.type !== PGTT.SECOND_STAGE) ||
          (staged(type) && staged(held.type))
        );
      });
    });
  }

  /** The entries that have been fetched whole. */
  #entries(place: number): (Entry | undefined)[] {
    return this.#fetches
      .filter((fetch) => fetch.place === place && fetch.words[1] !== undefined && fetch.words[2] !== undefined)
      .flatMap((fetch) => {
        const { PGTT: type, DID: did, SLPTPTR, FLPTPTR } = fieldsOf(fetch.words);
        if (type < 1 || type > 4) return [];
        const { spaces, dids } = this.#universe;
        const first = spaces.findIndex(({ firstStage }) => firstStage === FLPTPTR);
        const second = spaces.findIndex(({ secondStage }) => secondStage === SLPTPTR);
        const nested = first === second ? first : -1;
        const space = [-1, first, second, nested, spaces.length][type] as number;
        return [space < 0 || !dids.includes(did) ? undefined : { did, type, space }];
      });
  }

  #add(fetch: Fetch): void {
    const same = this.#fetches.find(
      ({ place, words }) => place === fetch.place && [0, 1, 2].every((word) => words[word] === fetch.words[word]),
    );
    if (same === undefined) this.#fetches.push(fetch);
    else same.doomed &&= fetch.doomed;
  }

  #hold(where: Translation['where'], place: number, did: number, type: number, space: number): void {
    for (const page of this.#universe.pages.keys()) this.#holdPage(where, place, did, type, space, page);
  }

  #holdPage(
    where: Translation['where'],
    ...[place, did, type, space, page]: readonly [number, number, number, number, number]
  ): void {
    const same = this.#translations.find(
      (held) =>
        held.where === where &&
        held.place === place &&
        held.did === did &&
        held.type === type &&
        held.space === space &&
        held.page === page,
    );
    if (same === undefined) this.#translations.push({ where, place, did, type, space, page, doomed: false });
    else same.doomed = false;
  }
}

function fieldsOf(words: readonly (string | undefined)[]): Record<'PGTT' | 'DID' | 'SLPTPTR' | 'FLPTPTR', number> {
  const lanes = [0, 1, 2, 3, 4, 5, 6, 7].flatMap((word) => (words[word] ?? '0,0').split(',').map(Number));
  return decode(PASID_ENTRY, lanes);
}
