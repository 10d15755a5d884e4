/** The architecture model in step with a program: it is told what software does and says what a device may answer. */
import { Store } from '../../engine/store.ts';
import { decodeCommand } from '../../model/architecture/arm/commands/invalidation.ts';
import type { SmmuFeatures } from '../../model/architecture/arm/layout/features.ts';
import type { AccessResult } from '../../model/architecture/arm/outcomes/event-record.ts';
import { SmmuV3 } from '../../model/architecture/arm/smmuv3.ts';
import { decode, EVENT_RECORD, REGISTER } from '../../model/architecture/arm/layout/index.ts';
import { syncCommand } from './commands.ts';
import type { Permitted } from './deviation.ts';
import { SparseMemory } from './memory.ts';
import type { ConformanceProgram } from './program.ts';
import { controlValue, setUpRegisters } from './set-up.ts';
import { accessOffset, commandQueue, inputAddress, ramBase, ramBytes, streamIdOf } from './world.ts';

type Lanes = readonly number[];
const pageBytes = 4096;

/** One program's worth of architecture. */
export class Oracle {
  readonly #memory = new SparseMemory(ramBase, ramBytes);
  readonly #smmu: SmmuV3;
  readonly #features: SmmuFeatures;
  readonly #slots = new Map<string, number>();
  #prod = 0;

  /** Names the accesses of a program to a fresh architecture, which is in the state after `ConformanceDevice.begin`. */
  constructor(program: ConformanceProgram, features: SmmuFeatures) {
    this.#features = features;
    const slots: { streamId: number; substream: number; va: number }[] = [];
    for (const operation of program.operations) {
      if (operation.kind !== 'access') continue;
      const streamId = streamIdOf(program.configuration.devices[operation.stream] as number);
      const { low, high } = inputAddress(program.configuration, operation);
      const key = slotKey(streamId, low, high);
      if (this.#slots.has(key)) continue;
      this.#slots.set(key, slots.length);
      slots.push({ streamId, substream: -1, va: high * 2 ** 32 + (low - accessOffset) });
    }
    this.#smmu = new SmmuV3(new Store(), this.#memory, features, { slots });
    for (const [offset, low, high] of setUpRegisters(program.configuration))
      this.#smmu.writeRegister(offset, low, high);
  }

  /** A 64-bit word of memory is written. */
  store(pa: number, low: number, high: number): void {
    this.#memory.store(pa, low, high);
    this.#smmu.memoryWritten(pa);
  }

  /** Whether a command must stop the queue with CERROR_ILL (IHI 0070 §7.1). */
  isIllegal(command: Lanes): boolean {
    return decodeCommand(this.#features, command).kind === 'illegal';
  }

  /** Legal commands are submitted and consumed; a CMD_SYNC follows if `sync`. */
  command(commands: readonly Lanes[], sync: boolean): void {
    for (const command of sync ? [...commands, syncCommand()] : commands) {
      const at = commandQueue.base + (this.#prod % 2 ** commandQueue.log2Entries) * 16;
      this.store(at, command[0] as number, command[1] as number);
      this.store(at + 8, command[2] as number, command[3] as number);
      this.#prod = (this.#prod + 1) % 2 ** (commandQueue.log2Entries + 1);
    }
    this.#smmu.writeRegister(REGISTER.CMDQ_PROD, this.#prod);
    this.#smmu.completeCommands(this.#prod);
  }

  /** A register is written. */
  writeRegister(offset: number, low: number, high?: number): void {
    this.#smmu.writeRegister(offset, low, high);
  }

  /** Translation is switched. */
  enable(on: boolean): void {
    this.#smmu.writeRegister(REGISTER.CR0, controlValue(on));
  }

  /** What a read or write may do now; undefined: anything. */
  permitted(streamId: number, address: { low: number; high: number }, part: 'read' | 'write'): Permitted[] | undefined {
    const slot = this.#slots.get(slotKey(streamId, address.low, address.high));
    if (slot === undefined) throw new RangeError('an access that the program does not name');
    const permitted: Permitted[] = [];
    for (const outcome of this.#smmu.outcomesFor(slot, {
      write: part === 'write',
      privileged: false,
      instruction: false,
    })) {
      const one = permittedBy(outcome);
      // Where there is no memory an access leaves no trace: nothing can be required of it.
      if (one === undefined || (one.kind === 'memory' && !this.#memory.present(one.pa))) return undefined;
      permitted.push(one);
    }
    return permitted;
  }
}

const slotKey = (streamId: number, low: number, high: number): string => `${streamId}:${high}:${low}`;

/** What the record of a fault says of stage 2. */
const stage2Of = (record: Lanes | undefined): Pick<Extract<Permitted, { kind: 'fault' }>, 'stage2'> => {
  if (record === undefined) return {};
  const { S2, CLASS, FetchAddr } = decode(EVENT_RECORD, record);
  return S2 === 0 ? {} : { stage2: { class: CLASS, ipa: FetchAddr - (FetchAddr % pageBytes) } };
};

const permittedBy = (result: AccessResult): Permitted | undefined => {
  switch (result.kind) {
    case 'translation':
    case 'bypass':
      return { kind: 'memory', pa: result.pa + accessOffset };
    case 'fault':
      return {
        kind: 'fault',
        event: result.event,
        recorded: result.record !== undefined,
        fetchAddress: result.fetchAddress,
        ...stage2Of(result.record),
      };
    case 'abort':
      return { kind: 'abort' };
    case 'unpredictable':
      return undefined;
  }
};
