import { AllocatorState, PTE, type AllocatorConfig } from './state.ts';
import { NO_TAG } from './tag.ts';
import { witnessIndex, type Witness } from './witnesses.ts';

/** What the allocators do inside a step, each a routine of the kernel or a part of one. */
export abstract class TagRoutines {
  readonly config: AllocatorConfig;
  readonly state: AllocatorState;

  constructor(config: AllocatorConfig) {
    this.config = config;
    this.state = new AllocatorState(config);
  }

  /** What is wrong with the state at hand is reported to the machine. Inside a step. */
  abstract check(): void;

  /** A space can end if it ever ran, and nobody switches to it or unmaps its pages. */
  mayEnd(space: number): boolean {
    const { state } = this;
    if (state.context.get(space) === NO_TAG || state.unmapping.get() === space + 1) return false;
    for (let cpu = 0; cpu < state.cpus; cpu++) if (state.switching.get(cpu) === space + 1) return false;
    return true;
  }

  /** A CPU runs no space any more (kernel: cpu_set_reserved_ttbr0). */
  leave(cpu: number): void {
    this.state.running.set(cpu, 0);
    this.state.runningNumber.set(cpu, 0);
  }

  /** Before a switch; with shared TLBs the CPU must leave the old space first. */
  beginAcquire(_cpu: number): void {}

  /** Whether the fast path may be tried. */
  mayGoFast(tag: number, active: number): boolean {
    return active !== NO_TAG && this.isCurrent(tag);
  }

  exchangeActive(cpu: number, expected: number, tag: number): number {
    const before = this.state.active.get(cpu);
    if (before === expected) this.state.active.set(cpu, tag);
    return before;
  }

  /** A roll-over takes the active tag away: then it may be too late for the fast path. */
  fastPathHolds(before: number): boolean {
    return before !== NO_TAG;
  }

  isCurrent(tag: number): boolean {
    return this.state.format.generation(tag) === this.state.generation.get();
  }

  /** The tag to go on with under the lock; `_seen` was loaded without it. */
  tagUnderLock(space: number, _seen: number): number {
    return this.state.context.get(space);
  }

  storeContext(space: number, tag: number): undefined {
    this.state.context.set(space, tag);
    return undefined;
  }

  /** Whether the search among the reserved tags hit; then the tag is returned. */
  keepsReserved(cpu: number, _space: number, renewed: number): boolean {
    const hit = this.state.hit.get(cpu) !== 0;
    if (hit) this.noteReturned(cpu, renewed);
    if (this.config.plusCal !== true) this.state.hit.set(cpu, 0);
    return hit;
  }

  updateReserved(self: number, cpu: number, old: number, renewed: number): undefined {
    const { state } = this;
    if (state.reserved.get(cpu) !== old) return;
    this.witness('a space found its tag reserved');
    state.hit.set(self, 1);
    state.reserved.set(cpu, renewed);
  }

  /** Takes the number that the space had before, unless the generation has given it out. */
  reuseNumber(cpu: number, renewed: number): boolean {
    const { state } = this;
    const bit = 1 << state.format.number(renewed);
    if ((state.map.get() & bit) !== 0) return false;
    this.witness('a space took its old number again');
    state.map.set(0, state.map.get() | bit);
    this.noteReturned(cpu, renewed);
    return true;
  }

  /** The first free number from `from` on; 0: there is none. */
  findFree(from: number): number {
    const map = this.state.map.get();
    for (let number = from; number < this.state.format.count; number++) if ((map & (1 << number)) === 0) return number;
    return 0;
  }

  /** There are more numbers than CPUs, so one is free after a flush. */
  findAfterFlush(): number {
    const number = this.findFree(1);
    if (number === 0) this.fail('no-free-tag', 'After a roll-over no number is free.');
    return number;
  }

  nextGeneration(): undefined {
    const { state, config } = this;
    const next = state.generation.get() + 1;
    state.generation.set(0, next);
    if (next > config.generations)
      state.machine.fail({
        monitor: 'bound',
        rule: 'generations',
        message: `Generation ${next} is beyond those explored.`,
      });
    else this.witness('a roll-over happened');
    return undefined;
  }

  resetMap(): undefined {
    this.state.map.set(0, 0);
    return undefined;
  }

  takeActive(cpu: number): number {
    const active = this.state.active.get(cpu);
    this.state.active.set(cpu, NO_TAG);
    return active;
  }

  /** Reserves what a CPU runs; one that has not switched since the last roll-over still runs what was reserved then. */
  preserve(cpu: number, active: number): undefined {
    const { state } = this;
    const reserved = state.reserved.get(cpu);
    const tag = active === NO_TAG ? reserved : active;
    if (active !== NO_TAG) this.witness('a running tag was reserved at a roll-over');
    else if (reserved !== NO_TAG) this.witness('a tag stayed reserved through a second roll-over');
    state.map.set(0, state.map.get() | (1 << state.format.number(tag)));
    state.reserved.set(cpu, tag);
    return undefined;
  }

  /** What becomes of the TLBs at a roll-over. */
  abstract afterFlush(): undefined;

  /** The CPU runs a space from now on, and may cache its translation under the number that the space has now. */
  load(cpu: number, space: number, tag: number): void {
    const { state } = this;
    state.running.set(cpu, space + 1);
    state.runningNumber.set(cpu, state.format.number(tag));
    for (let other = 0; other < state.cpus; other++)
      if (other !== cpu && state.running.get(other) === space + 1) this.witness('a space ran on two CPUs');
    if (state.pte.get(space) !== PTE.mapped) return;
    const at = state.tlbAt(cpu, space);
    state.tlb.set(at, state.tlb.get(at) | (1 << state.format.number(state.context.get(space))));
  }

  /** TLBI by number, in all CPUs. */
  invalidate(space: number, number: number): undefined {
    const { state } = this;
    for (let at = 0; at < state.tlb.length; at++) state.tlb.set(at, state.tlb.get(at) & ~(1 << number));
    if (state.format.number(state.context.get(space)) !== number)
      this.witness('an invalidation met a tag that had changed since it was read');
    return undefined;
  }

  /** TLBI of everything, in all CPUs. */
  flushAll(): void {
    for (let cpu = 0; cpu < this.state.cpus; cpu++) this.flushCpu(cpu);
  }

  /** TLBI of everything in one CPU; what it runs may be cached again at once, if it is still mapped. */
  flushCpu(cpu: number): void {
    const { state } = this;
    for (let space = 0; space < state.spaces; space++) {
      const again = state.running.get(cpu) === space + 1 && state.pte.get(space) === PTE.mapped;
      state.tlb.set(state.tlbAt(cpu, space), again ? 1 << state.runningNumber.get(cpu) : 0);
    }
  }

  endUnmap(space: number): undefined {
    this.state.pte.set(space, PTE.invalidated);
    this.state.unmapping.set(0, 0);
    return undefined;
  }

  /** A result is a variable in PlusCal, and nobody clears it. */
  noteReturned(cpu: number, tag: number): void {
    if (this.config.plusCal === true) this.state.returned.set(cpu, tag);
  }

  /** A value that is not used any more, as a part of the local state. */
  dead(value: number): number {
    return this.config.plusCal === true ? value : 0;
  }

  witness(witness: Witness): void {
    this.state.machine.tally(witnessIndex(witness));
  }

  fail(rule: string, message: string): void {
    this.state.machine.fail({ monitor: 'tags', rule, message });
  }
}
