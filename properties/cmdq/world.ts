import type { AgentSpec } from '../../engine/agent.ts';
import { Cell } from '../../engine/cell.ts';
import type { Failure } from '../../engine/failure.ts';
import { HarnessError } from '../../engine/failure.ts';
import { Machine } from '../../engine/machine.ts';
import { drains } from '../../engine/memory-order/drains.ts';
import { StoreBuffers } from '../../engine/memory-order/store-buffers.ts';
import type { Observation } from '../../engine/observe.ts';
import { Step, step, type Result, type Task } from '../../engine/step.ts';
import type { System } from '../../engine/system.ts';
import {
  ArmSmmuCmdq,
  type BuildSync,
  type CmdqHardware,
  type CmdqLayout,
} from '../../impl/kernel/cmdq-multi-producer.ts';
import type { Command } from '../../impl/kernel/cmdq.ts';
import { QueueIndex } from '../../impl/kernel/cmdq-index.ts';
import { CpuMemory, PhysicalMemory, type Memory } from '../../impl/platform/index.ts';
import type { Configuration, Counters, Operation, Program, World } from '../family.ts';
import { commandOf, syncCommand } from './command.ts';
import {
  cmdqConfiguration,
  cmdqOperation,
  describe,
  WORD_BITS,
  type CmdqConfiguration,
  type CmdqOperation,
} from './configuration.ts';
import { Tallies } from '../tallies.ts';
import { CmdqContract } from './contract.ts';
import { EventSource, type EvtqClass } from './events.ts';
import { explain } from './explain.ts';
import { CmdqConsumer } from './hardware.ts';

/** The driver's side of the command queue, which a hazard replaces. */
export type CmdqClass = new (
  machine: Machine,
  memory: Memory,
  hardware: CmdqHardware,
  layout: CmdqLayout,
  buildSync: BuildSync,
) => ArmSmmuCmdq;

/** Replaced routines. */
export interface CmdqParts {
  readonly cmdq: CmdqClass;
  readonly evtq: EvtqClass;
}

const BASE = 0x4100_0000;
/** Most commands that one CPU may issue, so that their numbers are unique. */
const COMMANDS_MAX = 255;
const CPUS_MAX = 3;
const CPU_SHIFT = 8;

/** What a run should reach. */
export const WITNESSES = {
  wrapped: 'CMDQ_PROD wraps',
  gathered: 'an owner publishes commands of another CPU',
  full: 'the command queue is full',
  batch: 'a batch of several lists',
  event: 'event recorded',
} as const;
const OPERATIONS: readonly CmdqOperation['op'][] = ['issue', 'batch', 'event'];

/** CPUs that put commands into one queue, with the SMMU that consumes them and a contract over what it finds. */
export class CmdqWorld implements World {
  readonly configuration: CmdqConfiguration;
  readonly machine = new Machine();
  readonly #tallies = new Tallies(this.machine, Object.values(WITNESSES), OPERATIONS);
  readonly #cmdq: ArmSmmuCmdq;
  readonly #contract: CmdqContract;
  readonly #consumer: CmdqConsumer;
  readonly #events: EventSource;
  /** What each CPU stores in front of its commands: the number of the last of them. */
  readonly #data: readonly Cell[];
  readonly #initial: number;

  /** @param parts replaced routines: a hazard. */
  constructor(configuration: Configuration, parts: Partial<CmdqParts> = {}) {
    this.configuration = cmdqConfiguration(configuration);
    const { log2Entries, start, msi, weak } = this.configuration;
    const { machine } = this;
    if (weak > 0) machine.buffers = new StoreBuffers(machine, weak);
    const physical = new PhysicalMemory(machine.store, [{ base: BASE, frames: 1 }]);
    const memory = machine.buffers === undefined ? physical : new CpuMemory(physical, machine.buffers);
    const index = new QueueIndex(log2Entries);
    this.#contract = new CmdqContract(machine, index);
    const published = (before: number, after: number): void => this.#published(before, after);
    this.#consumer = new CmdqConsumer(machine, physical, { base: BASE, index, start, msi }, this.#contract, {
      published,
    });
    const layout = { base: BASE, log2Entries, wordBits: WORD_BITS, msiPoll: msi, start };
    this.#cmdq = new (parts.cmdq ?? ArmSmmuCmdq)(machine, memory, this.#consumer, layout, syncCommand);
    this.#events = new EventSource(machine, parts.evtq);
    this.#data = Array.from(
      { length: CPUS_MAX },
      (_, cpu) => new Cell(machine, `structure of CPU${cpu}`, { buffered: true }),
    );
    this.#tallies.clear();
    this.#initial = machine.store.mark();
  }

  get counters(): Counters {
    return this.#tallies.counters;
  }

  /** Commands are numbered by CPU, so it matters which CPU issues them. */
  get cpusKeepState(): boolean {
    return true;
  }

  load(program: Program): System {
    const { machine } = this;
    machine.store.rollback(this.#initial);
    machine.failure = undefined;
    const agents = program.agents.map(({ name, operations }) => ({
      name,
      context: 'process' as const,
      daemon: false,
      operations: operations.map((operation) => {
        const known = cmdqOperation(operation);
        return { label: describe(known), start: (): Task => this.#counted(known, this.#task(known)) };
      }),
    }));
    if (program.agents.some(({ name }, at) => name.startsWith('CPU') && at >= CPUS_MAX))
      throw new RangeError(`family cmdq has at most ${CPUS_MAX} CPUs, and they come first`);
    const visible = (cpu: number): number => this.#data[cpu]?.peek(0) ?? 0;
    const cpus = agents.map(({ name }, agent) => ({ name, agent })).filter(({ name }) => name.startsWith('CPU'));
    const events = agents.some(({ name }) => name === 'dev0') ? [this.#events.daemon()] : [];
    const all = [...agents, this.#consumer.daemon(visible), ...events];
    return {
      machine,
      agents: [...all, ...this.#storeBuffers(all, cpus)],
      quiescent: () => {
        this.#contract.quiescent();
        this.#events.quiescent();
      },
    };
  }

  snapshot(): readonly string[] {
    return [];
  }

  explain(observation: Observation, failure: Failure) {
    return explain(observation, failure);
  }

  describeOperation(operation: Operation): string {
    return describe(cmdqOperation(operation));
  }

  *#task(operation: CmdqOperation): Task {
    if (operation.op === 'event') {
      yield* this.#events.record();
      return;
    }
    const begun = yield* this.#begin(operation.commands);
    const [cpu, from] = [begun >>> CPU_SHIFT, begun & COMMANDS_MAX];
    const last = from + operation.commands;
    const sync = operation.op === 'batch' || operation.sync;
    const commands = this.#commands(cpu, from, operation.commands, sync);
    if (operation.op === 'batch') yield* this.#cmdq.issueBatch(commands);
    else yield* this.#cmdq.arm_smmu_cmdq_issue_cmdlist(commands, sync);
    if (!sync) return;
    yield* step('return', () => {
      this.#contract.returned(cpu, last);
      return undefined;
    });
  }

  /** The CPU changes the structure that its next commands are about. Returns the CPU, and the number of its last command. */
  #begin(commands: number): Step<number> {
    const begin = (): number => {
      const cpu = this.machine.current;
      const from = this.#contract.issued(cpu);
      if (from + commands > COMMANDS_MAX) throw new HarnessError('a CPU has too many commands for their numbers');
      this.#contract.issuing(cpu, from + commands);
      (this.#data[cpu] as Cell).value = from + commands;
      return (cpu << CPU_SHIFT) | from;
    };
    return step('change structure', begin, () => undefined);
  }

  /** Commands with their places in lists of at most `WORD_BITS`; the last list ends with a CMD_SYNC if any does. */
  #commands(cpu: number, from: number, count: number, sync: boolean): Command[] {
    return Array.from({ length: count }, (_, at) =>
      commandOf({
        cpu,
        sequence: from + at + 1,
        first: at % WORD_BITS === 0,
        last: at % WORD_BITS === WORD_BITS - 1 || at === count - 1,
        sync: sync && at === count - 1,
      }),
    );
  }

  /** Counts an operation at its first step. */
  *#counted(operation: CmdqOperation, task: Task): Task {
    let { value, done } = task.next();
    if (!done && value instanceof Step) {
      const first = value;
      const run = (): Result => {
        this.#tallies.ran(operation.op, true);
        if (operation.op === 'event') this.#tallies.noted(WITNESSES.event);
        if (operation.op === 'batch' && operation.commands > WORD_BITS) this.#tallies.noted(WITNESSES.batch);
        return first.run();
      };
      value = new Step(first.label, run, first.wait, first.show);
    }
    while (!done) {
      const result: unknown = yield value as Step;
      ({ value, done } = task.next(result as never));
    }
  }

  #published(before: number, after: number): void {
    if (after < before) this.#tallies.noted(WITNESSES.wrapped);
    const cpus = this.#consumer
      .entries(before, after)
      .flatMap((found) => (found.kind === 'command' ? [found.name.cpu] : []));
    if (new Set(cpus).size > 1) this.#tallies.noted(WITNESSES.gathered);
    if (this.#cmdq.index.isFull(after, this.#consumer.readCons())) this.#tallies.noted(WITNESSES.full);
  }

  #storeBuffers(all: readonly AgentSpec[], cpus: readonly { name: string; agent: number }[]): AgentSpec[] {
    const { buffers } = this.machine;
    if (buffers === undefined) return [];
    buffers.assign(all, ({ name }) => name.startsWith('CPU'));
    return drains(buffers, cpus, (cell) => this.machine.store.locate(cell).region.name);
  }
}
