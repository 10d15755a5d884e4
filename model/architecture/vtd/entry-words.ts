import { extract } from '../arm/layout/layout.ts';
import { PASID_ENTRY, PGTT } from './layout/pasid.ts';
import type { VtdUniverse } from './universe.ts';

const { P, PGTT: TYPE, SLPTPTR, DID, FLPTPTR } = PASID_ENTRY.fields;

/** Under which tags the translations of an entry are cached: by domain-id and PASID, or by domain-id (VT-d §6.2). */
export type TranslationClass = 0 | 1 | 2;

/** First stage and pass-through; second stage; nested. */
export const CLASS = { FIRST: 0, SECOND: 1, NESTED: 2 } as const;

/** Where an entry leads. */
export interface Lead {
  readonly did: number;
  readonly class: TranslationClass;
  /** Number of the space; the number of spaces stands for all of physical memory (pass-through). */
  readonly space: number;
}

/**
 * The three words of PASID entries that this model reads, as small numbers ("codes"), so that sets of what was fetched are
 * sets of bits. Of each word that tells apart what matters in the universe; code 0 is for all that leads nowhere.
 */
export class EntryWords {
  /** Number of codes of words 0, 1 and 2. */
  readonly counts: readonly [number, number, number];
  readonly #universe: VtdUniverse;
  readonly #leads: readonly (Lead | undefined)[];

  constructor(universe: VtdUniverse) {
    this.#universe = universe;
    const places = universe.spaces.length + 1;
    this.counts = [1 + 4 * places, universe.dids.length + 1, places];
    const [first, second, third] = this.counts;
    this.#leads = Array.from({ length: first * second * third }, (_, at) => {
      const upper = Math.floor(at / third);
      return this.#lead(Math.floor(upper / second), upper % second, at % third);
    });
  }

  /** Word 0: 0 unless it is present with a type that there is; else by type and second-stage table. */
  first(low: number, high: number): number {
    const type = extract(TYPE, low, high);
    if (extract(P, low, high) === 0 || type < PGTT.FIRST_STAGE || type > PGTT.PASS_THROUGH) return 0;
    const places = this.#universe.spaces.length + 1;
    const staged = type === PGTT.SECOND_STAGE || type === PGTT.NESTED;
    const table = extract(SLPTPTR, low, high);
    return 1 + (type - 1) * places + (staged ? 1 + this.#spaceOf(table, 'secondStage') : 0);
  }

  /** Word 1: by domain-id. */
  second(low: number, high: number): number {
    return 1 + this.#universe.dids.indexOf(extract(DID, low, high));
  }

  /** Word 2: by first-stage table. */
  third(low: number, high: number): number {
    return 1 + this.#spaceOf(extract(FLPTPTR, low, high), 'firstStage');
  }

  /** Where three words lead; undefined: to tables that nobody has made, or into two spaces at once. */
  lead(first: number, second: number, third: number): Lead | undefined {
    return this.#leads[(first * this.counts[1] + second) * this.counts[2] + third];
  }

  #lead(first: number, second: number, third: number): Lead | undefined {
    const places = this.#universe.spaces.length + 1;
    const did = second - 1;
    if (first === 0 || did < 0) return undefined;
    const type = 1 + Math.floor((first - 1) / places);
    const secondStage = ((first - 1) % places) - 1;
    const firstStage = third - 1;
    if (type === PGTT.PASS_THROUGH) return { did, class: CLASS.FIRST, space: places - 1 };
    if (type === PGTT.FIRST_STAGE) return firstStage < 0 ? undefined : { did, class: CLASS.FIRST, space: firstStage };
    if (secondStage < 0 || (type === PGTT.NESTED && firstStage !== secondStage)) return undefined;
    return { did, class: type === PGTT.NESTED ? CLASS.NESTED : CLASS.SECOND, space: secondStage };
  }

  #spaceOf(table: number, stage: 'firstStage' | 'secondStage'): number {
    return table === 0 ? -1 : this.#universe.spaces.findIndex((space) => space[stage] === table);
  }
}
