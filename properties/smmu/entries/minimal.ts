import { CD, patch, read, STE, type Layout } from '../../../model/architecture/arm/layout/index.ts';
import type { Subject } from './configuration.ts';
import { actsAsDescriptor, actsAsStream, descriptorMeaning, streamMeaning } from './meaning.ts';

/** How few invalidations an update can do with. */
export interface Fewest {
  /** CFGI and CMD_SYNC pairs until the entry holds exactly the target; undefined: it cannot be done that way. */
  readonly exact: number | undefined;
  /** The same until the SMMU acts on the target alone; words that it ignores may differ. */
  readonly acting: number | undefined;
}

/** What the architecture makes necessary for one update. */
export interface Necessary {
  readonly hitless: Fewest;
  /** The same if the SMMU may find the entry invalid meanwhile. */
  readonly breaking: Fewest;
}

type Word = readonly [low: number, high: number];

const WORDS = 8;
/** Phases after which the search gives up; four are never needed. */
const PHASES_MAX = 4;

/**
 * The fewest CFGI and CMD_SYNC pairs with which an entry can be changed, by exhaustion over the orders in which words may
 * be written: between two of them, hardware may use every mix of a word's values before and after. Each word is written as
 * the old entry has it, as the target has it, or with the fields that the one or the other ignores already or still
 * different; word 0 also as invalid. (More values of one word in one phase only add mixes. Fields that the old entry
 * ignores stay ignored until a field changes that it uses, so these values are enough.)
 */
export function necessary(subject: Subject, old: readonly number[], target: readonly number[]): Necessary {
  return {
    hitless: new PhaseSearch(subject, old, target, false).fewest(),
    breaking: new PhaseSearch(subject, old, target, true).fewest(),
  };
}

class PhaseSearch {
  readonly #subject: Subject;
  readonly #old: readonly number[];
  readonly #target: readonly number[];
  readonly #breaking: boolean;
  /** Words that differ, and what may be written into each. */
  readonly #options: Word[][] = [];
  readonly #places: number[] = [];
  readonly #allowed = new Map<number, boolean>();

  constructor(subject: Subject, old: readonly number[], target: readonly number[], breaking: boolean) {
    this.#subject = subject;
    this.#old = old;
    this.#target = target;
    this.#breaking = breaking;
    const layout: Layout = subject === 'ste' ? STE : CD;
    const contents = [old, target, blend(subject, layout, old, target), blend(subject, layout, target, old)];
    if (breaking) contents.push(invalid(subject, old), invalid(subject, target));
    for (let word = 0; word < WORDS; word++) {
      const options = distinct(contents.map((lanes) => wordOf(lanes, word)));
      if (options.length === 1) continue;
      this.#places.push(word);
      this.#options.push(options);
    }
  }

  fewest(): Fewest {
    let exact: number | undefined;
    let acting: number | undefined;
    let frontier = [this.#places.map(() => 0)];
    const seen = new Set(frontier.map((state) => this.#key(state)));
    for (let phases = 0; phases <= PHASES_MAX && frontier.length > 0; phases++) {
      if (
        acting === undefined &&
        frontier.some((state) => this.#meaning(this.#lanes(state)) === this.#meaning(this.#target))
      )
        acting = phases;
      if (
        frontier.some((state) =>
          this.#places.every((word, at) => same(this.#word(state, at), wordOf(this.#target, word))),
        )
      )
        exact = phases;
      if (exact !== undefined) break;
      const next: number[][] = [];
      for (const from of frontier)
        for (const to of this.#states()) {
          if (seen.has(this.#key(to)) || !this.#phase(from, to)) continue;
          seen.add(this.#key(to));
          next.push(to);
        }
      frontier = next;
    }
    return { exact, acting };
  }

  /** Whether every mix of two states may be used. */
  #phase(from: readonly number[], to: readonly number[]): boolean {
    const differing = from.flatMap((option, at) => (option === to[at] ? [] : [at]));
    for (let mix = 0; mix < 2 ** differing.length; mix++) {
      const state = [...from];
      for (const [bit, at] of differing.entries()) if (((mix >>> bit) & 1) === 1) state[at] = to[at] as number;
      if (!this.#isAllowed(state)) return false;
    }
    return true;
  }

  #isAllowed(state: readonly number[]): boolean {
    const key = this.#key(state);
    let allowed = this.#allowed.get(key);
    if (allowed === undefined) {
      const lanes = this.#lanes(state);
      const acts = this.#subject === 'ste' ? actsAsStream : actsAsDescriptor;
      allowed = acts(lanes, { old: this.#old, target: this.#target }) || (this.#breaking && this.#isInvalid(lanes));
      this.#allowed.set(key, allowed);
    }
    return allowed;
  }

  /** V is 0. (That some other mix is ILLEGAL is no way to make an entry invalid: what is ILLEGAL may be defined later.) */
  #isInvalid(lanes: readonly number[]): boolean {
    return read(this.#subject === 'ste' ? STE.fields.V : CD.fields.V, lanes) === 0;
  }

  *#states(): Generator<number[]> {
    const counts = this.#options.map(({ length }) => length);
    const total = counts.reduce((product, count) => product * count, 1);
    for (let index = 0; index < total; index++) {
      let rest = index;
      yield counts.map((count) => {
        const option = rest % count;
        rest = Math.floor(rest / count);
        return option;
      });
    }
  }

  #key(state: readonly number[]): number {
    return state.reduce((key, option) => key * 8 + option, 0);
  }

  #word(state: readonly number[], at: number): Word {
    return this.#options[at]?.[state[at] as number] as Word;
  }

  #lanes(state: readonly number[]): number[] {
    const lanes = [...this.#old];
    for (const [at, word] of this.#places.entries()) {
      const [low, high] = this.#word(state, at);
      lanes[2 * word] = low;
      lanes[2 * word + 1] = high;
    }
    return lanes;
  }

  #meaning(lanes: readonly number[]): string {
    return this.#subject === 'ste' ? streamMeaning(lanes) : descriptorMeaning(lanes);
  }
}

/** `base` with every field as in `other` that may be so without `base` acting otherwise. */
function blend(subject: Subject, layout: Layout, base: readonly number[], other: readonly number[]): number[] {
  const acts = subject === 'ste' ? actsAsStream : actsAsDescriptor;
  let lanes = [...base];
  for (const [name, field] of Object.entries(layout.fields)) {
    const changed = patch(layout, lanes, { [name]: read(field, other) });
    if (acts(changed, { old: base, target: base })) lanes = changed;
  }
  return lanes;
}

function invalid(subject: Subject, lanes: readonly number[]): number[] {
  return subject === 'ste' ? patch(STE, lanes, { V: 0 }) : patch(CD, lanes, { V: 0 });
}

function wordOf(lanes: readonly number[], word: number): Word {
  return [lanes[2 * word] ?? 0, lanes[2 * word + 1] ?? 0];
}

function same(a: Word, b: Word): boolean {
  return a[0] === b[0] && a[1] === b[1];
}

function distinct(words: readonly Word[]): Word[] {
  return words.filter((word, at) => words.findIndex((other) => same(word, other)) === at);
}
