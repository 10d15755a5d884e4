import { step } from '../../engine/step.ts';
import type { AsidAllocator } from './asid.ts';
import type { Routines } from './model.ts';
import { PTE } from './state.ts';
import type { TagAllocator } from './tag-allocator.ts';
import { NO_TAG } from './tag.ts';
import { TagRoutines } from './tag-routines.ts';
import { VmidAllocator } from './vmid.ts';

/** A mistake that an allocator could have: one routine replaced. */
export interface AllocatorBug<A extends TagAllocator> {
  /** Kebab-case. */
  readonly name: string;
  /** What is wrong, and where that is known from. */
  readonly what: string;
  readonly routines: Routines<A>;
}

function bug<A extends TagAllocator = TagAllocator>(
  name: string,
  what: string,
  routines: Routines<A>,
): AllocatorBug<A> {
  return { name, what, routines };
}

/** Mistakes that both allocators could have. */
export const COMMON_BUGS: readonly AllocatorBug<TagAllocator>[] = [
  bug('reserved-once', 'A tag that stays reserved is forgotten at the next roll-over (arm commit ae120d9edfe9).', {
    preserve(cpu, active) {
      const { state } = this;
      state.map.set(0, state.map.get() | (1 << state.format.number(active)));
      return state.reserved.set(cpu, active);
    },
  }),
  bug('nothing-reserved', 'A roll-over reserves nothing for the CPUs.', {
    preserve(cpu) {
      return this.state.reserved.set(cpu, NO_TAG);
    },
  }),
  bug('reserved-not-marked', 'A roll-over notes the reserved tags, but not in the bitmap.', {
    preserve(cpu, active) {
      const { state } = this;
      return state.reserved.set(cpu, active === NO_TAG ? state.reserved.get(cpu) : active);
    },
  }),
  bug('reserved-not-searched', 'A space whose tag is reserved is given another one.', {
    updateReserved() {
      return undefined;
    },
  }),
  bug('one-copy-renewed', 'The search among the reserved tags ends at the first hit (kernel comment on this loop).', {
    updateReserved(self, cpu, old, renewed) {
      if (this.state.hit.get(self) !== 0) return undefined;
      return TagRoutines.prototype.updateReserved.call(this, self, cpu, old, renewed);
    },
  }),
  bug('roll-over-not-seen', 'The fast path ignores that cmpxchg found 0: a roll-over came between.', {
    fastPathHolds() {
      return true;
    },
  }),
  bug('store-for-cmpxchg', 'The fast path stores the active tag without looking.', {
    exchangeActive(cpu, expected, tag) {
      this.state.active.set(cpu, tag);
      return expected;
    },
  }),
  bug('zero-not-looked-for', 'The fast path is tried although the active tag is 0.', {
    mayGoFast(tag) {
      return this.isCurrent(tag);
    },
  }),
  bug('generation-ignored', 'The fast path takes a tag of any generation.', {
    mayGoFast(tag, active) {
      return active !== NO_TAG && tag !== NO_TAG;
    },
  }),
  bug('tag-not-read-again', 'The slow path goes on with the tag that it loaded before it had the lock.', {
    tagUnderLock(_space, seen) {
      return seen;
    },
  }),
  bug('active-not-taken', 'A roll-over reads the active tags and leaves them: the fast path does not notice it.', {
    takeActive(cpu) {
      return this.state.active.get(cpu);
    },
  }),
  bug('map-not-cleared', 'A roll-over begins with the bitmap of the last generation.', {
    resetMap() {
      return undefined;
    },
  }),
  bug('old-number-not-marked', 'A space takes its old number again without marking it.', {
    reuseNumber(_cpu, renewed) {
      return (this.state.map.get() & (1 << this.state.format.number(renewed))) === 0;
    },
  }),
  bug('old-number-not-tested', 'A space takes its old number again without asking whether it is free.', {
    reuseNumber(_cpu, renewed) {
      this.state.map.set(0, this.state.map.get() | (1 << this.state.format.number(renewed)));
      return true;
    },
  }),
  bug('no-flush', 'A roll-over leaves the TLBs as they are.', {
    afterFlush() {
      return undefined;
    },
  }),
  bug('tlbi-before-pte-clear', 'The translation is invalidated first, then unmapped.', {
    *unmap(space) {
      const { state } = this;
      yield* this.at('load context.id');
      const number = yield* step('load context.id', () => state.format.number(state.context.get(space)));
      yield* this.at('TLBI', number);
      yield* step('TLBI', () => this.invalidate(space, number));
      yield* this.at('clear PTE');
      yield* step('clear PTE', () => state.pte.set(space, PTE.unmapped));
      yield* this.at('unmapped');
      yield* step('unmapped', () => this.endUnmap(space));
    },
  }),
  bug('tag-read-before-pte-clear', 'The tag to invalidate by is read before the page is unmapped (5e10f9887ed8).', {
    *unmap(space) {
      const { state } = this;
      yield* this.at('load context.id');
      const number = yield* step('load context.id', () => state.format.number(state.context.get(space)));
      yield* this.at('clear PTE', number);
      yield* step('clear PTE', () => state.pte.set(space, PTE.unmapped));
      yield* this.at('TLBI', number);
      yield* step('TLBI', () => this.invalidate(space, number));
      yield* this.at('unmapped');
      yield* step('unmapped', () => this.endUnmap(space));
    },
  }),
];

/** Mistakes of the ASID allocator alone. */
export const ASID_BUGS: readonly AllocatorBug<AsidAllocator>[] = [
  bug<AsidAllocator>('own-flush-only', 'A roll-over makes only the CPU flush that came by it.', {
    afterFlush() {
      const { state } = this;
      return state.flushPending.set(Math.floor(state.machine.current / state.spaces), 1);
    },
  }),
  bug<AsidAllocator>('pinned-not-kept', 'A roll-over forgets which ASIDs are pinned.', {
    resetMap() {
      return this.state.map.set(0, 0);
    },
  }),
  bug<AsidAllocator>(
    'pinned-before-reserved',
    'A pinned ASID is kept without renewing its reserved copies (kernel comment).',
    {
      *checkUpdateReserved(caller, old, renewed) {
        yield* this.in(caller, 'pinned?');
        const pinned = yield* step('is it pinned?', () => this.pinned.get(caller.space) !== 0);
        if (!pinned) yield* Object.getPrototypeOf(this).checkUpdateReserved.call(this, caller, old, renewed);
      },
    },
  ),
  bug<AsidAllocator>('too-many-pinned', 'Any number of ASIDs may be pinned.', {
    mayPin() {
      return true;
    },
  }),
];

/** Mistakes of the VMID allocator alone. */
export const VMID_BUGS: readonly AllocatorBug<VmidAllocator>[] = [
  bug<VmidAllocator>(
    'zero-at-put',
    'A put vCPU leaves active VMID 0, which says "rolled over", not "idle" (review of the series).',
    {
      clearActive(cpu) {
        this.state.active.set(cpu, NO_TAG);
      },
    },
  ),
  bug<VmidAllocator>('active-kept-at-put', 'A put vCPU leaves its VMID active, so that roll-overs reserve it.', {
    clearActive() {},
  }),
  bug<VmidAllocator>('put-clears-reserved', 'A put vCPU gives up the VMID that is reserved for its CPU.', {
    clearActive(cpu) {
      VmidAllocator.prototype.clearActive.call(this, cpu);
      this.state.reserved.set(cpu, NO_TAG);
    },
  }),
];
