import type { AgentSpec } from '../../engine/agent.ts';
import type { Failure } from '../../engine/failure.ts';
import { Machine } from '../../engine/machine.ts';
import { drains } from '../../engine/memory-order/drains.ts';
import { StoreBuffers } from '../../engine/memory-order/store-buffers.ts';
import type { Observation } from '../../engine/observe.ts';
import type { Task } from '../../engine/step.ts';
import type { System } from '../../engine/system.ts';
import { CpuMemory, PhysicalMemory } from '../../impl/platform/index.ts';
import type { Configuration, Counters, Operation, Program, World } from '../family.ts';
import {
  describe,
  mmName,
  rolloverConfiguration,
  rolloverOperation,
  type RolloverConfiguration,
} from './configuration.ts';
import { explain } from './explain.ts';
import { NOTES, RolloverKernel, type RolloverParts } from './kernel.ts';
import { TABLES } from './pages.ts';

/** What a run should reach. */
export const WITNESSES: readonly string[] = NOTES;

/** CPUs that switch between processes, with the ASID allocator, and a contract over what they can reach. */
export class RolloverWorld implements World {
  readonly configuration: RolloverConfiguration;
  readonly machine = new Machine();
  readonly #kernel: RolloverKernel;
  readonly #initial: number;

  /** @param parts replaced routines: a hazard. */
  constructor(configuration: Configuration, parts: Partial<RolloverParts> = {}) {
    this.configuration = rolloverConfiguration(configuration);
    const { weak, mms, levels } = this.configuration;
    const { machine } = this;
    if (weak > 0) machine.buffers = new StoreBuffers(machine, weak);
    const physical = new PhysicalMemory(machine.store, [{ base: TABLES, frames: mms * levels }]);
    const memory = machine.buffers === undefined ? physical : new CpuMemory(physical, machine.buffers);
    this.#kernel = new RolloverKernel(machine, { physical, memory }, this.configuration, parts);
    this.#kernel.tallies.clear();
    this.#initial = machine.store.mark();
  }

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
      const cpu = this.#cpuOf(name);
      return {
        name,
        context: 'process' as const,
        daemon: false,
        operations: operations.map((operation) => {
          const known = this.#known(operation);
          return { label: describe(known), start: (): Task => this.#kernel.task(cpu, known) };
        }),
      };
    });
    return { machine, agents: [...agents, ...this.#storeBuffers(agents)], quiescent: () => this.#kernel.checkLeaks() };
  }

  snapshot(): readonly string[] {
    return this.#kernel.snapshot();
  }

  explain(observation: Observation, failure: Failure) {
    return explain(observation, failure);
  }

  describeOperation(operation: Operation): string {
    return describe(rolloverOperation(operation));
  }

  #cpuOf(name: string): number {
    const { cpus } = this.configuration;
    const cpu = Array.from({ length: cpus }, (_, at) => `CPU${at}`).indexOf(name);
    if (cpu < 0) throw new RangeError(`this machine has CPU0 to CPU${cpus - 1}, not "${name}"`);
    return cpu;
  }

  #known(operation: Operation) {
    const known = rolloverOperation(operation);
    const { mms, pages } = this.configuration;
    if ('mm' in known && known.mm >= mms) throw new RangeError(`there is no process ${mmName(known.mm)}`);
    if ('page' in known && known.page >= pages) throw new RangeError(`there is no page ${known.page}`);
    return known;
  }

  #storeBuffers(all: readonly AgentSpec[]): AgentSpec[] {
    const { buffers } = this.machine;
    if (buffers === undefined) return [];
    buffers.assign(all, () => true);
    const cpus = all.map(({ name }, agent) => ({ name, agent }));
    return drains(buffers, cpus, (cell) => this.machine.store.locate(cell).region.name);
  }
}
