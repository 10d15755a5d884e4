/** QEMU's SMMUv3 as a device under test. */
import { QemuMachine, rockerControl } from '../../impl/qemu/index.ts';
import type { DmaDevice, EventRecord } from '../../impl/qemu/index.ts';
import {
  CFGI_RANGE_ALL,
  COMMAND,
  COMMAND_CFGI_STE_RANGE,
  encode,
  EVENTQ_INDEX,
  extract,
  GERROR,
  OPCODE,
  REGISTER,
  STRTAB_BASE_CFG,
} from '../../model/architecture/arm/layout/index.ts';
import { featuresFromRegisters } from '../../model/architecture/arm/layout/features.ts';
import type { SmmuFeatures } from '../../model/architecture/arm/layout/features.ts';
import { syncCommand } from './commands.ts';
import type { AccessAnswer, CommandAnswer, ConformanceDevice, OverflowAnswer, Part } from './device.ts';
import { controlValue, globalBypass, setUpRegisters } from './set-up.ts';
import type { AccessKind } from './operation.ts';
import { eduWord, filledWord, Patterns } from './patterns.ts';
import type { ConformanceProgram } from './program.ts';
import { commandQueue, eventQueue, ramBytes, scratch } from './world.ts';

/** Where in edu's buffer the word lies that its writes take; reads fill the buffer from 0 on. */
const eduWordOffset = 2048;

interface PendingRead {
  readonly answer: AccessAnswer;
  readonly offset: number;
}

/** A QEMU process with the conformance world in it. */
export class QemuDevice implements ConformanceDevice {
  readonly name = 'qemu-smmuv3';
  readonly features: SmmuFeatures;
  /** Version line of the binary. */
  readonly version: string;
  readonly #machine: QemuMachine;
  #patterns: Patterns | undefined;
  #dirty: number[] = [];
  #twoLevelSeen = false;
  /** Reads of each edu whose value still lies in its buffer. */
  #pending = new Map<number, PendingRead[]>();

  /** Starts a process: of a binary, or of the one that `QEMU_ARM` says. */
  static async start(binary?: string): Promise<QemuDevice> {
    const chosen = binary === undefined ? {} : { binary };
    const machine = await QemuMachine.start({ ramBytes, commandQueue, eventQueue, ...chosen });
    try {
      const { smmu } = machine;
      const [idr0, idr1, idr3, idr5] = await Promise.all([
        smmu.readRegister(REGISTER.IDR0),
        smmu.readRegister(REGISTER.IDR1),
        smmu.readRegister(REGISTER.IDR3),
        smmu.readRegister(REGISTER.IDR5),
      ]);
      // The SMMU is off after a reset, so edu's buffer is loaded untranslated; the buffer survives resets.
      machine.ram.write32(scratch, eduWord);
      for (const dma of machine.devices) if (dma.kind === 'edu') await dma.edu.read(scratch, 0, eduWordOffset, 4);
      return new QemuDevice(machine, featuresFromRegisters(idr0, idr1, idr3, idr5));
    } catch (error) {
      await machine.stop();
      throw error;
    }
  }

  private constructor(machine: QemuMachine, features: SmmuFeatures) {
    this.#machine = machine;
    this.features = features;
    this.version = machine.version.text;
  }

  async begin({ configuration }: ConformanceProgram, thorough: boolean): Promise<void> {
    const { ram, smmu } = this.#machine;
    // QEMU remembers a two-level stream table after the format is linear again (a deviation of its own, which programs
    // that change the format meet); between programs only a reset forgets it.
    const { twoLevelStreams } = configuration;
    if (thorough || (this.#twoLevelSeen && !twoLevelStreams)) {
      await this.#machine.reset();
      this.#twoLevelSeen = false;
    }

    for (const pa of this.#dirty) ram.writeWord(pa, 0, 0);
    this.#dirty = [];
    this.#pending.clear();
    this.#patterns = new Patterns(configuration);
    for (const pa of this.#patterns.addresses) ram.write32(pa, this.#patterns.at(pa) as number);
    smmu.writeRegister(REGISTER.CR0, 0);
    smmu.resetQueues();
    for (const [offset, low, high] of setUpRegisters(configuration)) this.writeRegister(offset, low, high);
    smmu.writeRegister(REGISTER.GERRORN, await smmu.readRegister(REGISTER.GERROR));
    await this.command([
      encode(COMMAND_CFGI_STE_RANGE, { Opcode: OPCODE.CFGI_STE_RANGE, Range: CFGI_RANGE_ALL }),
      encode(COMMAND, { Opcode: OPCODE.TLBI_NSNH_ALL }),
      syncCommand(),
    ]);
  }

  store(pa: number, low: number, high: number): void {
    this.#dirty.push(pa);
    this.#machine.ram.writeWord(pa, low, high);
  }

  async command(commands: readonly (readonly number[])[]): Promise<CommandAnswer> {
    const { smmu } = this.#machine;
    for (const command of commands) smmu.push(command);
    smmu.ring();
    const answer = await smmu.settle();
    if (!answer.consumed) await smmu.replaceCommands(syncCommand());
    return answer;
  }

  writeRegister(offset: number, low: number, high?: number): void {
    if (offset === REGISTER.STRTAB_BASE_CFG && extract(STRTAB_BASE_CFG.fields.FMT, low, 0) === 1)
      this.#twoLevelSeen = true;
    this.#machine.smmu.writeRegister(offset, low, high);
  }

  async enable(on: boolean): Promise<void> {
    const { smmu } = this.#machine;
    smmu.writeRegister(REGISTER.CR0, controlValue(on));
    await this.#machine.settle();
  }

  async access(
    index: number,
    kind: AccessKind,
    address: { low: number; high: number },
    likely: readonly number[],
  ): Promise<AccessAnswer> {
    const device = this.#machine.devices[index] as DmaDevice;
    if (device.kind === 'rocker') {
      device.rocker.run(kind === 'write' ? rockerControl.fill : rockerControl.invert, address.low, address.high);
      await this.#machine.settle();
      const events = this.#machine.smmu.takeEvents();
      return kind === 'write' ? { write: this.#findWrite(filledWord, likely), events } : this.#findSwap(likely, events);
    }
    if (kind === 'write') {
      await device.edu.write(address.low, address.high, eduWordOffset, 4);
      return { write: this.#findWrite(eduWord, likely), events: this.#machine.smmu.takeEvents() };
    }
    const pending = this.#pending.get(index) ?? [];
    if (pending.length * 4 >= eduWordOffset)
      throw new RangeError('a program reads at most 512 times with one edu device');
    const offset = pending.length * 4;
    await device.edu.read(address.low, address.high, offset, 4);
    const answer: AccessAnswer = { events: this.#machine.smmu.takeEvents() };
    this.#pending.set(index, [...pending, { answer, offset }]);
    return answer;
  }

  async overflow(index: number, count: number): Promise<OverflowAnswer> {
    const { smmu } = this.#machine;
    const before = await smmu.readRegister(REGISTER.GERROR);
    for (let write = 0; write < count; write++) {
      const device = this.#machine.devices[index] as DmaDevice;
      if (device.kind === 'rocker') device.rocker.run(rockerControl.fill, 0x5000_0000, 0);
      else await device.edu.write(0x5000_0000, 0, eduWordOffset, 4);
    }
    const prod = await smmu.readRegister(REGISTER.EVENTQ_PROD);
    const gerror = await smmu.readRegister(REGISTER.GERROR);
    smmu.writeRegister(REGISTER.GERRORN, gerror);
    return {
      records: extract(EVENTQ_INDEX.fields.INDEX, prod, 0),
      overflow: extract(EVENTQ_INDEX.fields.OVERFLOW, prod, 0) === 1,
      abort: extract(GERROR.fields.EVENTQ_ABT_ERR, before ^ gerror, 0) === 1,
    };
  }

  resetEvents(): void {
    this.#machine.smmu.resetEvents();
  }

  async finish(): Promise<void> {
    if (this.#pending.size === 0) return;
    // With the SMMU off DMA is not translated; QEMU keeps its caches, and the program is over anyway.
    this.writeRegister(...globalBypass(false));
    await this.enable(false);
    for (const [index, reads] of this.#pending) {
      const device = this.#machine.devices[index];
      if (device?.kind !== 'edu') continue;
      await device.edu.write(scratch, 0, 0, reads.length * 4);
      for (const { answer, offset } of reads)
        answer.read = this.#classifyRead(this.#machine.ram.read32(scratch + offset));
    }
    this.#pending.clear();
  }

  async stop(): Promise<void> {
    await this.#machine.stop();
  }

  #classifyRead(value: number): Part {
    if (value === 0) return { kind: 'refused' };
    const pa = this.#patterns?.source(value);
    return pa === undefined ? { kind: 'foreign', value } : { kind: 'memory', pa };
  }

  /** Looks for a place where `holds` is true, the likely ones first, and restores what was there. */
  #find(
    holds: (value: number, pattern: number) => boolean,
    likely: readonly number[],
  ): { pa: number; value: number } | undefined {
    const patterns = this.#patterns as Patterns;
    for (const pa of [...likely, ...patterns.addresses]) {
      const pattern = patterns.at(pa);
      if (pattern === undefined) continue;
      const value = this.#machine.ram.read32(pa);
      if (!holds(value, pattern)) continue;
      this.#machine.ram.write32(pa, pattern);
      return { pa, value };
    }
    return undefined;
  }

  #findWrite(written: number, likely: readonly number[]): Part {
    const found = this.#find((value) => value === written, likely);
    return found === undefined ? { kind: 'refused' } : { kind: 'memory', pa: found.pa };
  }

  /** A swap writes back the complement of what it read. */
  #findSwap(likely: readonly number[], events: readonly EventRecord[]): AccessAnswer {
    const found = this.#find((value, pattern) => value !== pattern, likely);
    if (found === undefined) return { read: { kind: 'unobserved' }, write: { kind: 'refused' }, events };
    return { read: this.#classifyRead(~found.value), write: { kind: 'memory', pa: found.pa }, events };
  }
}
