import type { Store } from '../../engine/store.ts';
import type { AttachTarget, Permissions } from './events.ts';
import { Registers, VALUES_MAX } from './register.ts';
import { PAGE_SIZE, parentOf, type ContractWorld } from './world.ts';

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

/** The value of a mapping of stage 1 and one of stage 2 together: the frame of stage 2, what both permit. */
export function composed(stage1: number, stage2: number): number {
  return mappingValue(mappingPa(stage2), mappingPermissions(stage1) & mappingPermissions(stage2));
}

/** The permissions in a mapping's value. */
function mappingPermissions(value: number): Permissions {
  return (value - 1) & 3;
}

/** What a stream is attached to, as the value of a stream. */
export function targetValue(to: AttachTarget): number {
  if (to === 'blocked') return BLOCKED;
  return to === 'bypass' ? BYPASS : FIRST_SPACE + to;
}

/**
 * What the contract remembers about translation: one register for each page of each space (its mapping), and one for
 * each stream (what it is attached to). What an access may result in is the composition of the two; in a nested space,
 * of the mappings of both stages, since hardware composes them at a moment of its own (IHI 0070 §3.4, §3.17).
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
      if (space >= 0 && this.mayHold(space, page, value)) return true;
    }
    return false;
  }

  /** True if the translation of a page by a space may be this value now (`NOTHING`: a fault). */
  mayHold(space: number, page: number, value: number): boolean {
    const register = this.mapping(space, page);
    const parent = parentOf(this.world, space);
    if (parent < 0 || value === NOTHING) {
      if (this.mappings.live(register, value)) return true;
      if (parent < 0) return false;
    }
    for (let slot = 1; slot <= VALUES_MAX; slot++) {
      const stage1 = this.mappings.liveAt(register, slot);
      if (stage1 > NOTHING && this.#composes(parent, stage1, value)) return true;
    }
    return false;
  }

  /** True if a mapping of stage 1, followed by one that the parent may hold, makes this value. */
  #composes(parent: number, stage1: number, value: number): boolean {
    const page = this.world.pages.indexOf(mappingPa(stage1));
    // An address of which the world knows nothing: nobody maps it.
    if (page < 0) return value === NOTHING;
    const register = this.mapping(parent, page);
    if (value === NOTHING) return this.mappings.live(register, NOTHING);
    for (let slot = 1; slot <= VALUES_MAX; slot++) {
      const stage2 = this.mappings.liveAt(register, slot);
      if (stage2 > NOTHING && composed(stage1, stage2) === value) return true;
    }
    return false;
  }
}
