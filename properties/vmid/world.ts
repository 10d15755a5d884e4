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
  vmName,
  OPERATIONS,
  vmidConfiguration,
  vmidOperation,
  type VmidConfiguration,
} from './configuration.ts';
import { explain } from './explain.ts';
import { NOTES, VmidKernel, type VmidParts } from './kernel.ts';
import { TABLES } from './pages.ts';

/** What a run should reach. */
export const WITNESSES: readonly string[] = NOTES;

/** CPUs that run virtual machines, with KVM's VMID allocator, and a contract over what guests can reach. */
export class VmidWorld implements World {
  readonly configuration: VmidConfiguration;
  readonly machine = new Machine();
  readonly #kernel: VmidKernel;
  readonly #initial: number;

  /** @param parts replaced routines: a hazard. */
  constructor(configuration: Configuration, parts: Partial<VmidParts> = {}) {
    this.configuration = vmidConfiguration(configuration);
    const { weak, vms } = this.configuration;
    const { machine } = this;
    if (weak > 0) machine.buffers = new StoreBuffers(machine, weak);
    const physical = new PhysicalMemory(machine.store, [{ base: TABLES, frames: vms + 1 }]);
    const memory = machine.buffers === undefined ? physical : new CpuMemory(physical, machine.buffers);
    const vhe = this.configuration.vhe && parts.noVhe !== true;
    this.#kernel = new VmidKernel(machine, { physical, memory }, { ...this.configuration, vhe }, parts);
    machine.tallies.fill(0);
    this.#initial = machine.store.mark();
  }

  get counters(): Counters {
    const { tallies } = this.machine;
    const count = (at: number): number => tallies[at] ?? 0;
    const base = NOTES.length;
    return {
      witnesses: Object.fromEntries(NOTES.map((note, at) => [note, count(at)])),
      operations: Object.fromEntries(
        OPERATIONS.map((op, at) => [op, { run: count(base + at), rejected: count(base + OPERATIONS.length + at) }]),
      ),
    };
  }

  /** A CPU stays in its guest, and its vCPU loaded. */
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
    return describe(vmidOperation(operation));
  }

  #cpuOf(name: string): number {
    const { cpus } = this.configuration;
    const cpu = Array.from({ length: cpus }, (_, at) => `CPU${at}`).indexOf(name);
    if (cpu < 0) throw new RangeError(`this machine has CPU0 to CPU${cpus - 1}, not "${name}"`);
    return cpu;
  }

  #known(operation: Operation) {
    const known = vmidOperation(operation);
    const { vms, vcpus, pages } = this.configuration;
    if ('vm' in known && known.vm >= vms) throw new RangeError(`there is no virtual machine ${vmName(known.vm)}`);
    if ('vcpu' in known && known.vcpu >= vcpus) throw new RangeError(`there is no virtual CPU ${known.vcpu}`);
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
