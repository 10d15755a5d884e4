import { runToCompletion } from '../../engine/complete.ts';
import { Machine } from '../../engine/machine.ts';
import type { Task } from '../../engine/step.ts';
import {
  CD,
  decode,
  QUEUE_BASE,
  extract,
  OPCODE,
  REGISTER,
  STE,
  type FieldName,
} from '../../model/architecture/arm/layout/index.ts';
import { COMMAND, COMMAND_CFGI, COMMAND_TLBI } from '../../model/architecture/arm/layout/index.ts';
import type { ContractEvent } from '../../model/contract/events.ts';
import { PhysicalMemory, type SmmuPort } from '../platform/index.ts';
import { SMALL_CONFIG, type KernelConfig } from './config.ts';
import { Kernel, type KernelParts } from './kernel.ts';
import { addressOf, isLeaf, LEAF_LEVEL } from './io-pgtable.ts';
import type { Domain } from './objects.ts';
import { Operations } from './operations.ts';

/** A port for unit tests: it consumes commands at once and writes down what they were. */
export class RecordingPort implements SmmuPort {
  /** "CFGI_CD 10.0", "TLBI_NH_VA 1 0x1000 …", "SYNC"; then "complete" for each wait. */
  readonly log: string[] = [];
  readonly #memory: PhysicalMemory;
  #base = 0;
  #mask = 0;
  #prod = 0;

  constructor(memory: PhysicalMemory) {
    this.#memory = memory;
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
  const cfgi = decode(COMMAND_CFGI, lanes);
  if (name === 'CFGI_STE') return `${name} ${cfgi.StreamID.toString(16)}`;
  if (name === 'CFGI_CD') return `${name} ${cfgi.StreamID.toString(16)}.${cfgi.SubstreamID}`;
  const tlbi = decode(COMMAND_TLBI, lanes);
  if (name === 'TLBI_NH_ASID') return `${name} ${tlbi.ASID}`;
  if (name !== 'TLBI_NH_VA') return name;
  const range = tlbi.TG === 0 ? '' : ` scale ${tlbi.Scale} num ${tlbi.Num} ttl ${tlbi.TTL}`;
  return `${name} ${tlbi.ASID} 0x${tlbi.Address.toString(16)}${range}${tlbi.Leaf === 1 ? ' leaf' : ''}`;
}

/** A kernel over a recording port, for unit tests of single operations. */
export class TestWorld {
  readonly machine = new Machine();
  readonly events: ContractEvent[] = [];
  readonly port: RecordingPort;
  readonly kernel: Kernel;
  readonly operations: Operations;

  constructor(config: Partial<KernelConfig> = {}, parts: Partial<KernelParts> = {}) {
    const full = { ...SMALL_CONFIG, ...config };
    const memory = new PhysicalMemory(this.machine.store, [full.memory]);
    this.port = new RecordingPort(memory);
    const emit = (event: ContractEvent): void => void this.events.push(event);
    this.kernel = new Kernel({ machine: this.machine, memory, port: this.port, sink: { emit } }, full, parts);
    this.operations = new Operations(this.kernel);
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
    return result;
  }

  /** Commands since the last call. */
  take(): string[] {
    this.events.length = 0;
    return this.port.log.splice(0);
  }

  /** Names of the events since the last `take`. */
  eventTypes(): string[] {
    return this.events.map(({ type }) => type);
  }

  /** A device's stream table entry. */
  ste(device: number): Record<FieldName<typeof STE>, number> {
    return decode(STE, this.kernel.memory.readWords(this.kernel.masters[device]?.ste ?? 0, 8));
  }

  /** A device's context descriptor. */
  cd(device: number, substream: number): Record<FieldName<typeof CD>, number> {
    const table = this.kernel.masters[device]?.cdTable ?? 0;
    return decode(CD, this.kernel.memory.readWords(table + 64 * substream, 8));
  }

  /** The domain in a place. */
  domain(slot: number): Domain {
    return this.kernel.domains.at(this.kernel.domainSlots[slot]?.value ?? 0);
  }

  /** Where a space's tables lead: physical address, -1 for nothing. */
  translate(pgd: number, iova: number): number {
    const { pgtable } = this.kernel;
    let table = pgd >>> 0;
    for (let level = pgtable.startLevel; level <= LEAF_LEVEL; level++) {
      const entry = pgtable.decode(table + 8 * (Math.floor(iova / pgtable.levelBytes(level)) % 512), level);
      if (entry === 0) return -1;
      table = addressOf(entry);
      if (isLeaf(entry)) return table + (iova % pgtable.levelBytes(level));
    }
    return -1;
  }
}
