import type { Store } from '../../engine/store.ts';
import { diagnose } from './diagnose.ts';
import type { AttachEvent, ContractEvent, FlushEvent, MapEvent, UnmapEvent } from './events.ts';
import { SlotSet } from './slot-set.ts';
import {
  ATTACH_END,
  FIRST_SPACE,
  FLUSH_END,
  MAP_END,
  mappingValue,
  NOTHING,
  targetValue,
  TranslationState,
  UNMAP_END,
  type Observed,
} from './translation-state.ts';
import type { Verdict } from './violation.ts';
import { checkSpace, streamIndex, type ContractWorld } from './world.ts';

/**
 * What an access may result in, as promised by the software that maps, unmaps and attaches.
 *
 * - A mapping may be seen from `map.begin` to `unmap.end`: once unmap has returned, the page belongs to someone else
 *   (kernel: `iommu_unmap`, `tlb_finish_mmu`; IHI 0070 §3.21.1). Every `unmap.end` gives this promise, whoever cleared
 *   the entry (kernel: `mm_tlb_flush_nested`; the same for the exit of a process that races an unmap).
 * - From `map.end` until the next `unmap.begin` the page is not seen missing, nor as it was before (kernel:
 *   `iommu_map`).
 * - With a flush queue the mapping may be seen until a flush that began after the unmap has ended, but the address has
 *   no second life before that: `map.end` ends it too (kernel: `fq_ring_free_locked`).
 * - A stream translates by what it was attached to before or by the new target while the attach is in progress, by the
 *   new one alone afterwards (kernel: `arm_smmu_write_entry`; IHI 0070 §3.21.3).
 * - A space that is nested on another holds the compositions of what the two may hold: the windows of the guest's mappings
 *   are given by its software, whose unmap returns when the hypervisor has carried out its invalidation commands, those
 *   of the parent by the hypervisor's unmap, whatever the guest does (kernel: `arm_vsmmu_cache_invalidate`,
 *   `arm_smmu_domain_inv_range`; IHI 0070 §3.17, §4.4.3: stage 1 entries made through stage 2 survive its invalidation by
 *   IPA).
 * - Two cached translations for one access, or what the architecture leaves open, are never permitted (IHI 0070
 *   §3.21.1.1).
 *
 * Pages and streams are registers with concurrent writers; what may be read from one is the business of `Registers`.
 */
export class TranslationMonitor {
  readonly state: TranslationState;
  /** Slots (stream index × pages + page index) whose permitted results became fewer since the set was last cleared. */
  readonly narrowed: SlotSet;
  readonly #world: ContractWorld;
  readonly #store: Store;
  /** For each space, the number of flushes in progress. */
  readonly #flushes: number;

  constructor(store: Store, world: ContractWorld) {
    this.#world = world;
    this.#store = store;
    this.state = new TranslationState(store, world);
    this.#flushes = store.reserve(world.spaces, 'contract.flushes');
    this.narrowed = new SlotSet(world.streams.length * world.pages.length);
  }

  /** Folds an event in; events of other monitors are ignored. */
  on(event: ContractEvent): void {
    switch (event.type) {
      case 'map.begin':
      case 'map.end':
      case 'map.fail':
      case 'unmap.begin':
      case 'unmap.end':
        return this.#onRange(event);
      case 'flush.begin':
      case 'flush.end':
        return this.#onFlush(event);
      case 'attach.begin':
      case 'attach.end':
      case 'attach.fail':
        return this.#onAttach(event);
      default:
        return undefined;
    }
  }

  /** Judges what an access of a stream (index) to a page (index) may come to now: `undefined`: permitted. */
  allows(stream: number, page: number, outcome: Observed): Verdict {
    return this.state.permits(stream, page, outcome) ? undefined : diagnose(this.state, stream, page, outcome);
  }

  #onRange(event: MapEvent | UnmapEvent): void {
    const { pages } = this.#world;
    checkSpace(this.#world, event.space);
    for (let page = 0; page < pages.length; page++) {
      const offset = (pages[page] as number) - event.iova;
      if (offset < 0 || offset >= event.size) continue;
      this.#onPage(event, this.state.mapping(event.space, page), offset);
      if (event.type !== 'map.begin' && event.type !== 'unmap.begin') this.#narrowPage(event.space, page);
    }
  }

  /** `offset`: of the page within the event's range, in bytes. */
  #onPage(event: MapEvent | UnmapEvent, register: number, offset: number): void {
    const { mappings } = this.state;
    switch (event.type) {
      case 'map.begin':
        return mappings.begin(register, mapped(event.pa + offset, event.permissions));
      case 'map.end':
        return mappings.end(register, MAP_END);
      case 'map.fail':
        return mappings.cancel(register, mapped(event.pa + offset, event.permissions));
      case 'unmap.begin':
        return mappings.begin(register, NOTHING);
      case 'unmap.end':
        if (!event.lazy) return mappings.endClear(register, UNMAP_END);
        // Of the flushes that end from now on, only those in progress can have begun before this.
        return mappings.endClearLazily(register, this.#store.get(this.#flushes + event.space) + 1);
    }
  }

  #onFlush(event: FlushEvent): void {
    const { space } = event;
    checkSpace(this.#world, space);
    const cell = this.#flushes + space;
    const flushes = this.#store.get(cell);
    if (event.type === 'flush.begin') return this.#store.set(cell, flushes + 1);
    if (flushes === 0) throw new Error(`a flush of space ${space} ends that has not begun`);
    this.#store.set(cell, flushes - 1);
    for (let page = 0; page < this.#world.pages.length; page++)
      if (this.state.mappings.flushed(this.state.mapping(space, page), FLUSH_END)) this.#narrowPage(space, page);
  }

  #onAttach(event: AttachEvent): void {
    const { targets } = this.state;
    const stream = streamIndex(this.#world, event.stream, event.substream);
    if (event.type === 'attach.begin') {
      if (typeof event.to === 'number') checkSpace(this.#world, event.to);
      if (!event.hitless) this.state.setRefusing(stream, true);
      return targets.begin(stream, targetValue(event.to));
    }
    if (event.type === 'attach.end') targets.end(stream, ATTACH_END);
    else targets.cancel(stream, targetValue(event.to));
    if (targets.writes(stream) === 0) this.state.setRefusing(stream, false);
    const { pages } = this.#world;
    for (let page = 0; page < pages.length; page++) this.narrowed.add(stream * pages.length + page);
  }

  #narrowPage(space: number, page: number): void {
    const { streams, pages, nested = [] } = this.#world;
    for (let stream = 0; stream < streams.length; stream++)
      if (this.state.targets.live(stream, FIRST_SPACE + space)) this.narrowed.add(stream * pages.length + page);
    // A page of a parent is behind any page of the spaces above it.
    for (const { space: child, parent } of nested)
      if (parent === space) for (let above = 0; above < pages.length; above++) this.#narrowPage(child, above);
  }
}

function mapped(pa: number, permissions: number): number {
  const value = mappingValue(pa, permissions);
  if (value < 0) throw new Error(`a mapping's physical address must be a multiple of 4096 below 2 TiB, not ${pa}`);
  return value;
}
