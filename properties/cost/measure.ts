import fc from 'fast-check';
import { HarnessError } from '../../engine/failure.ts';
import { Runner } from '../../engine/run.ts';
import { search } from '../../engine/search/search.ts';
import { replay } from '../../engine/strategies/replay.ts';
import { randomWalk } from '../../engine/strategies/random-walk.ts';
import { confirm, type Found } from '../campaign/found.ts';
import type { Configuration, Program } from '../family.ts';
import type { CommandCounts } from './commands.ts';
import { inVain, noCost, type CostReport, type DesignCost, type Exhausted, type Range } from './report.ts';
import type { CostDesign, CostScenario, CostUnit, CostWorld } from './scenario.ts';

/** What to measure. The result depends on nothing else. */
export interface MeasureOptions {
  readonly seed: number;
  /** Executions under each design. */
  readonly runs: number;
  /** Most states of an exhaustive search, of one small program under one design. */
  readonly statesMax?: number;
  readonly onProgress?: (done: number) => void;
  /** Called for the first failure of each kind that a design should not have. */
  readonly onFound?: (found: Omit<Found, 'family'>) => void;
  readonly stop?: () => boolean;
}

/** Executions of a program under each design, by different schedules. */
const SCHEDULES_PER_PROGRAM = 4;
/** The same of a unit: enough for whatever two operations can do to each other. */
const SCHEDULES_PER_UNIT = 128;
/** Programs drawn for a configuration before another one is drawn. */
const PROGRAMS_PER_CONFIGURATION = 16;
/** Steps after which an execution is cut off. */
const STEPS_MAX = 4_000;
const STATES_MAX = 1_000_000;

/**
 * Runs the same random programs under each design and counts what TLB maintenance costs there. Each execution of a program
 * has a seed, from which a random walk chooses among the agents that can run; under another design it makes the same
 * choices as long as the same agents can run. Undefined: stopped.
 */
export async function measure(scenario: CostScenario, options: MeasureOptions): Promise<CostReport | undefined> {
  const measurement = new Measurement(scenario, options);
  const { stop } = options;
  while (!measurement.done) {
    if (stop?.() === true) return undefined;
    measurement.round();
    options.onProgress?.(measurement.executions);
    await new Promise((resolve) => setImmediate(resolve));
  }
  for (const unit of scenario.units ?? []) for (const design of scenario.designs) measurement.unit(unit, design);
  for (const litmus of scenario.litmus ?? [])
    for (const design of scenario.designs) {
      if (stop?.() === true) return undefined;
      measurement.exhaust(litmus, design);
      await new Promise((resolve) => setImmediate(resolve));
    }
  const { seed, runs } = options;
  return { seed, runs, designs: measurement.costs };
}

class Measurement {
  /** Executions made under each design. */
  executions = 0;
  readonly costs: DesignCost[];
  readonly #scenario: CostScenario;
  readonly #options: MeasureOptions;
  readonly #strategy = randomWalk();
  readonly #reported = new Set<string>();
  #rounds = 0;

  constructor(scenario: CostScenario, options: MeasureOptions) {
    this.#scenario = scenario;
    this.#options = options;
    this.costs = scenario.designs.map((design) => noCost(design));
  }

  get done(): boolean {
    return this.executions >= this.#options.runs;
  }

  /** One configuration, with some programs. */
  round(): void {
    const round = this.#rounds++;
    const { configurations, designs } = this.#scenario;
    const [configuration] = fc.sample(configurations, { seed: this.#seed(round, 0), numRuns: 1 });
    if (configuration === undefined) throw new HarnessError('no configuration was generated');
    const worlds = designs.map(({ name }) => this.#scenario.world(configuration, name));
    const programs = this.#scenario.programs(configuration);
    for (let index = 1; index <= PROGRAMS_PER_CONFIGURATION && !this.done; index++) {
      const seed = this.#seed(round, index);
      const [program] = fc.sample(programs, { seed, numRuns: 1 });
      if (program !== undefined) this.#runProgram(worlds, program, seed);
    }
    worlds.forEach((world, at) => this.#take(world, at));
  }

  #runProgram(worlds: readonly CostWorld[], program: Program, seed: number): void {
    const runs = Math.min(SCHEDULES_PER_PROGRAM, this.#options.runs - this.executions);
    worlds.forEach((world, at) => {
      // A step that is not computed is not counted.
      const runner = new Runner({ ...world.load(program), memoise: false }, STEPS_MAX);
      for (let run = 0; run < runs; run++) this.#run(world, program, runner, at, seed ^ Math.imul(run, 0x9e3779b1));
      runner.close();
    });
    this.executions += runs;
  }

  #run(world: CostWorld, program: Program, runner: Runner, at: number, seed: number): void {
    const cost = this.costs[at] as DesignCost;
    const end = runner.run(this.#strategy, seed);
    cost.executions++;
    cost.steps += runner.steps;
    if (end === 'bound') cost.cutOff++;
    const { failure } = runner.system.machine;
    if (end !== 'failed' || failure === undefined) return;
    const rule = `${failure.monitor}/${failure.rule}`;
    cost.violations[rule] = (cost.violations[rule] ?? 0) + 1;
    this.#found(cost, rule, world, program, [...runner.schedule.subarray(0, runner.steps)]);
  }

  /** Confirms a failure, in a world of its own, so that it is counted once. */
  #found(
    cost: DesignCost,
    rule: string,
    { configuration }: CostWorld,
    program: Program,
    found: readonly number[],
  ): void {
    const what = `${cost.design}: ${rule}`;
    const { onFound, seed } = this.#options;
    if (onFound === undefined || cost.mistaken || this.#reported.has(what)) return;
    this.#reported.add(what);
    const runner = new Runner(this.#scenario.world(configuration, cost.design).load(program), STEPS_MAX);
    runner.run(replay(found), 0);
    const provenance = { seed, strategy: this.#strategy.name, executions: cost.executions, seconds: 0 };
    onFound({ configuration, program, ...confirm(runner), provenance });
  }

  #take({ costs }: CostWorld, at: number): void {
    const cost = this.costs[at] as DesignCost;
    for (const by of ['broadcast', 'command'] as const) {
      const { operations, held, lost, mayBeLost } = costs.invalidations.counts(by);
      const sum = cost[by];
      sum.operations += operations;
      sum.held += held;
      add(sum.lost, lost);
      add(sum.mayBeLost, mayBeLost);
    }
    add(cost.commands, costs.commands.counts);
    cost.leftOut += costs.invalidations.leftOut;
  }

  /** One unit, under a design. */
  unit({ title, configuration, program }: CostUnit, { name }: CostDesign): void {
    const world = this.#scenario.world(configuration, name);
    const { commands, invalidations } = world.costs;
    const runner = new Runner({ ...world.load(program), memoise: false }, STEPS_MAX);
    const runs: (CommandCounts & { readonly broadcasts: number; readonly lost: number })[] = [];
    const schedules = program.agents.length === 1 ? 1 : SCHEDULES_PER_UNIT;
    for (let run = 0; run < schedules; run++) {
      commands.reset();
      invalidations.reset();
      // What a run costs that was cut short by a violation says nothing.
      if (runner.run(this.#strategy, this.#seed(0, -run)) !== 'finished') continue;
      const { operations, lost } = invalidations.counts('broadcast');
      runs.push({ ...commands.counts, broadcasts: operations, lost: inVain(lost) });
    }
    runner.close();
    const range = (key: keyof (typeof runs)[number]): Range => {
      const counts = runs.map((run) => run[key]);
      return runs.length === 0 ? [0, 0] : [Math.min(...counts), Math.max(...counts)];
    };
    const of = { tlbi: range('tlbi'), cfgi: range('cfgi'), atc: range('atc'), sync: range('sync') };
    this.#costOf(name).units.push({
      title,
      finished: runs.length,
      broadcasts: range('broadcasts'),
      lost: range('lost'),
      commands: of,
    });
  }

  /** All schedules of a small program under a design. */
  exhaust({ id, configuration, program }: Small, { name }: CostDesign): void {
    const world = this.#scenario.world(configuration, name);
    const { statesMax = STATES_MAX } = this.#options;
    const result = search(world.load(program), { order: 'dfs', statesMax });
    const { states, failure } = result;
    const verdict = ({ exhausted: 'holds', violation: 'violated', bound: 'not exhausted' } as const)[result.verdict];
    const rule = failure === undefined ? undefined : `${failure.monitor}/${failure.rule}`;
    const done: Exhausted = { litmus: id, verdict, states, ...(rule === undefined ? {} : { rule }) };
    const cost = this.#costOf(name);
    cost.exhausted.push(done);
    if (rule !== undefined) this.#found(cost, rule, world, program, result.schedule ?? []);
  }

  #costOf(name: string): DesignCost {
    return this.costs.find(({ design }) => design === name) as DesignCost;
  }

  #seed(round: number, index: number): number {
    const { seed } = this.#options;
    return (
      Math.imul(Math.imul(seed | 0, 0x9e3779b1) ^ Math.imul(round, 0x85ebca6b), 0xc2b2ae35) ^
      Math.imul(index, 0x27d4eb2f)
    );
  }
}

/** A small program that is exhausted. */
interface Small {
  readonly id: string;
  readonly configuration: Configuration;
  readonly program: Program;
}

function add<Key extends string>(sum: Record<Key, number>, more: Readonly<Record<Key, number>>): void {
  for (const key of Object.keys(more) as Key[]) sum[key] += more[key];
}
