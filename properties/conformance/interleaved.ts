/**
 * Our device while software works: translations are in flight, step by step, as words of tables are written, commands are
 * taken one by one and CMD_SYNCs complete. Each answer must be permitted by the architecture at some moment between the
 * begin and the end of its translation. What a translation has left in a cache is seen by the accesses that follow.
 */
import { Random } from '../../engine/random.ts';
import { Store } from '../../engine/store.ts';
import type { SmmuV3Device, Translation } from '../../impl/devices/smmuv3/index.ts';
import type { SmmuFeatures } from '../../model/architecture/arm/layout/features.ts';
import {
  CFGI_RANGE_ALL,
  COMMAND_CFGI_STE_RANGE,
  decode,
  encode,
  EVENT_RECORD,
  EVENTQ_INDEX,
  extract,
  OPCODE,
  REGISTER,
} from '../../model/architecture/arm/layout/index.ts';
import { decodeCommand } from '../../model/architecture/arm/commands/invalidation.ts';
import { SmmuV3 } from '../../model/architecture/arm/smmuv3.ts';
import type { Slot } from '../../model/architecture/arm/universe.ts';
import { BuiltinMemory, type MakeDevice } from './builtin-device.ts';
import { cachesOf } from './caches.ts';
import { percent } from './choices.ts';
import { buildCommand, syncCommand } from './commands.ts';
import { conformanceFeatures } from './conformance-features.ts';
import { storesOf } from './effects.ts';
import { programOfSeed } from './generate.ts';
import { matchesAnswer, Moments } from './moments.ts';
import type { Operation } from './operation.ts';
import type { ConformanceProgram } from './program.ts';
import { controlValue, globalBypass, setUpRegisters, streamTableRegisters } from './set-up.ts';
import { accessOffset, commandQueue, eventQueue, inputAddress, ramBase, ramBytes, streamIdOf } from './world.ts';

/** What came of an interleaved run. */
export interface InterleavedResult {
  /** Words written, commands put in and taken, steps of translations. */
  readonly operations: number;
  readonly translations: number;
  /** Translations during which memory was written or a command was taken. */
  readonly overtaken: number;
  /** Those that had to begin anew. */
  readonly restarted: number;
  /** The first answer that the architecture does not permit, and what led to it. */
  readonly difference: InterleavedDifference | undefined;
}

/** An answer that is not permitted. */
export interface InterleavedDifference {
  readonly operation: number;
  readonly answer: string;
  readonly permitted: readonly string[];
  /** Steps of the translation, and what happened in between. */
  readonly steps: readonly string[];
}

/** Options of a run. */
export interface InterleavedOptions {
  readonly features?: SmmuFeatures;
  readonly make: MakeDevice;
}

type AccessOperation = Extract<Operation, { kind: 'access' }>;

interface Flight {
  readonly translation: Translation;
  readonly moments: Moments;
  readonly operation: number;
  readonly steps: string[];
  overtaken: boolean;
  restarted: boolean;
}

/** Most translations in flight at a time. */
const flightsMax = 4;
const queueMask = 2 ** (commandQueue.log2Entries + 1) - 1;

/** Runs the program of a seed with a schedule of the same seed. */
export const runInterleaved = (seed: number, options: InterleavedOptions): InterleavedResult => {
  const features = options.features ?? conformanceFeatures;
  const run = new Interleaving(programOfSeed(seed, features), features, options.make, new Random(seed ^ 0x5bd1e995));
  run.execute();
  return run.result();
};

class Interleaving {
  readonly #program: ConformanceProgram;
  readonly #features: SmmuFeatures;
  readonly #random: Random;
  readonly #memory = new BuiltinMemory(ramBase, ramBytes);
  readonly #device: SmmuV3Device;
  readonly #model: SmmuV3;
  readonly #slots = new Map<string, number>();
  readonly #flights: Flight[] = [];
  #twoLevel: boolean;
  #prod = 0;
  #observed = 0;
  #events = 0;
  #operation = 0;
  #operations = 0;
  #translations = 0;
  #overtaken = 0;
  #restarted = 0;
  #difference: InterleavedDifference | undefined;

  constructor(program: ConformanceProgram, features: SmmuFeatures, make: MakeDevice, random: Random) {
    this.#program = program;
    this.#features = features;
    this.#random = random;
    this.#twoLevel = program.configuration.twoLevelStreams;
    this.#device = make(this.#memory, { features, caches: cachesOf(program.configuration.caches), stepped: true });
    this.#model = new SmmuV3(new Store(), this.#memory, features, { slots: this.#nameSlots() });
    for (const write of setUpRegisters(program.configuration)) this.#register(...write);
  }

  execute(): void {
    for (const [index, operation] of this.#program.operations.entries()) {
      if (this.#difference !== undefined) return;
      this.#operation = index;
      this.#perform(operation);
    }
    while (this.#flights.length > 0 && this.#difference === undefined) this.#step();
  }

  result(): InterleavedResult {
    return {
      operations: this.#operations,
      translations: this.#translations,
      overtaken: this.#overtaken,
      restarted: this.#restarted,
      difference: this.#difference,
    };
  }

  #nameSlots(): Slot[] {
    const slots: Slot[] = [];
    for (const operation of this.#program.operations) {
      if (operation.kind !== 'access') continue;
      const { streamId, low, high } = this.#place(operation);
      const key = `${streamId}:${high}:${low}`;
      if (this.#slots.has(key)) continue;
      this.#slots.set(key, slots.length);
      slots.push({ streamId, substream: -1, va: high * 2 ** 32 + (low - accessOffset) });
    }
    return slots;
  }

  #place(access: AccessOperation): { streamId: number; low: number; high: number } {
    const { configuration } = this.#program;
    return {
      streamId: streamIdOf(configuration.devices[access.stream] as number),
      ...inputAddress(configuration, access),
    };
  }

  #perform(operation: Operation): void {
    const { configuration } = this.#program;
    switch (operation.kind) {
      case 'access':
        if (operation.access !== 'write') this.#begin(operation, false);
        if (operation.access !== 'read') this.#begin(operation, true);
        return;
      case 'command': {
        const lanes = buildCommand(configuration, operation.command);
        if (decodeCommand(this.#features, lanes).kind === 'illegal') return;
        this.#submit(operation.sync ? [lanes, syncCommand()] : [lanes]);
        // Software waits for some of its CMD_SYNCs at once, and for others it does not look before the next command.
        if (operation.sync && percent(this.#random, 60)) this.#drain();
        return;
      }
      case 'enable':
        this.#drain();
        this.#register(...globalBypass(operation.abort === true));
        return this.#register(REGISTER.CR0, controlValue(operation.on));
      case 'stream-format':
        return this.#streamFormat(operation.twoLevel);
      case 'overflow':
        return;
      default:
        for (const { pa, low, high } of storesOf(configuration, operation)) this.#store(pa, low, high);
    }
  }

  #streamFormat(twoLevel: boolean): void {
    this.#twoLevel = twoLevel;
    this.#drain();
    this.#register(REGISTER.CR0, controlValue(false));
    for (const write of streamTableRegisters(this.#program.configuration, this.#twoLevel)) this.#register(...write);
    const all = encode(COMMAND_CFGI_STE_RANGE, { Opcode: OPCODE.CFGI_STE_RANGE, Range: CFGI_RANGE_ALL });
    this.#submit([all, syncCommand()]);
    this.#drain();
    this.#register(REGISTER.CR0, controlValue(true));
  }

  #register(offset: number, low: number, high?: number): void {
    this.#device.writeRegister(offset, low, high);
    this.#model.writeRegister(offset, low, high);
    this.#happened(`register 0x${offset.toString(16)} := 0x${(low >>> 0).toString(16)}`);
    this.#others();
  }

  #store(pa: number, low: number, high: number): void {
    this.#memory.store(pa, low, high);
    this.#model.memoryWritten(pa);
    this.#happened(`word 0x${pa.toString(16)} := 0x${(high >>> 0).toString(16)}_${(low >>> 0).toString(16)}`);
    this.#others();
  }

  /** Puts commands into the queue and tells both; the device takes them when the schedule says so. */
  #submit(commands: readonly (readonly number[])[]): void {
    if (((this.#prod - this.#observed) & queueMask) + commands.length > 2 ** commandQueue.log2Entries) this.#drain();
    for (const command of commands) {
      const at = commandQueue.base + (this.#prod % 2 ** commandQueue.log2Entries) * 16;
      this.#memory.store(at, command[0] as number, command[1] as number);
      this.#memory.store(at + 8, command[2] as number, command[3] as number);
      this.#prod = (this.#prod + 1) & queueMask;
      this.#model.writeRegister(REGISTER.CMDQ_PROD, this.#prod);
      this.#device.writeRegister(REGISTER.CMDQ_PROD, this.#prod);
      this.#happened(`command 0x${((command[0] as number) & 0xff).toString(16)} put in`);
      this.#others();
    }
  }

  /** Software waits until the queue is empty. */
  #drain(): void {
    while (this.#observed !== this.#prod && this.#difference === undefined) {
      if (percent(this.#random, 50)) this.#take();
      else if (this.#flights.length > 0) this.#step();
      if (percent(this.#random, 40)) this.#observe();
    }
  }

  #take(): void {
    if (!this.#device.processCommand()) return;
    this.#happened('a command is taken');
  }

  /** Software reads CMDQ_CONS: only now it knows what is complete. */
  #observe(): void {
    const cons = this.#device.readRegister(REGISTER.CMDQ_CONS) & queueMask;
    if (cons === this.#observed) return;
    this.#observed = cons;
    this.#model.completeCommands(cons);
    this.#happened('software sees CMDQ_CONS');
  }

  /** Software has done something: what the others do before it does the next thing. */
  #others(): void {
    while (this.#difference === undefined && percent(this.#random, 65)) {
      const choice = this.#random.below(10);
      if (choice < 7) this.#step();
      else if (choice < 9) this.#take();
      else this.#observe();
    }
  }

  #begin(access: AccessOperation, write: boolean): void {
    while (this.#flights.length >= flightsMax && this.#difference === undefined) this.#step();
    const { streamId, low, high } = this.#place(access);
    const slot = this.#slots.get(`${streamId}:${high}:${low}`) as number;
    const kind = { privileged: false, instruction: false };
    const translation = this.#device.begin({
      streamId,
      substream: -1,
      low,
      high,
      write,
      ...kind,
      kind: 'untranslated',
    });
    const moments = new Moments(this.#model, slot, { write, ...kind });
    moments.note();
    const operation = this.#operation;
    this.#flights.push({ translation, moments, operation, steps: [], overtaken: false, restarted: false });
    this.#others();
  }

  /** One step of one of the translations in flight. */
  #step(): void {
    const { length } = this.#flights;
    if (length === 0) return;
    const index = this.#random.below(length);
    const flight = this.#flights[index] as Flight;
    flight.translation.step();
    this.#operations++;
    const { label } = flight.translation;
    flight.steps.push(label);
    if (label === 'begins anew') flight.restarted = true;
    if (!flight.translation.done) return;
    this.#flights.splice(index, 1);
    this.#end(flight);
  }

  #end({ translation, moments, operation, steps, overtaken, restarted }: Flight): void {
    this.#translations++;
    if (overtaken) this.#overtaken++;
    if (restarted) this.#restarted++;
    const records = this.#takeEvents();
    const permitted = moments.all();
    if (permitted.some((result) => matchesAnswer(result, translation.answer, records))) return;
    const { kind, pa, event } = translation.answer;
    this.#difference = {
      operation,
      answer: kind === 'memory' ? `memory 0x${pa.toString(16)}` : `${kind} ${event} ${JSON.stringify(records)}`,
      permitted: permitted.map((result) => JSON.stringify(result)),
      steps,
    };
  }

  /** Something changed what is permitted, or may have. */
  #happened(what: string): void {
    this.#operations++;
    for (const flight of this.#flights) {
      flight.overtaken = true;
      flight.steps.push(`… ${what}`);
      flight.moments.note();
    }
  }

  #takeEvents(): Record<string, number>[] {
    const { base, log2Entries } = eventQueue;
    const prod = extract(EVENTQ_INDEX.fields.INDEX, this.#device.readRegister(REGISTER.EVENTQ_PROD), 0);
    const records: Record<string, number>[] = [];
    while (this.#events !== prod) {
      const at = base + 32 * (this.#events % 2 ** log2Entries);
      const lanes = [0, 8, 16, 24].flatMap((word) => [this.#memory.low(at + word), this.#memory.high(at + word)]);
      records.push(decode(EVENT_RECORD, lanes));
      this.#events = (this.#events + 1) % 2 ** (log2Entries + 1);
    }
    if (records.length > 0) this.#device.writeRegister(REGISTER.EVENTQ_CONS, this.#events);
    return records;
  }
}
