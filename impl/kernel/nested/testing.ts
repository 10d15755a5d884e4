import { runToCompletion } from '../../../engine/complete.ts';
import { HarnessError } from '../../../engine/failure.ts';
import { Machine } from '../../../engine/machine.ts';
import type { Task } from '../../../engine/step.ts';
import {
  COMMAND,
  COMMAND_ATC_INV,
  COMMAND_TLBI,
  decode,
  extract,
  OPCODE,
  QUEUE_BASE,
  REGISTER,
  STE,
  type FieldName,
} from '../../../model/architecture/arm/layout/index.ts';
import type { ContractEvent } from '../../../model/contract/events.ts';
import { PhysicalMemory, type SmmuPort } from '../../platform/index.ts';
import { SMALL_NESTED_KERNEL, SMALL_NESTING, type NestingConfig } from './config.ts';
import { NestedKernel, type NestedParts } from './kernel.ts';
import { GuestOperations, HostOperations } from './operations.ts';

/** A port for unit tests: it consumes commands at once and writes down what they were. */
export class LoggingPort implements SmmuPort {
  readonly log: string[];
  readonly #memory: PhysicalMemory;
  #base = 0;
  #mask = 0;
  #prod = 0;

  constructor(memory: PhysicalMemory, log: string[]) {
    this.#memory = memory;
    this.log = log;
  }

  writeRegister(offset: number, low: number, high = 0): void {
    if (offset === REGISTER.CMDQ_BASE) {
      this.#base = extract(QUEUE_BASE.fields.ADDR, low, high);
      this.#mask = (1 << extract(QUEUE_BASE.fields.LOG2SIZE, low, high)) - 1;
    }
    if (offset !== REGISTER.CMDQ_PROD) return;
    for (; this.#prod !== low; this.#prod = (this.#prod + 1) & (2 * this.#mask + 1))
      this.log.push(describe(this.#memory.readWords(this.#base + (this.#prod & this.#mask) * 16, 2)));
  }

  readRegister(offset: number): number {
    return offset === REGISTER.CMDQ_CONS ? this.#prod : 0;
  }

  completeCommands(): void {
    this.log.push('complete');
  }
}

function describe(lanes: number[]): string {
  const opcode = decode(COMMAND, lanes).Opcode;
  const name = Object.entries(OPCODE).find(([, value]) => value === opcode)?.[0] ?? 'unknown';
  if (name.startsWith('CFGI')) return `${name} 0x${decode(COMMAND_ATC_INV, lanes).StreamID.toString(16)}`;
  if (name === 'ATC_INV') {
    const { StreamID, Size, Address } = decode(COMMAND_ATC_INV, lanes);
    return `${name} 0x${StreamID.toString(16)} 0x${Address.toString(16)} size ${Size}`;
  }
  if (!name.startsWith('TLBI')) return name;
  const { VMID, ASID, Address, Leaf } = decode(COMMAND_TLBI, lanes);
  return `${name} ${VMID}.${ASID} 0x${Address.toString(16)}${Leaf === 1 ? ' leaf' : ''}`;
}

/** A hypervisor's kernel and its guest over a port that does nothing: for unit tests of single operations. */
export class NestedTestWorld {
  readonly machine = new Machine();
  readonly events: ContractEvent[] = [];
  readonly kernel: NestedKernel;
  readonly host: HostOperations;
  readonly guest: GuestOperations;
  readonly #log: string[] = [];

  constructor(nesting: Partial<NestingConfig> = {}, parts: Partial<NestedParts> = {}) {
    const config = { ...SMALL_NESTING, ...nesting };
    const memory = new PhysicalMemory(this.machine.store, [SMALL_NESTED_KERNEL.memory, config.guestMemory]);
    const port = new LoggingPort(memory, this.#log);
    const pciAts = (streamId: number, enabled: boolean): void =>
      void this.#log.push(`ATS of 0x${streamId.toString(16)} ${enabled ? 'on' : 'off'}`);
    const sink = { emit: (event: ContractEvent): void => void this.events.push(event) };
    this.kernel = new NestedKernel(
      { machine: this.machine, memory, port, sink, pciAts },
      SMALL_NESTED_KERNEL,
      config,
      parts,
    );
    this.host = new HostOperations(this.kernel);
    this.guest = new GuestOperations(this.kernel);
    for (let place = 0; place < config.stages.length; place++) this.run(this.host.domainAlloc(place));
    this.take();
  }

  /** Runs an operation alone and returns its result. */
  run(task: Task<boolean>): boolean {
    let result = false;
    runToCompletion(
      (function* (): Task {
        result = yield* task;
      })(),
    );
    if (this.machine.failure !== undefined) throw new HarnessError(this.machine.failure.message);
    return result;
  }

  /** Commands, completions and ATS switches since the last call. */
  take(): string[] {
    this.events.length = 0;
    return this.#log.splice(0);
  }

  /** A device's stream table entry. */
  ste(device: number): Record<FieldName<typeof STE>, number> {
    return decode(STE, this.kernel.memory.readWords(this.kernel.masters[device]?.ste ?? 0, 8));
  }
}
