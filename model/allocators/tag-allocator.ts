import type { AgentSpec } from '../../engine/agent.ts';
import { forget, step, waitStep, type Forget, type Task } from '../../engine/step.ts';
import { endless } from './agents.ts';
import { PTE, spaceName } from './state.ts';
import { NO_TAG } from './tag.ts';
import { TagRoutines } from './tag-routines.ts';

/** Who calls a routine under the lock, and the variables of the callers, which belong to the local state. */
export interface Caller {
  readonly cpu: number;
  readonly space: number;
  readonly frame: string;
}

/** With what a space may run, and what its CPU had as active tag before. */
export interface Acquired {
  readonly tag: number;
  readonly before: number;
}

/** Where a loop over the CPUs stands: the CPU that was looked at last, and those that are left. `symmetry.ts` reads it. */
export function loopKey(last: number, next: number, cpus: number): string {
  const left = Array.from({ length: cpus - next }, (_, offset) => next + offset);
  return `<${last < 0 ? '' : last}|${left.join(',')}>`;
}

/**
 * The allocator that arm64 uses for ASIDs and KVM for VMIDs: numbers with a generation, a bitmap of the numbers that the
 * generation has given out, for each CPU the active tag and the one reserved at the last roll-over. A step does what one label of the
 * PlusCal model kernel-tla/asidalloc.tla (C. Marinas) does, so that numbers of states can be compared.
 *
 * Bugs replace one routine each (`bugs.ts`).
 */
export abstract class TagAllocator extends TagRoutines {
  /** Gets a tag for a space on a CPU: fast path, else slow path (check_and_switch_context, kvm_arm_vmid_update). */
  *acquire(cpu: number, space: number): Task<Acquired> {
    const { state } = this;
    const base = state.format.count * (this.config.generations + 2);
    yield* this.at('acquire');
    const seen = yield* step(`load context.id of ${spaceName(space)} and active`, () => {
      this.beginAcquire(cpu);
      return state.context.get(space) * base + state.active.get(cpu);
    });
    const tag = Math.floor(seen / base);
    const active = seen % base;
    yield* this.at('compare generations', tag, active);
    if (!(yield* step('compare generations', () => this.mayGoFast(tag, active))))
      return yield* this.slowPath(cpu, space, { tag, before: active });
    yield* this.at('cmpxchg active', tag, active);
    const before = yield* step('cmpxchg active', () => this.exchangeActive(cpu, active, tag));
    yield* this.at('look for a roll-over', tag, before);
    const fast = yield* step('look for a roll-over', () => {
      const holds = this.fastPathHolds(before);
      this.witness(holds ? 'the fast path was taken' : 'the fast path met a roll-over');
      return holds;
    });
    return fast ? { tag, before: this.dead(before) } : yield* this.slowPath(cpu, space, { tag, before });
  }

  /** Under the lock: the tag is checked again, and renewed if its generation has passed. */
  *slowPath(cpu: number, space: number, seen: Acquired): Task<Acquired> {
    const { state } = this;
    const before = this.dead(seen.before);
    yield* this.at('slow path', seen.tag, before);
    const looked = yield* waitStep('spin_lock', state.untilZero(state.lock, 0, 'the allocator lock'), () => {
      state.lock.set(0, 1);
      const tag = this.tagUnderLock(space, seen.tag);
      const valid = this.isCurrent(tag);
      if (valid) this.witness('the slow path found the tag valid under the lock');
      return tag * 2 + (valid ? 1 : 0);
    });
    const tag = (looked & 1) === 1 ? looked >> 1 : yield* this.renew(cpu, space, { tag: looked >> 1, before });
    yield* this.beforeActive(cpu, tag, before);
    yield* this.at('store active', tag, before);
    yield* step('store active, spin_unlock', () => {
      state.active.set(cpu, tag);
      state.lock.set(0, 0);
      return undefined;
    });
    return { tag, before };
  }

  /** Gives a space a tag of the current generation. */
  *renew(cpu: number, space: number, { tag, before }: Acquired): Task<number> {
    const renewed = yield* this.newContext({ cpu, space, frame: `${tag} ${before}` }, tag);
    yield* this.at('store context.id', tag, before, renewed);
    yield* step('store context.id', () => this.storeContext(space, renewed));
    return renewed;
  }

  /** Finds a tag of the current generation for a space (new_context, new_vmid); `old` is the one that it had. */
  *newContext(from: Caller, old: number): Task<number> {
    const { state } = this;
    const { cpu } = from;
    const { format } = state;
    yield* this.in(from, 'new_context');
    const generation = yield* step('load generation', () => state.generation.get());
    const caller = { ...from, frame: `${from.frame} g${generation}` };
    if (old !== NO_TAG) {
      const renewed = format.make(generation, format.number(old));
      yield* this.checkUpdateReserved(caller, old, renewed);
      yield* this.in(caller, 'reserved?');
      const reserved = yield* step('is it reserved?', () => this.keepsReserved(cpu, caller.space, renewed));
      if (reserved) return renewed;
      yield* this.in(caller, 'test_and_set_bit');
      const reused = yield* step('test_and_set_bit', () => this.reuseNumber(cpu, renewed));
      if (reused) {
        yield* this.in(caller, 'reused');
        yield* step('return', () => undefined);
        return renewed;
      }
    }
    return yield* this.allocate(caller, generation, old);
  }

  /** Takes a free number; when there is none, begins a generation. */
  *allocate(caller: Caller, before: number, old: number): Task<number> {
    const { state } = this;
    const { format } = state;
    yield* this.in(caller, 'allocate');
    let number = yield* step('find_next_zero_bit', () => this.findFree(state.cursor.get()));
    let generation = before;
    if (number === 0) {
      yield* this.in(caller, 'generation += 1');
      yield* step('generation += 1', () => this.nextGeneration());
      generation = before + 1;
      yield* this.flushContext(caller);
      yield* this.in(caller, 'allocate after the flush');
      number = yield* step('find_next_zero_bit from 1', () => this.findAfterFlush());
    }
    const tag = format.make(generation, number);
    yield* this.in(caller, `set_bit ${tag} ${old === NO_TAG ? 0 : before}`);
    yield* step('set_bit', () => {
      state.map.set(0, state.map.get() | (1 << format.number(tag)));
      state.cursor.set(0, format.number(tag));
      this.noteReturned(caller.cpu, tag);
      if (old !== NO_TAG && format.number(old) !== format.number(tag)) this.witness('a space got another number');
      return undefined;
    });
    return tag;
  }

  /** Looks for the old tag among the reserved ones, and renews every copy (check_update_reserved_asid). */
  *checkUpdateReserved(caller: Caller, old: number, renewed: number): Task {
    const { state } = this;
    yield* this.in(caller, 'check_update_reserved');
    yield* step('no hit yet', () => state.hit.set(caller.cpu, 0));
    for (let cpu = 0; cpu < state.cpus; cpu++) {
      yield* this.in(caller, `reserved ${loopKey(cpu - 1, cpu, state.cpus)}`);
      yield* step(`is it reserved[${cpu}]?`, () => this.updateReserved(caller.cpu, cpu, old, renewed));
    }
    yield* this.in(caller, `reserved ${loopKey(state.cpus - 1, state.cpus, state.cpus)}`);
    yield* step('no CPU is left', () => undefined);
  }

  /** Starts the bitmap of a generation with what runs (flush_context). */
  *flushContext(caller: Caller): Task {
    const { state } = this;
    yield* this.in(caller, 'flush_context');
    yield* step('clear map', () => this.resetMap());
    for (let cpu = 0; cpu < state.cpus; cpu++) {
      yield* this.in(caller, `flush ${loopKey(cpu - 1, cpu, state.cpus)}`);
      const active = yield* step(`xchg active[${cpu}]`, () => this.takeActive(cpu));
      yield* this.in(caller, `preserve ${loopKey(cpu, cpu, state.cpus)} ${active}`);
      yield* step(`store reserved[${cpu}]`, () => this.preserve(cpu, active));
    }
    yield* this.in(caller, `flush ${loopKey(state.cpus - 1, state.cpus, state.cpus)}`);
    yield* step('flush', () => this.afterFlush());
  }

  /** Clears a page-table entry and invalidates what was cached of it, by the number that the space has now. */
  *unmap(space: number): Task {
    const { state } = this;
    yield* this.at('clear PTE');
    yield* step('clear PTE', () => state.pte.set(space, PTE.unmapped));
    yield* this.at('load context.id');
    const number = yield* step('load context.id', () => state.format.number(state.context.get(space)));
    yield* this.at('TLBI', number);
    yield* step('TLBI', () => this.invalidate(space, number));
    yield* this.at('unmapped', this.dead(number));
    yield* step('unmapped', () => this.endUnmap(space));
  }

  /** Unmaps pages of a space, one at a time in the whole world, again and again. */
  *unmapAgain(space: number): Task {
    const { state } = this;
    const idle = state.untilZero(state.unmapping, 0, 'another unmap');
    for (;;) {
      yield* this.at('idle');
      yield* waitStep(`unmap ${spaceName(space)}`, idle, () => {
        state.unmapping.set(0, space + 1);
        return undefined;
      });
      yield* this.unmap(space);
    }
  }

  /** A space ends, and CPUs that ran it idle; a new one takes its name. Its TLB entries stay until a roll-over. */
  *replace(space: number): Task {
    const { state } = this;
    const settled = { name: `${spaceName(space)} to be left alone`, ready: () => this.mayEnd(space) };
    for (;;) {
      yield* this.at('alive');
      yield* waitStep(`${spaceName(space)} exits, another begins`, settled, () => {
        state.context.set(space, NO_TAG);
        state.pte.set(space, PTE.mapped);
        for (let cpu = 0; cpu < state.cpus; cpu++) if (state.running.get(cpu) === space + 1) this.leave(cpu);
        return undefined;
      });
    }
  }

  /** What stands between the slow path's tag and its publication, with the lock held. */
  *beforeActive(_cpu: number, _tag: number, _before: number): Task {}

  /**
   * One agent for each CPU and space, of which one at a time is in the switching code of its CPU: an agent has one next step,
   * so what a CPU may choose from is several agents.
   */
  perCpuAndSpace(task: (cpu: number, space: number) => Task): AgentSpec[] {
    return Array.from({ length: this.config.cpus }, (_, cpu) => cpu).flatMap((cpu) =>
      this.perSpace(`CPU${cpu}`, 0, this.config.spaces, (space) => task(cpu, space)),
    );
  }

  /** One agent for each of the spaces `from` … `to` - 1. */
  perSpace(name: string, from: number, to: number, task: (space: number) => Task): AgentSpec[] {
    return Array.from({ length: to - from }, (_, offset) =>
      endless(`${name} ${spaceName(from + offset)}`, () => task(from + offset)),
    );
  }

  /** Those who unmap, and the ends of spaces. */
  otherAgents(): AgentSpec[] {
    const { spaces, unmapped = spaces, replaced = 0 } = this.config;
    return [
      ...this.perSpace('unmap', 0, unmapped, (space) => this.unmapAgain(space)),
      ...this.perSpace('replace', spaces - replaced, spaces, (space) => this.replace(space)),
    ];
  }

  /** Says what the local state is: the place and the live variables. */
  at(place: string, ...variables: readonly number[]): Forget {
    return forget(`${place} ${variables.join(' ')}`);
  }

  /** The same in a routine under the lock. */
  in(caller: Caller, place: string): Forget {
    return forget(`${place} (${caller.frame})`);
  }
}
