/**
 * Fits a stored schedule to the software as it is now.
 *
 * A choice names a step by agent, label and ordinal. If the agent's next step is another one, yield points may have been
 * added: the agent is run on, for a bounded number of steps, until the named step comes. If it does not come, the
 * schedule no longer fits, and the result says where and what the agent would do instead.
 */
import type { Node } from '../engine/automaton.ts';
import { AGENTS_MAX } from '../engine/machine.ts';
import { Runner } from '../engine/run.ts';
import type { System } from '../engine/system.ts';
import type { Choice } from './format.ts';

/** Steps that an agent may make beyond the stored ones, to get to the step that a choice names. */
const addedMax = 64;

/** Why the schedule went to another agent. */
export interface Handover {
  /** The agent that was left. */
  readonly from: string;
  readonly why: 'could-continue' | 'blocked' | 'ended';
  /** Its next step, or what it waits for and who holds that. */
  readonly detail: string;
}

/** An agent that could not go on when the schedule ended. */
export interface Waiting {
  readonly agent: string;
  readonly name: string;
  readonly holder: string | undefined;
  /** What would end the wait. */
  readonly ender: string | undefined;
}

/** A schedule in agent indices, ready to run, with what is known about it. */
export interface Alignment {
  readonly schedule: readonly number[];
  /** For each step of the schedule that another agent than before makes: why. */
  readonly handovers: ReadonlyMap<number, Handover>;
  /** Steps that the stored schedule does not have: new yield points. */
  readonly added: number;
  /** Who waits for what after the last step; daemons are left out. */
  readonly waiting: readonly Waiting[];
  /** Set if the stored schedule no longer fits: which choice (counted from 0), and why, as a sentence. */
  readonly misfit?: { readonly choice: number; readonly why: string };
}

/** Aligns stored choices. The system is as before when it returns. */
export function align(system: System, choices: readonly Choice[]): Alignment {
  const walk = new Walk(system, choices.length * (addedMax + 1) + 1);
  let misfit: Alignment['misfit'];
  for (const [index, choice] of choices.entries()) {
    if (walk.failed) break;
    const why = walk.follow(choice);
    if (why === undefined) continue;
    misfit = { choice: index, why };
    break;
  }
  const { schedule, handovers } = walk;
  const added = Math.max(0, schedule.length - (misfit?.choice ?? choices.length));
  const result: Alignment = { schedule, handovers, added, waiting: walk.waiting() };
  walk.close();
  return misfit === undefined ? result : { ...result, misfit };
}

/** The choices that a schedule of agent indices stands for. The system is as before when it returns. */
export function choicesOf(system: System, schedule: readonly number[]): Choice[] {
  const walk = new Walk(system, schedule.length + 1);
  const choices = schedule.map((agent) => walk.choice(agent));
  walk.close();
  return choices;
}

class Walk {
  readonly schedule: number[] = [];
  readonly handovers = new Map<number, Handover>();
  readonly #system: System;
  readonly #runner: Runner;
  readonly #ordinals = new Map<string, number>();
  readonly #enabled = new Int32Array(AGENTS_MAX);
  #previous = -1;

  constructor(system: System, stepsMax: number) {
    this.#system = system;
    this.#runner = new Runner(system, stepsMax);
    this.#runner.reset();
  }

  get failed(): boolean {
    return this.#system.machine.failure !== undefined;
  }

  close(): void {
    this.#runner.close();
  }

  /** Runs the agent of a choice up to and including the step that the choice names; returns why it cannot. */
  follow([name, label, ordinal]: Choice): string | undefined {
    const agent = this.#system.agents.findIndex((spec) => spec.name === name);
    if (agent < 0) return `there is no agent ${name}.`;
    const before = this.#label(agent);
    for (let tried = 0; tried <= addedMax && !this.failed; tried++) {
      const pending = this.#label(agent);
      if (pending === undefined) return `${name} has ended and does not reach "${label}" (number ${ordinal + 1}).`;
      if (!this.#canRun(agent))
        return `${name} waits for ${this.#waitsFor(agent)} and cannot go on to "${label}"${pending === label ? '' : ` (next: "${pending}")`}.`;
      const made = this.choice(agent);
      if (made[1] === label && made[2] === ordinal) return undefined;
    }
    return this.failed
      ? undefined
      : `${name} does not come to "${label}" (number ${ordinal + 1}); it went on with "${before}".`;
  }

  /** Makes one step, and says which. */
  choice(agent: number): Choice {
    const name = this.#system.agents[agent]?.name ?? `agent ${agent}`;
    const label = this.#label(agent) ?? '';
    const key = `${agent} ${label}`;
    const ordinal = this.#ordinals.get(key) ?? 0;
    this.#ordinals.set(key, ordinal + 1);
    this.#noteHandover(agent);
    this.schedule.push(agent);
    this.#runner.stepOnce(agent);
    this.#previous = agent;
    return [name, label, ordinal];
  }

  /**
   * Agents that have a step to make and cannot make it: all but daemons, and those of these that wait for
   * themselves or hold up somebody else.
   */
  waiting(): Waiting[] {
    const { agents } = this.#system;
    const stuck = agents.flatMap(({ daemon }, agent) =>
      this.#isStuck(agent) && (!daemon || this.#holderOf(agent) === agent) ? [agent] : [],
    );
    for (const agent of stuck) {
      const holder = this.#holderOf(agent);
      if (holder >= 0 && !stuck.includes(holder) && this.#holderOf(holder) >= 0) stuck.push(holder);
    }
    return stuck.map((agent) => {
      const wait = this.#runner.nodes[agent]?.wait;
      return {
        agent: agents[agent]?.name ?? '',
        name: wait?.name ?? '',
        holder: agents[this.#holderOf(agent)]?.name,
        ender: wait?.ender,
      };
    });
  }

  #isStuck(agent: number): boolean {
    return this.#runner.nodes[agent]?.wait !== undefined && !this.#canRun(agent);
  }

  /** Who holds what an agent waits for, -1 if nobody does. */
  #holderOf(agent: number): number {
    return this.#isStuck(agent) ? (this.#runner.nodes[agent]?.wait?.holder?.() ?? -1) : -1;
  }

  #noteHandover(agent: number): void {
    const from = this.#previous;
    if (from < 0 || from === agent) return;
    const spec = this.#system.agents[from];
    const label = this.#label(from);
    const at = this.schedule.length;
    const name = spec?.name ?? '';
    if (label === undefined) this.handovers.set(at, { from: name, why: 'ended', detail: '' });
    else if (this.#canRun(from)) this.handovers.set(at, { from: name, why: 'could-continue', detail: label });
    else this.handovers.set(at, { from: name, why: 'blocked', detail: this.#waitsFor(from) });
  }

  #waitsFor(agent: number): string {
    const wait = (this.#runner.nodes[agent] as Node).wait;
    const holder = wait?.holder?.() ?? -1;
    const held = holder >= 0 ? `, held by ${this.#system.machine.agentName(holder)}` : '';
    return `${wait?.name ?? 'nothing'}${held}`;
  }

  #label(agent: number): string | undefined {
    return this.#runner.nodes[agent]?.step?.label;
  }

  #canRun(agent: number): boolean {
    const many = this.#runner.enabledAgents(this.#enabled);
    return this.#enabled.subarray(0, many).includes(agent);
  }
}
