import type { Result } from '../step.ts';

/** The results that a task has received, in order. */
export type History = readonly Result[];

/** Histories kept for each key: enough to tell unlike tasks apart, few enough to compare with at each step. */
const KEPT = 6;

/** For each `forget` key of one operation, some of the distinct histories that came to it. */
export class Histories {
  readonly #byKey = new Map<string | number, Map<string, History>>();

  /** Notes that a task with this history came to the key. */
  add(key: string | number, history: History): void {
    let known = this.#byKey.get(key);
    if (known === undefined) this.#byKey.set(key, (known = new Map()));
    if (known.size < KEPT)
      known.set(JSON.stringify(history.map((result) => [typeof result, String(result)])), [...history]);
  }

  /** What came to the key so far. */
  at(key: string | number): History[] {
    return [...(this.#byKey.get(key)?.values() ?? [])];
  }
}
