import { doubled } from './doubled.ts';
import type { Footprint } from '../footprint.ts';
import type { Execution } from './execution.ts';
import type { Frames } from './frames.ts';
import type { TraceTarget } from './target.ts';

/** Words of an entry of the list of steps that have changed. */
const CHANGED = 3;

/** Whether a waiting step could have run before an event: it could not; it could; or not after all that comes first. */
const NEVER = 0;
const READY = 1;
const PERHAPS = 2;

/**
 * Finds the races of the execution at hand, and has the other order of each explored: for a race of event e with a later
 * step, what does not happen after e (the paper's notdep) followed by that step is to be explored from before e; so one of
 * its initials, the agents that can begin it, is added to the frame there unless one is covered.
 */
export class Races {
  readonly #execution: Execution;
  readonly #frames: Frames;
  readonly #target: TraceTarget;
  /** For each agent, its first event among those that do not happen after the event at hand. */
  readonly #first: Int32Array;
  /** Agents that have one. */
  #seen = 0;
  /** For each event, 1 if it does not happen after the event at hand. */
  #kept = new Uint8Array(64);
  /** Events that a waiting step may have to be moved to before, and whether it is ready there. */
  #candidates = new Int32Array(64);
  #readiness = new Uint8Array(64);
  #candidateCount = 0;
  /** Steps that are not any more what they were: frame in which they were that, agent, and frame from which on that is so. */
  #changed = new Int32Array(64 * CHANGED);
  readonly #changedFrom: Footprint[] = [];
  #changedCount = 0;

  constructor(execution: Execution, frames: Frames, target: TraceTarget) {
    this.#execution = execution;
    this.#frames = frames;
    this.#target = target;
    this.#first = new Int32Array(execution.agents);
  }

  /**
   * Reverses the races of the last event with earlier ones.
   *
   * @param watched what its step waited for: events that write that are left to `reverseWaits`.
   * @param failed the step failed: nothing comes after it, so only what happens before it may stand between.
   */
  reverse(watched: Footprint | undefined, failed: boolean): void {
    const { racing, racingCount, length, footprintOf } = this.#execution;
    for (let index = 0; index < racingCount; index++) {
      const event = racing[index] as number;
      if (watched !== undefined && this.#writes(footprintOf[event] as Footprint, watched)) continue;
      this.#reverse(event, length - 1, failed);
    }
  }

  /**
   * Looks for the events before which a waiting step may have to be made: those that write what it waits for, and that
   * its agent's last event does not happen after. (Not only the last of them: that may be the one which ended the wait.)
   */
  findWaits(agent: number): Footprint {
    const { length, agentOf, footprintOf, last } = this.#execution;
    const before = last[agent] as number;
    this.#candidateCount = 0;
    let watched = this.#target.watched(agent) as Footprint;
    for (let event = length - 1; event >= 0; event--) {
      if (agentOf[event] === agent || !this.#writes(footprintOf[event] as Footprint, watched)) continue;
      if (before >= 0 && this.#execution.happensBefore(event, before)) continue;
      const readiness = this.#readyBefore(event, agent, watched);
      const known = this.#target.watched(agent) as Footprint;
      if (known !== watched) {
        // Asking about an earlier state has shown that the wait looks at more: begin again. That is looked at after each
        // question, the one about the first event included: `reverse` leaves all that writes what is returned to the events
        // found here, so these have to be found by the very footprint that is returned.
        watched = known;
        event = length;
        this.#candidateCount = 0;
        continue;
      }
      if (this.#candidateCount === this.#candidates.length) this.#growCandidates();
      this.#candidates[this.#candidateCount] = event;
      this.#readiness[this.#candidateCount++] = readiness;
    }
    return watched;
  }

  /**
   * Has the waiting step explored before the events found.
   *
   * @param footprint of the step: that of the last event, if it was made; else `watched`, and where the step has been
   *   explored it is known better.
   * @param end number of events without the step.
   */
  reverseWaits(agent: number, watched: Footprint, footprint: Footprint, end: number, failed: boolean): void {
    const { last, before } = this.#execution;
    const made = end < this.#execution.length;
    const previous = made ? (before[end] as number) : (last[agent] as number);
    for (let index = 0; index < this.#candidateCount; index++) {
      const event = this.#candidates[index] as number;
      if (this.#readiness[index] === NEVER) {
        if (made && watched.cells.length > 1) this.noteChanged(event, agent, watched, failed ? end : end + 1);
        continue;
      }
      let initials = this.#initials(event, end, failed ? end : -1, 0);
      const frames = this.#frames;
      const enabled = ((frames.enabled[event] as number) & (1 << agent)) !== 0 && previous < event;
      if (this.#readiness[index] === PERHAPS) {
        if (enabled) initials |= 1 << agent;
        frames.add(event, initials & ~(frames.asleep[event] as number));
        continue;
      }
      const slept = ((frames.asleep[event] as number) & (1 << agent)) !== 0 && previous < event;
      const touched = slept ? frames.footprintOf(event, agent) : footprint;
      if (enabled && !this.#dependsOnKept(touched, event, end, failed)) initials |= 1 << agent;
      this.#cover(event, initials, agent);
    }
  }

  /**
   * Notes that an event has made an agent's pending step another one than it would have been before the event: it touches
   * other cells, or can run while it could not. What touches what the step touched before, and does not happen after the
   * event, may come before both; and with the step as it is now, that need not show as a race.
   *
   * @param frame the one before the event.
   * @param footprint of the step there.
   * @param since the frame from which on this is so.
   */
  noteChanged(frame: number, agent: number, footprint: Footprint, since: number): void {
    const at = this.#changedCount * CHANGED;
    if (at + CHANGED > this.#changed.length) this.#changed = doubled(this.#changed);
    this.#changed[at] = frame;
    this.#changed[at + 1] = agent;
    this.#changed[at + 2] = since;
    this.#changedFrom[this.#changedCount++] = footprint;
    for (let later = frame + 1; later < this.#execution.length; later++) this.#order(frame, agent, footprint, later);
  }

  /** Forgets what was noted in frames after this one. */
  forgetChanged(frame: number): void {
    while (this.#changedCount > 0 && (this.#changed[this.#changedCount * CHANGED - 1] as number) > frame)
      this.#changedCount--;
  }

  /** Has the last event explored before the steps that have changed. */
  orderWithChanged(): void {
    const last = this.#execution.length - 1;
    for (let index = 0; index < this.#changedCount; index++) {
      const at = index * CHANGED;
      const footprint = this.#changedFrom[index] as Footprint;
      this.#order(this.#changed[at] as number, this.#changed[at + 1] as number, footprint, last);
    }
  }

  #order(frame: number, agent: number, footprint: Footprint, later: number): void {
    const execution = this.#execution;
    if (execution.agentOf[later] === agent || execution.happensBefore(frame, later)) return;
    if (this.#target.footprints.dependent(footprint, execution.footprintOf[later] as Footprint))
      this.#reverse(frame, later, true);
  }

  #writes(writer: Footprint, watched: Footprint): boolean {
    return this.#target.footprints.dependent(writer, watched);
  }

  #reverse(event: number, later: number, failed: boolean): void {
    const covered = this.#frames.covered(event);
    const execution = this.#execution;
    const agent = execution.agentOf[later] as number;
    let initials = this.#initials(event, later, failed ? later : -1, covered);
    if ((initials & covered) !== 0) return;
    if ((this.#seen & (1 << agent)) === 0) {
      const slept = ((this.#frames.asleep[event] as number) & (1 << agent)) !== 0;
      const depends = slept
        ? this.#dependsOnKept(this.#frames.footprintOf(event, agent), event, later, failed)
        : this.#hasPredecessor(later, agent);
      if (!depends) initials |= 1 << agent;
    }
    this.#cover(event, initials, agent);
  }

  /** Adds one of the initials to the frame before an event, unless one of them is covered. */
  #cover(event: number, initials: number, preferred: number): void {
    if ((initials & this.#frames.covered(event)) !== 0 || initials === 0) return;
    const bit = 1 << preferred;
    this.#frames.add(event, (initials & bit) !== 0 ? bit : initials & -initials);
  }

  /**
   * Agents whose events can come first of those after `event` and before `end` that do not happen after it.
   *
   * @param only unless -1, only events that happen before this one count.
   * @param enough agents of which one suffices.
   */
  #initials(event: number, end: number, only: number, enough: number): number {
    const { agents, agentOf, clocks } = this.#execution;
    const owner = agentOf[event] as number;
    let initials = 0;
    this.#seen = 0;
    for (let at = event + 1; at < end; at++) {
      const agent = agentOf[at] as number;
      if ((this.#seen & (1 << agent)) !== 0 || (clocks[at * agents + owner] as number) > event) continue;
      if (only >= 0 && !this.#execution.happensBefore(at, only)) continue;
      const first = !this.#hasPredecessor(at, agent);
      this.#first[agent] = at;
      this.#seen |= 1 << agent;
      if (!first) continue;
      initials |= 1 << agent;
      if ((initials & enough) !== 0) break;
    }
    return initials;
  }

  /** True if one of the first events of other agents happens before an event. */
  #hasPredecessor(at: number, agent: number): boolean {
    const { agents, clocks } = this.#execution;
    const row = at * agents;
    for (let other = 0; other < agents; other++)
      if (other !== agent && (this.#seen & (1 << other)) !== 0)
        if ((clocks[row + other] as number) > (this.#first[other] as number)) return true;
    return false;
  }

  #dependsOnKept(footprint: Footprint, event: number, end: number, failed: boolean): boolean {
    const execution = this.#execution;
    for (let at = event + 1; at < end; at++)
      if (
        !execution.happensBefore(event, at) &&
        (!failed || execution.happensBefore(at, end)) &&
        this.#target.footprints.dependent(execution.footprintOf[at] as Footprint, footprint)
      )
        return true;
    return false;
  }

  /** Whether an agent's waiting step can be made instead of an event, after what does not happen after that. */
  #readyBefore(event: number, agent: number, watched: Footprint): number {
    const execution = this.#execution;
    const { length, last, footprintOf } = execution;
    if (length > this.#kept.length) this.#kept = new Uint8Array(length * 2);
    let changed = false;
    for (let at = event + 1; at < length; at++) {
      const kept = !execution.happensBefore(event, at);
      this.#kept[at] = kept ? 1 : 0;
      if (kept && this.#writes(footprintOf[at] as Footprint, watched)) changed = true;
    }
    this.#kept[event] = 0;
    const there = (last[agent] as number) < event;
    if (there && !changed) return ((this.#frames.enabled[event] as number) & (1 << agent)) !== 0 ? READY : NEVER;
    if (this.#target.readyAfter === undefined) return PERHAPS;
    if (this.#target.readyAfter(agent, event, this.#kept)) return READY;
    return changed ? PERHAPS : NEVER;
  }

  #growCandidates(): void {
    this.#candidates = doubled(this.#candidates);
    const readiness = new Uint8Array(this.#candidates.length);
    readiness.set(this.#readiness);
    this.#readiness = readiness;
  }
}
