import type { Store } from '../../../../engine/store.ts';
import type { StageTwo } from '../translation/stage2/stage-two.ts';
import type { HeldEntry } from './config-lookup.ts';

/**
 * Which stage 2 walks each stream may start: those of all STEs that it may use. They belong to streams and not to
 * contexts, because the fetch of a CD needs them before it is known what a context uses.
 */
export class StageTwoStarts {
  readonly #store: Store;
  readonly #stageTwo: StageTwo;
  /** Cell of each stream: its set of starts. */
  readonly #cells = new Map<number, number>();
  /** Sets of cells of starts, ascending; set 0 is the empty set. */
  readonly #sets: (readonly number[])[] = [[]];
  readonly #byMembers = new Map<string, number>([['', 0]]);

  constructor(store: Store, stageTwo: StageTwo, streamIds: readonly number[]) {
    this.#store = store;
    this.#stageTwo = stageTwo;
    const base = store.reserve(streamIds.length, 'starts of stage 2');
    store.mean(base, streamIds.length, (set) => this.#content(set));
    for (const [at, streamId] of streamIds.entries()) this.#cells.set(streamId, base + at);
  }

  /** Sets what a stream may use; new starts are walked from. */
  set(streamId: number, held: readonly HeldEntry[]): void {
    const cell = this.#cells.get(streamId) as number;
    const before = this.#store.get(cell);
    const after = this.#setOf(held);
    if (before === after) return;
    this.#store.set(cell, after);
    const old = this.#sets[before] as readonly number[];
    const now = this.#sets[after] as readonly number[];
    const { tlb } = this.#stageTwo;
    for (const start of now) if (!old.includes(start)) tlb.addStart(this.#stageTwo.startAt(start));
    for (const start of old) if (!now.includes(start)) tlb.removeStart(this.#stageTwo.startAt(start));
  }

  #setOf(held: readonly HeldEntry[]): number {
    let starts: Set<number> | undefined;
    for (const { entry } of held) {
      if ((entry.kind !== 'stage1' && entry.kind !== 'stage2') || entry.stage2 === undefined) continue;
      starts ??= new Set();
      starts.add(this.#stageTwo.use(entry.stage2).start.cell);
    }
    if (starts === undefined) return 0;
    const members = [...starts].sort((a, b) => a - b);
    const key = members.join();
    let set = this.#byMembers.get(key);
    if (set === undefined) {
      set = this.#sets.push(members) - 1;
      this.#byMembers.set(key, set);
    }
    return set;
  }

  #content(set: number): string {
    const starts = this.#sets[set] as readonly number[];
    return starts
      .map((cell) => this.#stageTwo.startAt(cell).key)
      .sort()
      .join(' ');
  }
}
