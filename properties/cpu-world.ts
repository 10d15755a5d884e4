import type { AgentSpec } from '../engine/agent.ts';
import type { Failure } from '../engine/failure.ts';
import { Machine } from '../engine/machine.ts';
import { drains } from '../engine/memory-order/drains.ts';
import { StoreBuffers } from '../engine/memory-order/store-buffers.ts';
import type { Observation } from '../engine/observe.ts';
import type { Task } from '../engine/step.ts';
import type { System } from '../engine/system.ts';
import { CpuMemory, PhysicalMemory, type Memory } from '../impl/platform/index.ts';
import { cpuNamed } from './cpu-named.ts';
import type { Configuration, Counters, Operation, Program, WhyLine, World } from './family.ts';
import type { Tallies } from './tallies.ts';

/** What a configuration of such a world has. */
export interface CpuConfiguration extends Configuration {
  readonly cpus: number;
  /** Stores that each CPU may have pending; 0: every store is in memory at once. */
  readonly weak: number;
}

/** Memory as it is, and as CPUs see it. */
export interface CpuMemories {
  readonly physical: PhysicalMemory;
  readonly memory: Memory;
}

/** The software of such a world. */
export interface CpuKernel<Known> {
  readonly tallies: Pick<Tallies<string, string>, 'clear' | 'counters'>;
  /** An operation on a CPU. */
  task(cpu: number, operation: Known): Task;
  /** What each CPU runs. */
  snapshot(): readonly string[];
  /** When every CPU has ended what it does: that nothing is left over. */
  checkLeaks(): void;
}

/** CPUs alone, which run operations of a kernel, and store buffers where stores reach memory late. */
export abstract class CpuWorld<C extends CpuConfiguration, Known> implements World {
  readonly configuration: C;
  readonly machine = new Machine();
  readonly #kernel: CpuKernel<Known>;
  readonly #initial: number;

  /** @param tables page tables, which are all that is in memory. */
  protected constructor(
    configuration: C,
    tables: { readonly base: number; readonly frames: number },
    boot: (machine: Machine, memories: CpuMemories) => CpuKernel<Known>,
  ) {
    this.configuration = configuration;
    const { machine } = this;
    if (configuration.weak > 0) machine.buffers = new StoreBuffers(machine, configuration.weak);
    const physical = new PhysicalMemory(machine.store, [tables]);
    const memory = machine.buffers === undefined ? physical : new CpuMemory(physical, machine.buffers);
    this.#kernel = boot(machine, { physical, memory });
    this.#kernel.tallies.clear();
    this.#initial = machine.store.mark();
  }

  abstract explain(observation: Observation, failure: Failure): readonly WhyLine[];
  abstract describeOperation(operation: Operation): string;

  /**
   * An operation that this world can run.
   *
   * @throws RangeError saying what it does not have.
   */
  protected abstract known(operation: Operation): Known;

  get counters(): Counters {
    return this.#kernel.tallies.counters;
  }

  /** A CPU goes on running what it was switched to. */
  get cpusKeepState(): boolean {
    return true;
  }

  load(program: Program): System {
    const { machine } = this;
    machine.store.rollback(this.#initial);
    machine.failure = undefined;
    const agents = program.agents.map(({ name, operations }) => {
      const cpu = cpuNamed(name, this.configuration.cpus);
      return {
        name,
        context: 'process' as const,
        daemon: false,
        operations: operations.map((operation) => {
          const known = this.known(operation);
          return { label: this.describeOperation(operation), start: (): Task => this.#kernel.task(cpu, known) };
        }),
      };
    });
    return { machine, agents: [...agents, ...this.#storeBuffers(agents)], quiescent: () => this.#kernel.checkLeaks() };
  }

  snapshot(): readonly string[] {
    return this.#kernel.snapshot();
  }

  #storeBuffers(all: readonly AgentSpec[]): AgentSpec[] {
    const { buffers } = this.machine;
    if (buffers === undefined) return [];
    buffers.assign(all, () => true);
    const cpus = all.map(({ name }, agent) => ({ name, agent }));
    return drains(buffers, cpus, (cell) => this.machine.store.locate(cell).region.name);
  }
}
