import type { Store } from '../../engine/store.ts';
import type { AttachTarget, Permissions } from './events.ts';
import { Registers, VALUES_MAX } from './register.ts';
import { PAGE_SIZE, type ContractWorld } from './world.ts';

/** One thing that an access can come to. `pa` is the physical address of the page's first byte. */
export type Observed =
  | { readonly kind: 'translated'; readonly pa: number; readonly permissions: Permissions }
  /** `fault`: the page has no translation. `abort`: the configuration refuses. `bypass`: the access is untranslated. */
  | { readonly kind: 'fault' | 'abort' | 'bypass' }
  /**
   * `conflict`: two cached entries match, since a size or address was changed without break-before-make.
   * `unpredictable`: the architecture does not say.
   */
  | { readonly kind: 'conflict' | 'unpredictable' };

/** Value of a page that is not mapped. */
export const NOTHING = 0;
/**
 * Values of a stream that translates by no space; `FIRST_SPACE` + s: it translates by space s. One that has never been
 * attached refuses like a blocked one.
 */
export const UNATTACHED = 0;
export const BLOCKED = 1;
export const BYPASS = 2;
export const FIRST_SPACE = 3;

/** What took a mapping away, by the cause that its register remembers. */
export const MAPPING_CAUSES = ['map.fail', 'map.end', 'unmap.end', 'flush.end'] as const;
export const MAP_END = 1;
export const UNMAP_END = 2;
export const FLUSH_END = 3;
/** The cause by which a stream has stopped to translate by a space. */
export const ATTACH_END = 1;

/** A mapping as the value of a page: the page frame and the permissions. Addresses from 2 TiB on have none: -1. */
export function mappingValue(pa: number, permissions: Permissions): number {
  const frame = pa / PAGE_SIZE;
  if (!Number.isInteger(frame) || frame >= 0x2000_0000) return -1;
  return ((frame << 2) | permissions) + 1;
}

/** The physical address in a mapping's value. */
export function mappingPa(value: number): number {
  return ((value - 1) >>> 2) * PAGE_SIZE;
}

/** What a stream is attached to, as the value of a stream. */
export function targetValue(to: AttachTarget): number {
  if (to === 'blocked') return BLOCKED;
  return to === 'bypass' ? BYPASS : FIRST_SPACE + to;
}

/**
 * What the contract remembers about translation: one register for each page of each space (its mapping), and one for
 * each stream (what it is attached to). What an access may result in is the composition of the two.
 */
export class TranslationState {
  readonly world: ContractWorld;
  readonly mappings: Registers;
  readonly targets: Registers;
  readonly #store: Store;
  readonly #refusing: number;

  constructor(store: Store, world: ContractWorld) {
    this.world = world;
    this.#store = store;
    this.mappings = new Registers(store, world.spaces * world.pages.length, 'contract.mappings');
    this.targets = new Registers(store, world.streams.length, 'contract.targets');
    this.#refusing = store.reserve(world.streams.length, 'contract.refusing');
  }

  /** The register of a page of a space. */
  mapping(space: number, page: number): number {
    return space * this.world.pages.length + page;
  }

  /** True while an attach of the stream is in progress that is not hitless: refusal is permitted. */
  refusing(stream: number): boolean {
    return this.#store.get(this.#refusing + stream) !== 0;
  }

  setRefusing(stream: number, refusing: boolean): void {
    this.#store.set(this.#refusing + stream, refusing ? 1 : 0);
  }

  /** True if the contract permits this result to an access of a stream to a page, now. Allocates nothing. */
  permits(stream: number, page: number, outcome: Observed): boolean {
    switch (outcome.kind) {
      case 'translated':
        return this.#maySee(stream, page, mappingValue(outcome.pa, outcome.permissions));
      case 'fault':
        return this.#mayRefuse(stream) || this.#maySee(stream, page, NOTHING);
      case 'abort':
        return this.#mayRefuse(stream);
      case 'bypass':
        return this.targets.live(stream, BYPASS);
      case 'conflict':
      case 'unpredictable':
        return false;
    }
  }

  #mayRefuse(stream: number): boolean {
    return this.refusing(stream) || this.targets.live(stream, BLOCKED) || this.targets.live(stream, UNATTACHED);
  }

  /** True if some space that the stream may translate by may hold this value at the page. */
  #maySee(stream: number, page: number, value: number): boolean {
    for (let slot = 0; slot <= VALUES_MAX; slot++) {
      const space = this.targets.liveAt(stream, slot) - FIRST_SPACE;
      if (space >= 0 && this.mappings.live(this.mapping(space, page), value)) return true;
    }
    return false;
  }
}
