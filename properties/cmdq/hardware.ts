import type { AgentSpec } from '../../engine/agent.ts';
import type { Machine } from '../../engine/machine.ts';
import { forget, waitStep, type Task } from '../../engine/step.ts';
import type { CmdqHardware } from '../../impl/kernel/cmdq-multi-producer.ts';
import type { QueueIndex } from '../../impl/kernel/cmdq-index.ts';
import type { PhysicalMemory } from '../../impl/platform/index.ts';
import { fetched, type Fetched } from './command.ts';
import type { CmdqContract } from './contract.ts';

const COMMAND_BYTES = 16;
const COMMAND_WORDS = 2;

/** What was seen, for witnesses. */
export interface HardwareEvents {
  /** CMDQ_PROD was written. */
  published(before: number, after: number, cons: number): void;
}

/** The SMMU's side of the command queue: its registers, and a daemon that consumes entries up to PROD one by one. */
export class CmdqConsumer implements CmdqHardware {
  readonly #machine: Machine;
  readonly #memory: PhysicalMemory;
  readonly #index: QueueIndex;
  readonly #contract: CmdqContract;
  readonly #events: HardwareEvents;
  readonly #base: number;
  readonly #msi: boolean;
  readonly #prod: number;
  readonly #cons: number;
  #consuming = false;

  constructor(
    machine: Machine,
    memory: PhysicalMemory,
    queue: { readonly base: number; readonly index: QueueIndex; readonly start: number; readonly msi: boolean },
    contract: CmdqContract,
    events: HardwareEvents,
  ) {
    this.#machine = machine;
    this.#memory = memory;
    this.#index = queue.index;
    this.#contract = contract;
    this.#events = events;
    this.#base = queue.base;
    this.#msi = queue.msi;
    const decimal = (_offset: number, value: number): string => String(value);
    this.#prod = machine.store.reserve(1, 'CMDQ_PROD', decimal);
    this.#cons = machine.store.reserve(1, 'CMDQ_CONS', decimal);
    machine.store.set(this.#prod, queue.start);
    machine.store.set(this.#cons, queue.start);
    memory.onWrite((pa) => this.#written(pa));
  }

  writeProd(index: number): void {
    const { store } = this.#machine;
    const before = store.get(this.#prod);
    const cons = store.get(this.#cons);
    this.#contract.prodWritten(before, index, cons);
    store.set(this.#prod, index);
    this.#events.published(before, index, cons);
  }

  readCons(): number {
    return this.#machine.store.get(this.#cons);
  }

  peek(pa: number): number {
    return this.#memory.low(pa);
  }

  /** The commands in the entries from one index to another. */
  entries(from: number, to: number): Fetched[] {
    return Array.from({ length: this.#index.distance(from, to) }, (_, at) => this.#fetch(this.#index.add(from, at)));
  }

  /** @param visible number up to which a CPU's other stores have arrived. */
  daemon(visible: (cpu: number) => number): AgentSpec {
    const start = (): Task => this.#consume(visible);
    return { name: 'SMMU', context: 'atomic', daemon: true, operations: [{ label: 'command queue', start }] };
  }

  *#consume(visible: (cpu: number) => number): Task {
    const { store } = this.#machine;
    const announced = {
      name: 'commands',
      ender: 'CMDQ_PROD',
      ready: () => store.get(this.#prod) !== store.get(this.#cons),
    };
    for (;;) {
      yield* forget('idle');
      yield* waitStep('consume', announced, () => this.#execute(visible));
    }
  }

  #execute(visible: (cpu: number) => number): string {
    const { store } = this.#machine;
    const at = store.get(this.#cons);
    const found = this.#fetch(at);
    this.#contract.consumed(this.#index.entry(at), found, visible);
    store.set(this.#cons, this.#index.add(at, 1));
    if (found.kind === 'command') return `command ${found.name.sequence} of CPU${found.name.cpu}`;
    if (found.kind === 'nothing') return 'nothing';
    if (found.msiAddress !== 0) {
      this.#consuming = true;
      this.#memory.writeWord(found.msiAddress, 0, this.#memory.high(found.msiAddress));
      this.#consuming = false;
    }
    return 'CMD_SYNC';
  }

  /** What an entry holds. A CMD_SYNC whose other word is that of another command is none: half of it has not arrived. */
  #fetch(index: number): Fetched {
    const address = this.#base + this.#index.entry(index) * COMMAND_BYTES;
    const found = fetched(this.#memory.readWords(address, COMMAND_WORDS));
    if (found.kind !== 'sync' || found.msiAddress === (this.#msi ? address : 0)) return found;
    return { kind: 'nothing' };
  }

  #written(pa: number): void {
    const entry = Math.floor((pa - this.#base) / COMMAND_BYTES);
    if (this.#consuming || entry < 0 || entry >= this.#index.entries) return;
    const { store } = this.#machine;
    this.#contract.entryWritten(entry, store.get(this.#prod), store.get(this.#cons));
  }
}
