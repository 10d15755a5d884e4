import type { Store } from '../../../../engine/store.ts';
import type { StreamTableRegisters } from '../registers.ts';
import type { Translation } from '../translation/translation.ts';
import type { IndexedUniverse, StreamContext } from '../universe.ts';
import type { ConfigLookup } from './config-lookup.ts';
import type { LookupConfig, LookupConfigs } from './lookup-config.ts';
import { moveStarts } from './stage-one-starts.ts';

/** The configurations that each context may use now, in the store as the number of their set. */
export class ContextConfigs {
  readonly #store: Store;
  readonly #universe: IndexedUniverse;
  readonly #configs: LookupConfigs;
  readonly #cells: number;

  constructor(store: Store, universe: IndexedUniverse, configs: LookupConfigs) {
    this.#store = store;
    this.#universe = universe;
    this.#configs = configs;
    this.#cells = store.reserve(universe.contexts.length, 'configurations permitted');
    store.mean(this.#cells, universe.contexts.length, (set) => configs.content(set));
  }

  /** The number of the set that a context may use. */
  setOf({ index }: StreamContext): number {
    return this.#store.get(this.#cells + index);
  }

  /** The configurations that a context may use. */
  of(context: StreamContext): readonly LookupConfig[] {
    return this.#configs.at(this.setOf(context));
  }

  /**
   * Finds out what a context may use now, and what may be walked because of that.
   *
   * @returns whether that is not what it was.
   */
  lookUp(
    context: StreamContext,
    lookup: ConfigLookup,
    registers: StreamTableRegisters,
    translation: Translation,
  ): boolean {
    const before = this.setOf(context);
    const after = this.#configs.set(lookup.configsOf(context, registers));
    if (before === after) return false;
    this.#store.set(this.#cells + context.index, after);
    const now = this.#configs.at(after);
    moveStarts(translation.tlb, this.#configs.at(before), now);
    translation.stageTwo.claim(now, context, this.#universe.addressOf);
    return true;
  }
}
