import type { AgentSpec } from '../../engine/agent.ts';
import { step, waitStep, type Task } from '../../engine/step.ts';
import { checkTlbs } from './invariants.ts';
import { AllocatorModel, type Routines, type Symmetry } from './model.ts';
import { spaceName, type AllocatorConfig, type Row } from './state.ts';
import { TagAllocator } from './tag-allocator.ts';
import { NO_TAG } from './tag.ts';

/** What a model of the ASID allocator has beyond the common parts. */
export interface AsidConfig extends AllocatorConfig {
  /** CPUs share their TLBs ("common, not private"). Default false. */
  readonly cnp?: boolean;
  /** How many spaces, the first ones, devices use, which pins their ASIDs (arm64_mm_context_get, _put). Default 0. */
  readonly pinned?: number;
}

/** A device is about to use a space. */
const BEING_BOUND = -1;

/** The ASID allocator (arch/arm64/mm/context.c). A roll-over makes each CPU flush its own TLB at its next switch. */
export class AsidAllocator extends TagAllocator {
  declare readonly config: AsidConfig;
  /** For each space: 1 while it is pinned, and the number that a device uses for it, 0 for none. */
  readonly pinned: Row;
  readonly device: Row;
  readonly pinnedMap: Row;

  constructor(config: AsidConfig) {
    super(config);
    this.pinned = this.state.row('pinned', 'space');
    this.device = this.state.row('device uses', 'space');
    this.pinnedMap = this.state.row('pinned map', 'one');
  }

  /** The scheduler of a CPU picks a space, again and again; what it runs already is not switched to. */
  *schedule(cpu: number, space: number): Task {
    const { state } = this;
    const idle = state.untilZero(state.switching, cpu, `CPU${cpu}`);
    for (;;) {
      yield* this.at('idle');
      const switches = yield* waitStep(`pick ${spaceName(space)}`, idle, () => {
        if (state.running.get(cpu) === space + 1) return false;
        state.switching.set(cpu, space + 1);
        return true;
      });
      if (!switches) continue;
      const { tag, before } = yield* this.acquire(cpu, space);
      yield* this.at('switch_mm', tag, before);
      yield* step('write TTBR0', () => {
        this.load(cpu, space, tag);
        state.switching.set(cpu, 0);
        return undefined;
      });
    }
  }

  /** Pins the ASID of a space for a device, and gives it back, again and again. */
  *bind(space: number): Task {
    const { state } = this;
    const unlocked = state.untilZero(state.lock, 0, 'the allocator lock');
    const cpu = state.cpus;
    for (;;) {
      yield* this.at('unbound');
      const looked = yield* waitStep('spin_lock', unlocked, () => {
        if (!this.mayPin()) return -1;
        state.lock.set(0, 1);
        this.device.set(space, BEING_BOUND);
        const tag = state.context.get(space);
        return tag * 2 + (this.isCurrent(tag) ? 1 : 0);
      });
      if (looked < 0) continue;
      const found = looked >> 1;
      const tag = (looked & 1) === 1 ? found : yield* this.renew(cpu, space, { tag: found, before: NO_TAG });
      yield* this.at('pin', tag);
      yield* step('pin, spin_unlock', () => this.pin(space, tag));
      yield* this.at('bound', tag);
      yield* waitStep('unbind', unlocked, () => this.unpin(space));
    }
  }

  override *beforeActive(cpu: number, tag: number, before: number): Task {
    yield* this.at('tlb_flush_pending', tag, before);
    yield* step('flush the TLB if that is pending', () => this.flushIfPending(cpu));
  }

  override check(): void {
    const { cnp = false, replaced = 0 } = this.config;
    checkTlbs(this.state, { shared: cnp, replaced: replaced > 0 });
    if ((this.config.pinned ?? 0) > 0) this.#checkPinned();
  }

  override beginAcquire(cpu: number): void {
    if (this.config.cnp === true) this.leave(cpu);
  }

  override resetMap(): undefined {
    this.state.map.set(0, this.pinnedMap.get());
    if (this.pinnedMap.get() !== 0) this.witness('a pinned tag was kept at a roll-over');
    return undefined;
  }

  /** A reserved tag goes before a pinned one: its copy in `reserved` must get the new generation. */
  override keepsReserved(cpu: number, space: number, renewed: number): boolean {
    if (super.keepsReserved(cpu, space, renewed)) return true;
    if (this.pinned.get(space) === 0) return false;
    this.noteReturned(cpu, renewed);
    return true;
  }

  override afterFlush(): undefined {
    for (let cpu = 0; cpu < this.state.cpus; cpu++) this.state.flushPending.set(cpu, 1);
    return undefined;
  }

  /** With shared TLBs all are flushed, else the CPU's own. */
  flushIfPending(cpu: number): undefined {
    const { state } = this;
    if (state.flushPending.get(cpu) === 0) return undefined;
    this.witness('a CPU flushed its TLB after a roll-over');
    state.flushPending.set(cpu, 0);
    if (this.config.cnp === true) this.flushAll();
    else this.flushCpu(cpu);
    return undefined;
  }

  /** Room for a reserved tag of each CPU, and one more, stays free. */
  mayPin(): boolean {
    const { state } = this;
    const most = state.format.count - state.cpus - 2;
    let pinned = 0;
    for (let space = 0; space < state.spaces; space++) pinned += this.pinned.get(space);
    return pinned < most;
  }

  pin(space: number, tag: number): undefined {
    const { state } = this;
    const number = state.format.number(tag);
    this.pinned.set(space, 1);
    this.pinnedMap.set(0, this.pinnedMap.get() | (1 << number));
    this.device.set(space, number);
    state.lock.set(0, 0);
    return undefined;
  }

  unpin(space: number): undefined {
    this.pinned.set(space, 0);
    this.pinnedMap.set(0, this.pinnedMap.get() & ~(1 << this.device.get(space)));
    this.device.set(space, 0);
    return undefined;
  }

  override mayEnd(space: number): boolean {
    return super.mayEnd(space) && this.device.get(space) === 0;
  }

  /** A space that a device uses keeps its number, and has it alone. */
  #checkPinned(): void {
    const { state } = this;
    const { format } = state;
    for (let space = 0; space < state.spaces; space++) {
      const number = this.device.get(space);
      if (number <= 0) continue;
      if (format.number(state.context.get(space)) !== number)
        this.fail(
          'pinned-tag-changed',
          `A device uses ASID ${number} of ${spaceName(space)}, which has another one now.`,
        );
      for (let other = 0; other < state.spaces; other++)
        if (other !== space && this.isCurrent(state.context.get(other)))
          if (format.number(state.context.get(other)) === number)
            this.fail(
              'pinned-tag-shared',
              `ASID ${number}, pinned for ${spaceName(space)}, went to ${spaceName(other)}.`,
            );
    }
  }

  /** The agents: each CPU with each space that it may switch to, what both allocators have, and devices. */
  agents(): AgentSpec[] {
    return [
      ...this.perCpuAndSpace((cpu, space) => this.schedule(cpu, space)),
      ...this.otherAgents(),
      ...this.perSpace('bind', 0, this.config.pinned ?? 0, (space) => this.bind(space)),
    ];
  }
}

/** A model of the arm64 ASID allocator, ready to be explored. @param routines replaced ones: a bug. */
export function asidAllocator(
  config: AsidConfig,
  routines: Routines<AsidAllocator> = {},
  symmetry: Symmetry = 'none',
): AllocatorModel {
  const allocator = Object.assign(new AsidAllocator(config), routines);
  return new AllocatorModel(allocator, allocator.agents(), symmetry);
}
