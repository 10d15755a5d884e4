import { expect, test } from 'vitest';
import { Store } from '../../../engine/store.ts';
import { HeldStructure } from './held.ts';

/** What software does to a structure of three words: a store, an invalidation command, and seeing it completed. */
type Action = { readonly store: number; readonly value: number } | 'issue' | 'complete';

const WORDS = 3;

/** One state of a hardware that fetches word by word. */
interface Fetching {
  readonly position: number;
  readonly memory: readonly number[];
  /** -1: not cached. */
  readonly cached: readonly number[];
  /** A command was issued and has not been executed. */
  readonly pending: boolean;
}

/**
 * What a hardware can use after each action, step by step: it fetches any word at any time, drops any at any time, and
 * executes an invalidation (dropping all) at some time between its issue and its completion, which waits for that.
 */
function usable(actions: readonly Action[]): Set<string>[] {
  const found = Array.from({ length: actions.length + 1 }, () => new Set<string>());
  const seen = new Set<string>();
  const nothing = Array.from({ length: WORDS }, () => -1);
  const start = { position: 0, memory: nothing.map(() => 0), cached: nothing, pending: false };
  const frontier: Fetching[] = [start];
  for (let state = frontier.pop(); state !== undefined; state = frontier.pop()) {
    const key = JSON.stringify(state);
    if (seen.has(key)) continue;
    seen.add(key);
    const { position, memory, cached, pending } = state;
    if (!cached.includes(-1)) found[position]?.add(cached.join());
    for (let word = 0; word < WORDS; word++) {
      const fetched = memory[word] as number;
      frontier.push({ ...state, cached: cached.with(word, cached[word] === -1 ? fetched : -1) });
    }
    if (pending) frontier.push({ ...state, cached: nothing, pending: false });
    const action = actions[position];
    if (action === undefined || (action === 'complete' && pending)) continue;
    const next = { ...state, position: position + 1 };
    if (action === 'issue') frontier.push({ ...next, pending: true });
    else if (action === 'complete') frontier.push(next);
    else frontier.push({ ...next, memory: memory.with(action.store, action.value) });
  }
  return found;
}

/** The same by the structure that keeps all versions since the last completed invalidation. */
function held(actions: readonly Action[]): Set<string>[] {
  const store = new Store();
  const memory = Array.from({ length: WORDS }, () => 0);
  const words = { low: (pa: number): number => memory[pa / 8] as number, high: (): number => 0 };
  const structure = new HeldStructure(store, words, 0, WORDS);
  structure.reset();
  const mixes = (): Set<string> =>
    new Set([...structure.mixes()].map((lanes) => lanes.filter((_, at) => at % 2 === 0).join()));
  return [
    mixes(),
    ...actions.map((action) => {
      if (action === 'issue') structure.invalidate();
      else if (action === 'complete') structure.complete();
      else {
        memory[action.store] = action.value;
        structure.read(action.store);
      }
      return mixes();
    }),
  ];
}

const write = (word: number, value: number): Action => ({ store: word, value });

test.each<[string, Action[]]>([
  ['three stores', [write(0, 1), write(1, 1), write(2, 1)]],
  ['two phases', [write(1, 1), 'issue', 'complete', write(0, 1), 'issue', 'complete']],
  ['a store between issue and completion', [write(0, 1), 'issue', write(1, 1), write(0, 2), 'complete']],
  ['a word written twice', [write(0, 1), write(0, 2), write(1, 1), 'issue', 'complete', write(0, 1)]],
  [
    'an update by way of an invalid entry',
    [write(0, 9), 'issue', 'complete', write(1, 1), write(2, 1), 'issue', 'complete', write(0, 1), 'issue', 'complete'],
  ],
])('all mixes that a hardware can fetch are held, and no others: %s', (_name, actions) => {
  expect(held(actions)).toEqual(usable(actions));
});
