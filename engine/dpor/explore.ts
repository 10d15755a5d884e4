import type { Failure } from '../failure.ts';
import type { Footprint } from '../footprint.ts';
import { AGENTS_MAX } from '../machine.ts';
import type { System } from '../system.ts';
import { Execution } from './execution.ts';
import { Frames } from './frames.ts';
import type { TraceOptions, TraceResult } from './options.ts';
import { Races } from './races.ts';
import { SystemTarget } from './system-target.ts';
import type { TraceTarget } from './target.ts';

/** Executions between two questions whether to stop. */
const STOP_EVERY = 256;

/**
 * Explores every Mazurkiewicz trace of a system once. The store is as before when it returns.
 *
 * When things came up meanwhile over which steps iterate (`Store.epoch`), steps made before that did not touch them yet, and
 * races may have been missed. Then all is explored again: this time they are known from the start.
 */
export function exploreTraces(system: System, options: TraceOptions = {}): TraceResult {
  const { store } = system.machine;
  for (;;) {
    const { epoch } = store;
    const target = new SystemTarget(system);
    try {
      const result = exploreTarget(target, options);
      if (result.verdict !== 'exhausted' || store.epoch === epoch) return result;
    } finally {
      target.reset();
    }
    options.onRestart?.();
  }
}

/**
 * Explores every Mazurkiewicz trace of a target: of all schedules that differ only in the order of independent steps, one.
 *
 * Source-DPOR with sleep sets (Abdulla, Aronis, Jonsson, Sagonas, "Source sets: a foundation for optimal dynamic partial
 * order reduction", JACM 64(4), 2017, algorithm 1). What differs:
 * - Steps are dependent if, in the execution at hand, one writes a cell that the other touches; a write that changes nothing
 *   is a read. So what a step touches depends on the state, and fewer steps are dependent than by kind of operation.
 * - A step may wait for any condition over cells. Its races are sought among all events that write what it waits for, back
 *   to its agent's last event, and also while it waits: a step that is held up for ever has races, too.
 * - A step that fails ends its execution. It then counts as a step that cannot run there: another one is explored from the
 *   same state, and the failing one sleeps until something that it touches changes. So each failure, with each different
 *   past of the failing step, is found.
 */
export function exploreTarget(target: TraceTarget, options: TraceOptions = {}): TraceResult {
  if (target.agents > AGENTS_MAX) throw new RangeError(`a target has at most ${AGENTS_MAX} agents`);
  return new Explorer(target, options).explore();
}

class Explorer {
  readonly #target: TraceTarget;
  readonly #options: TraceOptions;
  readonly #execution: Execution;
  readonly #frames: Frames;
  readonly #races: Races;
  /** Number of steps that the target is away from its first state: those of the execution at hand, or more. */
  #position = 0;
  #traces = 0;
  #failed = 0;
  #blocked = 0;
  #steps = 0;
  #repeated = 0;
  #depth = 0;
  #failures = 0;
  /** Agents that wait, and cannot run, in the state that the target is in. */
  #waiting = 0;

  constructor(target: TraceTarget, options: TraceOptions) {
    this.#target = target;
    this.#options = options;
    this.#execution = new Execution(target.agents, target.footprints);
    this.#frames = new Frames(target.agents);
    this.#races = new Races(this.#execution, this.#frames, target);
  }

  explore(): TraceResult {
    this.#target.reset();
    this.#frames.begin(0, this.#enabled());
    let end = this.#enter();
    while (end === undefined) {
      const agent = this.#next();
      if (agent >= 0) end = this.#run(agent);
      else if (this.#execution.length > 0) end = this.#leave();
      else return this.#result('exhausted');
    }
    return end;
  }

  /** The next agent to run in the last frame; -1 if there is none. */
  #next(): number {
    const frames = this.#frames;
    const at = this.#execution.length;
    const awake = (frames.enabled[at] as number) & ~(frames.asleep[at] as number);
    let open = (frames.backtrack[at] as number) & awake;
    // All steps explored from here have failed: they are no source set for what does not fail.
    if (open === 0 && frames.passed[at] === 0 && frames.tried[at] !== 0) open = awake & -awake;
    return open === 0 ? -1 : 31 - Math.clz32(open & -open);
  }

  /** Runs one step, and goes on to the state that it leads to. */
  #run(agent: number): TraceResult | undefined {
    const execution = this.#execution;
    const frames = this.#frames;
    const target = this.#target;
    const at = execution.length;
    if (this.#steps >= (this.#options.stepsMax ?? Infinity)) return this.#result('bound', 'steps');
    this.#comeBack();
    let watched = target.watched(agent);
    if (watched !== undefined) watched = this.#races.findWaits(agent);
    const footprint = target.step(agent);
    this.#position++;
    this.#steps++;
    frames.tried[at] = (frames.tried[at] as number) + 1;
    execution.append(agent, footprint);
    if (at >= this.#depth) this.#depth = at + 1;
    const { failure } = target;
    const failed = failure !== undefined && this.#options.countFailures !== true;
    this.#races.reverse(watched, failed);
    if (watched !== undefined) this.#races.reverseWaits(agent, watched, footprint, at, failed);
    this.#noteChanged(agent, footprint, failed ? at : at + 1);
    if (!failed) this.#races.orderWithChanged();
    if (failure !== undefined && this.#note(failure)) return this.#violation(failure);
    if (failed) {
      this.#failed++;
      execution.pop();
      frames.sleep(at, agent, footprint, true);
      // Had it not failed, what it touches would show in races with what comes after it.
      if (frames.passed[at] !== 0) frames.add(at, frames.enabled[at] as number);
      return this.#boundOnExecutions();
    }
    frames.passed[at] = (frames.passed[at] as number) + 1;
    frames.begin(at + 1, this.#enabled());
    this.#inheritSleep(at, agent, footprint);
    this.#findHeldUp(at, agent, footprint);
    return this.#enter();
  }

  /** Looks at the state reached. */
  #enter(): TraceResult | undefined {
    const frames = this.#frames;
    const at = this.#execution.length;
    const enabled = frames.enabled[at] as number;
    if (enabled === 0) return this.#end();
    const awake = enabled & ~(frames.asleep[at] as number);
    if (awake === 0) {
      this.#blocked++;
      return this.#boundOnExecutions();
    }
    if (at >= (this.#options.depthMax ?? 10_000)) return this.#result('bound', 'depth');
    frames.add(at, awake & -awake);
    return undefined;
  }

  /** Nothing can run. */
  #end(): TraceResult | undefined {
    const { onTrace } = this.#options;
    this.#traces++;
    this.#target.conclude();
    const { failure } = this.#target;
    onTrace?.(this.#schedule());
    if (failure !== undefined && this.#note(failure)) return this.#violation(failure);
    return this.#boundOnExecutions();
  }

  /** Goes back by one event; its step need not be explored again from there. */
  #leave(): TraceResult | undefined {
    const execution = this.#execution;
    const at = execution.length - 1;
    const agent = execution.agentOf[at] as number;
    execution.pop();
    this.#races.forgetChanged(at);
    this.#frames.sleep(at, agent, execution.footprintOf[at] as Footprint, false);
    return undefined;
  }

  /** Brings the target to the state after the events of the execution. */
  #comeBack(): void {
    const { length, agentOf } = this.#execution;
    if (this.#position === length) return;
    const target = this.#target;
    if (target.backTo === undefined) {
      target.reset();
      for (let at = 0; at < length; at++) target.step(agentOf[at] as number);
      this.#repeated += length;
    } else target.backTo(length);
    this.#position = length;
  }

  #enabled(): number {
    const target = this.#target;
    let enabled = 0;
    this.#waiting = 0;
    for (let agent = 0; agent < target.agents; agent++)
      if (target.enabled(agent)) enabled |= 1 << agent;
      else if (target.watched(agent) !== undefined) this.#waiting |= 1 << agent;
    return enabled;
  }

  /** Whoever sleeps goes on sleeping while what its step touches stays as it is. */
  #inheritSleep(at: number, agent: number, footprint: Footprint): void {
    const frames = this.#frames;
    const { footprints } = this.#target;
    for (let left = (frames.asleep[at] as number) & ~(1 << agent); left !== 0; left &= left - 1) {
      const bit = left & -left;
      const other = 31 - Math.clz32(bit);
      const sleeper = frames.footprintOf(at, other);
      if (!footprints.dependent(sleeper, footprint))
        frames.sleep(at + 1, other, sleeper, ((frames.failing[at] as number) & bit) !== 0);
      else if ((this.#waiting & bit) !== 0) this.#races.noteChanged(at, other, sleeper, at + 1);
    }
  }

  /** Notes frames in which an agent slept whose step has now turned out to be another one than there. */
  #noteChanged(agent: number, footprint: Footprint, since: number): void {
    const frames = this.#frames;
    const { agentOf, before, length } = this.#execution;
    const bit = 1 << agent;
    for (let frame = length - 2; frame > (before[length - 1] as number); frame--)
      if (
        ((frames.asleep[frame] as number) & ~(frames.asleep[frame + 1] as number) & bit) !== 0 &&
        frames.footprintOf(frame, agent) !== footprint &&
        agentOf[frame] !== agent
      )
        this.#races.noteChanged(frame, agent, frames.footprintOf(frame, agent), since);
  }

  /** Steps that wait, and that the last event may have kept from running: its own agent's next one, and those it wrote for. */
  #findHeldUp(at: number, agent: number, footprint: Footprint): void {
    for (let left = this.#waiting; left !== 0; left &= left - 1) {
      const other = 31 - Math.clz32(left & -left);
      let watched = this.#target.watched(other) as Footprint;
      if (other !== agent && !this.#target.footprints.dependent(watched, footprint)) continue;
      watched = this.#races.findWaits(other);
      this.#races.reverseWaits(other, watched, watched, at + 1, false);
    }
  }

  /** Counts a failure; true if it is one that ends the exploration. */
  #note(failure: Failure): boolean {
    const { wanted, onFailure, countFailures } = this.#options;
    onFailure?.(failure, this.#schedule());
    if (wanted !== undefined && !wanted(failure)) return false;
    this.#failures++;
    return countFailures !== true;
  }

  #schedule(): number[] {
    const { agentOf, length } = this.#execution;
    return [...agentOf.subarray(0, length)];
  }

  #boundOnExecutions(): TraceResult | undefined {
    const { executionsMax, stop } = this.#options;
    const executions = this.#traces + this.#failed + this.#blocked;
    if (executions >= (executionsMax ?? 100_000_000)) return this.#result('bound', 'executions');
    if (stop !== undefined && executions % STOP_EVERY === 0 && stop()) return this.#result('bound', 'stopped');
    return undefined;
  }

  #violation(failure: Failure): TraceResult {
    return { ...this.#result('violation'), failure, schedule: this.#schedule() };
  }

  #result(verdict: TraceResult['verdict'], bound?: TraceResult['bound']): TraceResult {
    const counts = {
      verdict,
      executions: this.#traces + this.#failed + this.#blocked,
      traces: this.#traces,
      failed: this.#failed,
      blocked: this.#blocked,
      steps: this.#steps,
      repeated: this.#repeated,
      depth: this.#depth,
      failures: this.#failures,
    };
    return bound === undefined ? counts : { ...counts, bound };
  }
}
