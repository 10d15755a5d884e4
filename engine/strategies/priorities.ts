import { AGENTS_MAX } from '../machine.ts';
import type { Random } from '../random.ts';

/** More steps than any run has. */
const NEVER = 2 ** 31 - 1;

/** What decides a run under PCT: an order of the agents, and the steps after which the running one becomes the last. */
export class Priorities {
  /** Priority of each agent at the beginning: the numbers from `changes` + 1 on. */
  readonly #order = new Int32Array(AGENTS_MAX);
  /** Steps made before each change; the running agent's priority is then 1 for the first one, 2 for the second, … */
  readonly #change: Int32Array;
  readonly #changes: number;
  readonly #priority = new Int32Array(AGENTS_MAX);
  /** The earliest change that is still to come. */
  #next = 0;

  constructor(changes: number) {
    this.#changes = changes;
    this.#change = new Int32Array(Math.max(changes, 1));
  }

  /** Draws an order of the agents, and changes over a run of so many steps. */
  draw(random: Random, agents: number, steps: number): void {
    const order = this.#order;
    const change = this.#change;
    const changes = this.#changes;
    for (let agent = 0; agent < agents; agent++) order[agent] = changes + agent + 1;
    for (let agent = agents - 1; agent > 0; agent--) this.#swap(agent, random.below(agent + 1));
    for (let at = 0; at < changes; at++) change[at] = 1 + random.below(Math.max(steps, 1));
  }

  #swap(one: number, other: number): void {
    const order = this.#order;
    const kept = order[one] as number;
    order[one] = order[other] as number;
    order[other] = kept;
  }

  /** Begins a run. */
  begin(): void {
    const order = this.#order;
    const priority = this.#priority;
    for (let agent = 0; agent < order.length; agent++) priority[agent] = order[agent] as number;
    this.#next = this.#firstFrom(1);
  }

  /** The highest enabled agent; see `Strategy.pick`. */
  pick(enabled: Int32Array, count: number, step: number, previous: number): number {
    const priority = this.#priority;
    if (step === this.#next) this.#changeAt(step, previous);
    let best = enabled[0] as number;
    let highest = priority[best] as number;
    for (let at = 1; at < count; at++) {
      const agent = enabled[at] as number;
      const own = priority[agent] as number;
      if (own <= highest) continue;
      best = agent;
      highest = own;
    }
    return best;
  }

  #changeAt(step: number, previous: number): void {
    const change = this.#change;
    if (previous >= 0)
      for (let at = 0; at < this.#changes; at++) if (change[at] === step) this.#priority[previous] = at + 1;
    this.#next = this.#firstFrom(step + 1);
  }

  /** The first change after `step` steps or more. */
  #firstFrom(step: number): number {
    const change = this.#change;
    let first = NEVER;
    for (let at = 0; at < this.#changes; at++) {
      const when = change[at] as number;
      if (when >= step && when < first) first = when;
    }
    return first;
  }
}
