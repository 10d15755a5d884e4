import type { Node } from '../automaton.ts';
import { AGENTS_MAX } from '../machine.ts';
import { Random } from '../random.ts';
import { grown } from './grown.ts';
import type { RunView, Strategy } from './strategy.ts';

/**
 * Uniform random walk (Zhao, Wolff, Mathur, Roychoudhury, "Selectively uniform concurrency testing", ASPLOS 2025): an agent
 * is picked with a probability in proportion to the steps that it has left. Where these numbers are right and no agent
 * waits for another, every interleaving is equally likely; under a plain random walk those in which a short agent runs late
 * are rare.
 *
 * Differs from the paper in how the steps left are estimated. The paper counts the events of each thread in a profiling
 * run; here each local state (node) remembers the mean number of steps that its agent made after it in earlier runs of the
 * program (those cut short by a failure do not count), so that an estimate follows the branch taken. The first run of a
 * program knows nothing and is a random walk.
 */
export function urw(): Strategy {
  const random = new Random(0);
  const history = new StepsLeft();
  /** What each agent has left, as far as is known. */
  const left = new Float64Array(AGENTS_MAX);
  let view: RunView | undefined;
  /** Nodes of the steps of this run, by id, and whose they were. */
  let path = new Int32Array(64);
  let agents = new Uint8Array(64);
  let length = 0;
  return {
    name: 'urw',
    begin: (seed, now) => {
      random.seed(seed);
      if (now !== view) history.clear();
      view = now;
      length = 0;
      for (let agent = 0; agent < now.nodes.length; agent++)
        left[agent] = history.at((now.nodes[agent] as Node).id) ?? 1;
    },
    pick: (enabled, count, step, previous) => {
      const { nodes } = view as RunView;
      if (previous >= 0) {
        const known = history.at((nodes[previous] as Node).id);
        left[previous] = known ?? Math.max(1, (left[previous] as number) - 1);
      }
      let total = 0;
      for (let at = 0; at < count; at++) total += left[enabled[at] as number] as number;
      let point = (random.next() / 0x1_0000_0000) * total;
      let at = 0;
      for (; at < count - 1; at++) {
        point -= left[enabled[at] as number] as number;
        if (point < 0) break;
      }
      const agent = enabled[at] as number;
      if (step >= path.length) {
        path = grown(path, step);
        agents = grown(agents, step);
      }
      path[step] = (nodes[agent] as Node).id;
      agents[step] = agent;
      length = step + 1;
      return agent;
    },
    ended: (end) => {
      if (end === 'failed' || end === 'stopped') return;
      left.fill(0);
      for (let at = length - 1; at >= 0; at--) {
        const agent = agents[at] as number;
        const steps = (left[agent] as number) + 1;
        left[agent] = steps;
        history.learn(path[at] as number, steps);
      }
    },
  };
}

/** For each node, the mean number of steps from there on, its own included. */
class StepsLeft {
  #sum = new Float64Array(64);
  #times = new Float64Array(64);

  clear(): void {
    this.#sum.fill(0);
    this.#times.fill(0);
  }

  learn(id: number, steps: number): void {
    if (id >= this.#sum.length) {
      this.#sum = grown(this.#sum, id);
      this.#times = grown(this.#times, id);
    }
    this.#sum[id] = (this.#sum[id] as number) + steps;
    this.#times[id] = (this.#times[id] as number) + 1;
  }

  at(id: number): number | undefined {
    const times = this.#times[id] ?? 0;
    return times === 0 ? undefined : (this.#sum[id] as number) / times;
  }
}
