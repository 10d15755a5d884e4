/** Our own SMMUv3 as a device under test. It answers with addresses, so no patterns are needed to see where an access went. */
import {
  SmmuV3Device,
  type DeviceAnswer,
  type DeviceMemory,
  type DeviceOptions,
} from '../../impl/devices/smmuv3/index.ts';
import type { EventRecord } from '../../impl/qemu/index.ts';
import type { SmmuFeatures } from '../../model/architecture/arm/layout/features.ts';
import {
  CFGI_RANGE_ALL,
  CMDQ_CONS,
  COMMAND,
  COMMAND_CFGI_STE_RANGE,
  decode,
  encode,
  EVENT_RECORD,
  EVENTQ_INDEX,
  extract,
  GERROR,
  OPCODE,
  REGISTER,
} from '../../model/architecture/arm/layout/index.ts';
import { cachesOf } from './caches.ts';
import { syncCommand } from './commands.ts';
import { conformanceFeatures } from './conformance-features.ts';
import type { AccessAnswer, CommandAnswer, ConformanceDevice, OverflowAnswer, Part } from './device.ts';
import { SparseMemory } from './memory.ts';
import type { AccessKind } from './operation.ts';
import type { ConformanceProgram } from './program.ts';
import { controlValue, setUpRegisters } from './set-up.ts';
import { commandQueue, eventQueue, ramBase, ramBytes, streamIdOf } from './world.ts';

/** Makes a device: our own, or one with a mistake. */
export type MakeDevice = (memory: DeviceMemory, options: DeviceOptions) => SmmuV3Device;

/** Options of the built-in device. */
export interface BuiltinOptions {
  readonly features?: SmmuFeatures;
  readonly make?: MakeDevice;
  /** Default: what each program chooses. */
  readonly caches?: DeviceOptions['caches'];
}

/** Memory that our device can write to. */
export class BuiltinMemory extends SparseMemory implements DeviceMemory {
  writeWord(pa: number, low: number, high: number): void {
    this.store(pa, low, high);
  }
}

/** Our device with the conformance world in it. */
export class BuiltinDevice implements ConformanceDevice {
  readonly name = 'builtin';
  readonly version = 'built-in SMMUv3';
  readonly features: SmmuFeatures;
  readonly #make: MakeDevice;
  readonly #caches: DeviceOptions['caches'];
  /** A device for each choice of caches, made when it is first needed. */
  readonly #devices = new Map<number, SmmuV3Device>();
  #memory = new BuiltinMemory(ramBase, ramBytes);
  #device: SmmuV3Device;
  /** Index of the next command to be put in, with wrap bit, and of the next event to be read. */
  #prod = 0;
  #cons = 0;

  constructor({ features = conformanceFeatures, make, caches }: BuiltinOptions = {}) {
    this.features = features;
    this.#make = make ?? ((memory, options) => new SmmuV3Device(memory, options));
    this.#caches = caches;
    this.#device = this.#choose(0, true);
  }

  begin({ configuration }: ConformanceProgram, thorough: boolean): Promise<void> {
    this.#memory.clear();
    this.#device = this.#choose(configuration.caches ?? 0, thorough);
    const device = this.#device;
    device.writeRegister(REGISTER.CR0, 0);
    this.#prod = 0;
    this.resetEvents();
    for (const [offset, low, high] of setUpRegisters(configuration)) this.writeRegister(offset, low, high);
    device.writeRegister(REGISTER.GERRORN, device.readRegister(REGISTER.GERROR));
    this.#submit([
      encode(COMMAND_CFGI_STE_RANGE, { Opcode: OPCODE.CFGI_STE_RANGE, Range: CFGI_RANGE_ALL }),
      encode(COMMAND, { Opcode: OPCODE.TLBI_NSNH_ALL }),
      syncCommand(),
    ]);
    return Promise.resolve();
  }

  store(pa: number, low: number, high: number): void {
    this.#memory.store(pa, low, high);
  }

  command(commands: readonly (readonly number[])[]): Promise<CommandAnswer> {
    return Promise.resolve(this.#submit(commands));
  }

  writeRegister(offset: number, low: number, high?: number): void {
    this.#device.writeRegister(offset, low, high);
  }

  enable(on: boolean): Promise<void> {
    this.writeRegister(REGISTER.CR0, controlValue(on));
    return Promise.resolve();
  }

  access(device: number, kind: AccessKind, address: { low: number; high: number }): Promise<AccessAnswer> {
    const answer: AccessAnswer = { events: [] };
    if (kind !== 'write') answer.read = this.#access(device, false, address);
    if (kind !== 'read') answer.write = this.#access(device, true, address);
    return Promise.resolve({ ...answer, events: this.#takeEvents() });
  }

  overflow(index: number, count: number): Promise<OverflowAnswer> {
    const device = this.#device;
    const before = device.readRegister(REGISTER.GERROR);
    for (let write = 0; write < count; write++) this.#access(index, true, { low: 0x5000_0000, high: 0 });
    const prod = device.readRegister(REGISTER.EVENTQ_PROD);
    const gerror = device.readRegister(REGISTER.GERROR);
    device.writeRegister(REGISTER.GERRORN, gerror);
    return Promise.resolve({
      records: extract(EVENTQ_INDEX.fields.INDEX, prod, 0),
      overflow: extract(EVENTQ_INDEX.fields.OVERFLOW, prod, 0) === 1,
      abort: extract(GERROR.fields.EVENTQ_ABT_ERR, before ^ gerror, 0) === 1,
    });
  }

  resetEvents(): void {
    this.#cons = 0;
  }

  finish(): Promise<void> {
    return Promise.resolve();
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }

  #choose(choice: number, anew: boolean): SmmuV3Device {
    const known = anew ? undefined : this.#devices.get(choice);
    if (known !== undefined) return known;
    const caches = this.#caches ?? cachesOf(choice);
    const device = this.#make(this.#memory, { features: this.features, caches });
    this.#devices.set(choice, device);
    return device;
  }

  #access(device: number, write: boolean, { low, high }: { low: number; high: number }): Part {
    const answer: DeviceAnswer = this.#device.translate({
      streamId: streamIdOf(device),
      substream: -1,
      low,
      high,
      write,
      privileged: false,
      instruction: false,
      kind: 'untranslated',
    });
    return answer.kind === 'memory' ? { kind: 'memory', pa: answer.pa } : { kind: 'refused' };
  }

  /** Puts commands into the queue. One that stops it is replaced by a CMD_SYNC, as software is told to (IHI 0070 §7.1). */
  #submit(commands: readonly (readonly number[])[]): CommandAnswer {
    for (const command of commands) this.#push(command);
    const device = this.#device;
    device.writeRegister(REGISTER.CMDQ_PROD, this.#prod);
    const cons = device.readRegister(REGISTER.CMDQ_CONS);
    const index = extract(CMDQ_CONS.fields.RD, cons, 0);
    if (index === this.#prod) return { consumed: true, error: 0 };
    const end = this.#prod;
    this.#prod = index;
    while (this.#prod !== end) this.#push(syncCommand());
    device.writeRegister(REGISTER.GERRORN, device.readRegister(REGISTER.GERROR));
    return { consumed: false, error: extract(CMDQ_CONS.fields.ERR, cons, 0) };
  }

  #push(command: readonly number[]): void {
    const { base, log2Entries } = commandQueue;
    const at = base + 16 * (this.#prod % 2 ** log2Entries);
    this.store(at, command[0] as number, command[1] as number);
    this.store(at + 8, command[2] as number, command[3] as number);
    this.#prod = (this.#prod + 1) % 2 ** (log2Entries + 1);
  }

  /** The event records that have arrived since the last time, read from memory. */
  #takeEvents(): EventRecord[] {
    const device = this.#device;
    const { base, log2Entries } = eventQueue;
    const prod = extract(EVENTQ_INDEX.fields.INDEX, device.readRegister(REGISTER.EVENTQ_PROD), 0);
    const records: EventRecord[] = [];
    while (this.#cons !== prod) {
      const at = base + 32 * (this.#cons % 2 ** log2Entries);
      const lanes: number[] = [];
      for (let word = 0; word < 4; word++)
        lanes.push(this.#memory.low(at + 8 * word), this.#memory.high(at + 8 * word));
      records.push(decode(EVENT_RECORD, lanes));
      this.#cons = (this.#cons + 1) % 2 ** (log2Entries + 1);
    }
    if (records.length > 0) device.writeRegister(REGISTER.EVENTQ_CONS, this.#cons);
    return records;
  }
}
