import type { Failure } from './failure.ts';
import { Runner } from './run.ts';
import { AGENTS_MAX } from './machine.ts';
import type { Node } from './automaton.ts';
import { diagnoseStuck } from './stuck.ts';
import type { System } from './system.ts';

/** One shared word that a step changed. Only regions with a format are shown. */
export interface Change {
  readonly cell: number;
  readonly name: string;
  readonly before: string;
  readonly after: string;
}

/** One step of an observed run, with all that a report needs. */
export interface ObservedStep {
  /** Index of the agent, and its name. */
  readonly agent: number;
  readonly agentName: string;
  /** Label of the operation that the step belongs to, and its index in the agent's list. */
  readonly operation: string;
  readonly operationIndex: number;
  readonly label: string;
  /** How often the same agent has made a step with this label before: names the step, with agent and label. */
  readonly ordinal: number;
  /** What the step returned, in the step's own words if it has any; undefined if there is nothing to show. */
  readonly result: number | boolean | string | undefined;
  readonly changes: readonly Change[];
  /** Cells read and written, for "reads step 3". */
  readonly reads: readonly number[];
  readonly writes: readonly number[];
  /** Set when the schedule moved here from an agent that could have continued: the label of what it would have done. */
  readonly switchedFrom?: { readonly agentName: string; readonly next: string };
  /** Lines of the world's own view of its state that appeared or disappeared with this step. */
  readonly notes: readonly string[];
}

/** An observed run: its steps, and how it ended. */
export interface Observation {
  readonly steps: readonly ObservedStep[];
  readonly failure: Failure | undefined;
  /** Set when the schedule did not fit: the step at which the named agent could not run. */
  readonly misfit?: { readonly step: number; readonly agent: number };
  /** True if nothing was left to run after the last step. */
  readonly ended: boolean;
  /** For each agent, the index of the operation that it was in at the end; the number of its operations if it had ended. */
  readonly standing: readonly number[];
}

/**
 * Runs a schedule with everything recorded. Slow; for reports, replay and stepping.
 *
 * @param snapshot the world's notable state as lines ("held: ASID 5, 0x1000 → G"), compared between steps.
 * @param onStep called after each step, while the state is as the step left it.
 */
export function observe(
  system: System,
  schedule: ArrayLike<number>,
  snapshot: () => readonly string[] = () => [],
  onStep: (step: ObservedStep) => void = () => undefined,
): Observation {
  const runner = new Runner(system, schedule.length + 1);
  const observer = new Observer(system, runner, snapshot);
  runner.reset();
  const steps: ObservedStep[] = [];
  let misfit: Observation['misfit'];
  for (let at = 0; at < schedule.length && system.machine.failure === undefined; at++) {
    const agent = schedule[at] as number;
    if (!observer.canRun(agent)) {
      misfit = { step: at, agent };
      break;
    }
    const step = observer.step(agent);
    steps.push(step);
    onStep(step);
  }
  const ended = system.machine.failure === undefined && observer.enabled().length === 0;
  if (ended) {
    const stuck = diagnoseStuck(system.machine, runner.nodes, (agent) => system.agents[agent]?.daemon ?? false);
    if (stuck !== undefined) system.machine.fail(stuck);
    else system.quiescent?.();
  }
  const failure = system.machine.failure;
  const standing = runner.nodes.map(({ operation }) => operation);
  runner.close();
  const observation = { steps, failure, ended, standing };
  return misfit === undefined ? observation : { ...observation, misfit };
}

class Observer {
  readonly #system: System;
  readonly #runner: Runner;
  readonly #snapshot: () => readonly string[];
  readonly #enabled = new Int32Array(AGENTS_MAX);
  readonly #ordinals = new Map<string, number>();
  #previous = -1;
  #lines: readonly string[] | undefined;

  constructor(system: System, runner: Runner, snapshot: () => readonly string[]) {
    this.#system = system;
    this.#runner = runner;
    this.#snapshot = snapshot;
  }

  enabled(): number[] {
    return [...this.#enabled.subarray(0, this.#runner.enabledAgents(this.#enabled))];
  }

  canRun(agent: number): boolean {
    return this.enabled().includes(agent);
  }

  step(agent: number): ObservedStep {
    const { machine, agents } = this.#system;
    const { store } = machine;
    const node = this.#runner.nodes[agent] as Node;
    const label = node.step?.label ?? '';
    const before = (this.#lines ??= this.#snapshot());
    const from = this.#previous;
    const left = from >= 0 && from !== agent && this.canRun(from) ? (this.#runner.nodes[from] as Node).step : undefined;
    const mark = store.mark();
    store.startRecording();
    const result = this.#runner.stepOnce(agent);
    store.stopRecording();
    const reads = [...store.reads.subarray(0, store.readCount)];
    this.#previous = agent;
    const after = this.#snapshot();
    this.#lines = after;
    const key = `${agent} ${label}`;
    const ordinal = this.#ordinals.get(key) ?? 0;
    this.#ordinals.set(key, ordinal + 1);
    const step: ObservedStep = {
      agent,
      agentName: machine.agentName(agent),
      operation: agents[agent]?.operations[node.operation]?.label ?? '',
      operationIndex: node.operation,
      label,
      ordinal,
      result: (node.step?.show === undefined ? result : node.step.show(result as never)) as ObservedStep['result'],
      changes: this.#changes(mark),
      reads,
      writes: [...new Set(store.logCell.subarray(mark, store.logLength))],
      notes: [
        ...after.filter((line) => !before.includes(line)).map((line) => `+ ${line}`),
        ...before.filter((line) => !after.includes(line)).map((line) => `- ${line}`),
      ],
    };
    if (left === undefined) return step;
    return { ...step, switchedFrom: { agentName: machine.agentName(from), next: left.label } };
  }

  #changes(mark: number): Change[] {
    const { store } = this.#system.machine;
    const first = new Map<number, number>();
    for (let at = mark; at < store.logLength; at++) {
      const cell = store.logCell[at] as number;
      if (!first.has(cell)) first.set(cell, store.logOld[at] as number);
    }
    const changes: Change[] = [];
    for (const [cell, old] of first) {
      const { region, offset } = store.locate(cell);
      const now = store.get(cell);
      if (region.format === undefined || now === old) continue;
      const name = region.length === 1 ? region.name : `${region.name}[${offset}]`;
      changes.push({ cell, name, before: region.format(offset, old), after: region.format(offset, now) });
    }
    return changes;
  }
}
