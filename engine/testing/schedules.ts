import { Automaton, type Node } from '../automaton.ts';
import { fingerprint, type Failure } from '../failure.ts';
import type { Footprint } from '../footprint.ts';
import { HappensBefore } from '../happens-before.ts';
import { diagnoseStuck } from '../stuck.ts';
import type { System } from '../system.ts';
import { TracedSteps } from '../traced-steps.ts';

/** One schedule to its end. */
export interface Schedule {
  /** The steps; a failing one comes last. */
  readonly agents: readonly number[];
  readonly footprints: readonly Footprint[];
  /** Fingerprint of its happens-before relation. */
  readonly trace: string;
  /** The state that it ends in: the cells. */
  readonly state: string;
  /** What is wrong with its last step or with its end. */
  readonly failure: Failure | undefined;
  readonly end: 'finished' | 'failed';
}

/** How to enumerate. */
export interface Enumeration {
  /** Go on past steps that fail, instead of ending there. */
  readonly past?: boolean;
  readonly memoise?: boolean;
  /** Most schedules; more are an error. */
  readonly most?: number;
}

/** Every schedule of a system one by one, by going back after each; that they are these is what `naive.ts` is for. */
export function schedules(
  system: System,
  options: Enumeration = {},
): { readonly all: Schedule[]; readonly traced: TracedSteps } {
  const { machine, agents } = system;
  machine.agents = agents;
  const automaton = new Automaton(agents);
  const traced = new TracedSteps(system, automaton, options.memoise ?? false);
  const nodes = agents.map((_, agent) => automaton.start(agent));
  const all: Schedule[] = [];
  const path: { agent: number; node: Node; footprint: Footprint; failure: Failure | undefined }[] = [];
  const finish = (end: Schedule['end'], failure: Failure | undefined): void => {
    const happensBefore = new HappensBefore();
    happensBefore.begin();
    for (const { node, footprint } of path) happensBefore.step(node, footprint);
    if (all.length === (options.most ?? 100_000)) throw new RangeError('too many schedules');
    all.push({
      agents: path.map(({ agent }) => agent),
      footprints: path.map(({ footprint }) => footprint),
      trace: `${happensBefore.low} ${happensBefore.high}`,
      state: machine.store.cells.subarray(0, machine.store.size).join(),
      failure,
      end,
    });
  };
  const explore = (): void => {
    let alive = false;
    for (let agent = 0; agent < nodes.length; agent++) {
      const node = nodes[agent] as Node;
      if (node.step === undefined || !(node.wait?.ready() ?? true)) continue;
      alive = true;
      const mark = machine.store.mark();
      machine.current = agent;
      nodes[agent] = traced.step(node);
      machine.current = -1;
      const { failure } = machine;
      machine.failure = undefined;
      path.push({ agent, node, footprint: traced.footprint, failure });
      if (failure === undefined || options.past === true) explore();
      else finish('failed', failure);
      path.pop();
      nodes[agent] = node;
      machine.store.rollback(mark);
    }
    if (alive) return;
    const mark = machine.store.mark();
    const stuck = diagnoseStuck(machine, nodes, (agent) => agents[agent]?.daemon ?? false);
    if (stuck === undefined) system.quiescent?.();
    const failure = stuck ?? machine.failure;
    machine.failure = undefined;
    machine.store.rollback(mark);
    finish('finished', failure ?? path.find((step) => step.failure !== undefined)?.failure);
  };
  explore();
  return { all, traced };
}

/** Failure's name; deadlocks by who waits. */
export function nameOf(failure: Failure | undefined): string {
  return failure === undefined ? 'none' : `${fingerprint(failure)}: ${failure.message}`;
}
