/**
 * Which context switches a failure needs, and why.
 *
 * A switch hands over from one agent to another. Two things may be needed of it: that a step *b* of what follows comes
 * after a step *a* of what came before, and that a step *d* of what follows comes before a later step *c* of the agent
 * that was left. An order is necessary if every schedule of the program in which the two come the other way round was
 * exhausted, and none shows the bug. Of the orders that are necessary the tightest is given, the latest first step with
 * the earliest second one: between *a* and *c* lies the window in which the program is vulnerable, and from *b* to *d* is
 * what must fall into it.
 */
import { ordered, type StepName } from '../../engine/bug/order.ts';
import { racesOf } from '../../engine/bug/races.ts';
import { stepShape } from '../../engine/bug/shape.ts';
import { observe, type ObservedStep } from '../../engine/observe.ts';
import type { Bench, Candidate } from './bench.ts';
import { breathe } from './budget.ts';

/** What a switch is needed for. Steps are indices into the schedule. */
export interface Needed {
  /** The first step after the switch. */
  readonly at: number;
  /** Step `first` must come before step `second`; `reads` if the one reads what the other wrote. */
  readonly after?: { readonly first: number; readonly second: number; readonly reads: boolean };
  /** Step `step` must come before this step of the agent that was left, its `ahead`-th from there. */
  readonly before?: { readonly step: number; readonly agent: string; readonly label: string; readonly ahead: number };
}

/** Most steps of an agent that are looked at. */
const AHEAD_MAX = 200;

/** The switches of a candidate that are needed, each with what is known. */
export async function necessarySwitches(bench: Bench, candidate: Candidate): Promise<Needed[]> {
  const search = new Necessity(bench, candidate);
  const needed: Needed[] = [];
  for (const [at, step] of search.steps.entries()) {
    if (step.switchedFrom === undefined) continue;
    const after = await search.after(at);
    const before = await search.before(at);
    if (after === undefined && before === undefined) continue;
    needed.push({ at, ...(after === undefined ? {} : { after }), ...(before === undefined ? {} : { before }) });
  }
  return needed;
}

/** The races of a candidate whose order is necessary; those that could not be decided stay. */
export async function necessaryRaces(bench: Bench, candidate: Candidate): Promise<string[]> {
  const search = new Necessity(bench, candidate);
  const races: string[] = [];
  for (const { first, second, text } of search.races)
    if ((await search.isNecessary(search.nameOf(first), search.nameOf(second))) !== false) races.push(text);
  return races.sort();
}

class Necessity {
  readonly steps: readonly ObservedStep[];
  readonly races: ReturnType<typeof racesOf>;
  readonly #bench: Bench;
  readonly #candidate: Candidate;

  constructor(bench: Bench, candidate: Candidate) {
    this.#bench = bench;
    this.#candidate = candidate;
    const observation = this.#observe(candidate.schedule);
    this.steps = observation.steps;
    this.races = racesOf(observation);
  }

  /** What the agent switched to does too late, if the switch comes too early. */
  async after(at: number): Promise<Needed['after']> {
    const from = this.steps[at - 1]?.agent;
    const to = this.steps[at]?.agent;
    const earlier = this.steps.flatMap((step, index) => (index < at && step.agent === from ? [index] : []));
    const later = this.steps.flatMap((step, index) => (index >= at && step.agent === to ? [index] : []));
    const order = await this.#tightest(earlier, later, (index) => this.nameOf(index));
    if (order === undefined) return undefined;
    const [first, bound] = order;
    // The first that is bound to be late may be only on its way to the one that reads.
    const reader = later.find((index) => index >= bound && this.#reads(index, first));
    return { first, second: reader ?? bound, reads: reader !== undefined };
  }

  /** What the agent that was left does too early, if it is not left. */
  async before(at: number): Promise<Needed['before']> {
    const { steps } = this;
    const left = steps[at - 1] as ObservedStep;
    const resumed = steps.findIndex((step, index) => index >= at && step.agent === left.agent);
    const block = steps.flatMap((_, index) => (index >= at && (resumed < 0 || index < resumed) ? [index] : []));
    const ahead = this.#ahead(at, left.agent);
    const positions = ahead.map((_, position) => position);
    const order = await this.#tightest(block, positions, (position) => nameIn(ahead, position, steps.slice(0, at)));
    if (order === undefined) return undefined;
    const [step, until] = order;
    const { agentName, label } = ahead[until] as ObservedStep;
    return { step, agent: agentName, label, ahead: until + 1 };
  }

  /** The latest of `first` and, with it, the earliest of `second` whose order is necessary. */
  async #tightest(
    first: readonly number[],
    second: readonly number[],
    nameOf: (one: number) => StepName,
  ): Promise<readonly [number, number] | undefined> {
    const end = second.at(-1);
    if (end === undefined) return undefined;
    const latest = await earliest(first.toReversed(), (one) => this.isNecessary(this.nameOf(one), nameOf(end)));
    if (latest === undefined) return undefined;
    const bound = await earliest(second, (one) => this.isNecessary(this.nameOf(latest), nameOf(one)));
    return bound === undefined ? undefined : [latest, bound];
  }

  /** True if the bug is not shown by any schedule in which `then` comes before `first`; undefined: not decided. */
  async isNecessary(first: StepName, then: StepName): Promise<boolean | undefined> {
    await breathe();
    if (this.#bench.budget.expired()) return undefined;
    const { configuration, program } = this.#candidate;
    return this.#bench.neverFails(configuration, program, (system, flag) => ordered(system, flag, then, first));
  }

  nameOf(index: number): StepName {
    return nameIn(this.steps, index, []);
  }

  /** What an agent would do next if it went on instead of being left. */
  #ahead(at: number, agent: number): readonly ObservedStep[] {
    const schedule = [...this.#candidate.schedule.slice(0, at), ...Array.from({ length: AHEAD_MAX }, () => agent)];
    return this.#observe(schedule).steps.slice(at);
  }

  #reads(reader: number, writer: number): boolean {
    const changed = new Set(this.steps[writer]?.changes.map(({ cell }) => cell));
    return this.steps[reader]?.reads.some((cell) => changed.has(cell)) ?? false;
  }

  #observe(schedule: readonly number[]) {
    const { configuration, program } = this.#candidate;
    return observe(this.#bench.load(configuration, program).system, schedule);
  }
}

/** Name of a step: how many of its shape its operation had before it, in the list and in what came before that. */
function nameIn(steps: readonly ObservedStep[], index: number, before: readonly ObservedStep[]): StepName {
  const { agent, operationIndex: operation, label } = steps[index] as ObservedStep;
  const shape = stepShape(label);
  const ordinal = [...before, ...steps.slice(0, index)].filter(
    (step) => step.agent === agent && step.operationIndex === operation && stepShape(step.label) === shape,
  ).length;
  return { agent, operation, shape, ordinal };
}

/**
 * The first of a list for which something holds, given that it then holds for all later ones; undefined if it holds for
 * none, or if that could not be found out.
 */
async function earliest(
  list: readonly number[],
  holds: (one: number) => Promise<boolean | undefined>,
): Promise<number | undefined> {
  const last = list.at(-1);
  if (last === undefined || (await holds(last)) !== true) return undefined;
  let low = 0;
  let high = list.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    const answer = await holds(list[middle] as number);
    if (answer === undefined) break;
    if (answer) high = middle;
    else low = middle + 1;
  }
  return list[high];
}
