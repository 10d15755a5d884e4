import { HarnessError } from '../failure.ts';
import { doubled } from './doubled.ts';
import type { Footprint } from '../footprint.ts';

/**
 * What is to be explored from each state of the execution at hand; agents are bits of a word. Frame 0 is the state before
 * the first event, frame n the one after n events.
 */
export class Frames {
  readonly agents: number;
  /** Agents that can run. */
  enabled = new Int32Array(64);
  /** Agents whose next step is to be explored here: a source set, once the exploration comes back to this state. */
  backtrack = new Int32Array(64);
  /** Agents whose next step need not be explored here: whatever begins with it has been explored from here or from before. */
  asleep = new Int32Array(64);
  /** Those asleep whose next step fails. */
  failing = new Int32Array(64);
  /** Number of steps explored from here; and of those that did not fail. */
  tried = new Int32Array(64);
  passed = new Int32Array(64);
  /** For each frame and agent: what the step of an agent asleep touches. */
  readonly #footprints: Footprint[] = [];

  constructor(agents: number) {
    this.agents = agents;
  }

  /** Begins a frame; nobody sleeps in it. */
  begin(frame: number, enabled: number): void {
    if (frame === this.enabled.length) this.#grow();
    this.enabled[frame] = enabled;
    this.backtrack[frame] = 0;
    this.asleep[frame] = 0;
    this.failing[frame] = 0;
    this.tried[frame] = 0;
    this.passed[frame] = 0;
  }

  /** Puts an agent to sleep whose next step has been explored. */
  sleep(frame: number, agent: number, footprint: Footprint, fails: boolean): void {
    this.asleep[frame] = (this.asleep[frame] as number) | (1 << agent);
    if (fails) this.failing[frame] = (this.failing[frame] as number) | (1 << agent);
    this.#footprints[frame * this.agents + agent] = footprint;
  }

  /** The footprint of the step of an agent asleep. */
  footprintOf(frame: number, agent: number): Footprint {
    return this.#footprints[frame * this.agents + agent] as Footprint;
  }

  /** Agents that need not be added to a frame's backtrack set. */
  covered(frame: number): number {
    return (this.backtrack[frame] as number) | (this.asleep[frame] as number);
  }

  /**
   * Has agents explored from a frame, too.
   *
   * @throws HarnessError if one of them cannot run there: that it can follows from the footprints.
   */
  add(frame: number, agents: number): void {
    if ((agents & ~(this.enabled[frame] as number)) !== 0)
      throw new HarnessError(
        'a step cannot be made although nothing has changed of what it and its wait touch: footprints are incomplete',
      );
    this.backtrack[frame] = (this.backtrack[frame] as number) | agents;
  }

  #grow(): void {
    this.enabled = doubled(this.enabled);
    this.backtrack = doubled(this.backtrack);
    this.asleep = doubled(this.asleep);
    this.failing = doubled(this.failing);
    this.tried = doubled(this.tried);
    this.passed = doubled(this.passed);
  }
}
