import { doubled } from './doubled.ts';
import type { Footprint, Footprints } from '../footprint.ts';

/**
 * The execution at hand: its events, and for each its vector clock. An event is known by its position. The clock of an event
 * says for each agent how far its events happen before: position + 1 of the last one that does, itself included; 0 for none.
 */
export class Execution {
  readonly agents: number;
  /** Number of events. */
  length = 0;
  /** For each event: its agent, and the event of the same agent before it (-1: none). */
  agentOf = new Int32Array(64);
  before = new Int32Array(64);
  readonly footprintOf: Footprint[] = [];
  /** For each agent its last event, or -1. */
  readonly last: Int32Array;
  /** The clocks, one after the other. */
  clocks: Int32Array;
  /** Events in a race with the one appended last: dependent, and nothing that happens in between; latest first. */
  readonly racing: Int32Array;
  racingCount = 0;
  readonly #footprints: Footprints;

  constructor(agents: number, footprints: Footprints) {
    this.agents = agents;
    this.#footprints = footprints;
    this.last = new Int32Array(agents).fill(-1);
    this.clocks = new Int32Array(64 * agents);
    this.racing = new Int32Array(agents);
  }

  /** True if event `earlier` happens before event `later` (or is it). */
  happensBefore(earlier: number, later: number): boolean {
    return (this.clocks[later * this.agents + (this.agentOf[earlier] as number)] as number) > earlier;
  }

  /** Appends an event; works out its clock and what it races with. */
  append(agent: number, footprint: Footprint): void {
    const at = this.length;
    if (at === this.agentOf.length) this.#grow();
    const before = this.last[agent] as number;
    this.agentOf[at] = agent;
    this.before[at] = before;
    this.footprintOf[at] = footprint;
    const { agents, clocks } = this;
    const row = at * agents;
    if (before < 0) for (let other = 0; other < agents; other++) clocks[row + other] = 0;
    else for (let other = 0; other < agents; other++) clocks[row + other] = clocks[before * agents + other] as number;
    this.#collect(agent, footprint, row);
    this.#join(row);
    clocks[row + agent] = at + 1;
    this.last[agent] = at;
    this.length = at + 1;
  }

  /** Takes the last event back. */
  pop(): void {
    const at = --this.length;
    this.last[this.agentOf[at] as number] = this.before[at] as number;
  }

  /** For each other agent, the last event that the new one depends on, if that is not known to happen before; latest first. */
  #collect(agent: number, footprint: Footprint, row: number): void {
    const { agents, clocks, racing } = this;
    let count = 0;
    for (let other = 0; other < agents; other++) {
      if (other === agent) continue;
      const known = clocks[row + other] as number;
      let event = this.last[other] as number;
      while (event >= known && !this.#footprints.dependent(this.footprintOf[event] as Footprint, footprint))
        event = this.before[event] as number;
      if (event < known) continue;
      let place = count++;
      for (; place > 0 && (racing[place - 1] as number) < event; place--) racing[place] = racing[place - 1] as number;
      racing[place] = event;
    }
    this.racingCount = count;
  }

  /** Takes the clocks of the collected events in, and leaves those of them that do not happen before a later one of them. */
  #join(row: number): void {
    const { agents, clocks, racing, agentOf } = this;
    let count = 0;
    for (let index = 0; index < this.racingCount; index++) {
      const event = racing[index] as number;
      if ((clocks[row + (agentOf[event] as number)] as number) > event) continue;
      racing[count++] = event;
      const from = event * agents;
      for (let other = 0; other < agents; other++)
        if ((clocks[from + other] as number) > (clocks[row + other] as number))
          clocks[row + other] = clocks[from + other] as number;
    }
    this.racingCount = count;
  }

  #grow(): void {
    this.agentOf = doubled(this.agentOf);
    this.before = doubled(this.before);
    this.clocks = doubled(this.clocks);
  }
}
