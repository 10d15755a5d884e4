import type { PhysicalMemory, SmmuPort } from '../../impl/platform/index.ts';
import { COMMAND, OPCODE, QUEUE_BASE, read, REGISTER } from '../../model/architecture/arm/layout/index.ts';

/** Commands that an SMMU was given, by what they are for. */
export interface CommandCounts {
  /** CMD_TLBI_*. */
  readonly tlbi: number;
  /** CMD_SYNC. */
  readonly sync: number;
  /** CMD_ATC_INV. */
  readonly atc: number;
  /** CMD_CFGI_*. */
  readonly cfgi: number;
}

const NOTHING: CommandCounts = { tlbi: 0, sync: 0, atc: 0, cfgi: 0 };
const COMMAND_BYTES = 16;

/**
 * A port that counts the commands which software gives to the SMMU, as they lie in the queue. The counts are no part of
 * the state: steps must not be memoised where they are wanted.
 */
export class CommandCounter implements SmmuPort {
  readonly #port: SmmuPort;
  readonly #memory: PhysicalMemory;
  #base: readonly number[] = [0, 0];
  #counts: { -readonly [kind in keyof CommandCounts]: number } = { ...NOTHING };

  constructor(port: SmmuPort, memory: PhysicalMemory) {
    this.#port = port;
    this.#memory = memory;
  }

  /** What was counted since the last `reset`. */
  get counts(): CommandCounts {
    return { ...this.#counts };
  }

  /** Counting starts anew. */
  reset(): void {
    this.#counts = { ...NOTHING };
  }

  writeRegister(offset: number, low: number, high?: number): void {
    if (offset === REGISTER.CMDQ_BASE) this.#base = [low, high ?? 0];
    if (offset === REGISTER.CMDQ_PROD) this.#count(this.#port.readRegister(REGISTER.CMDQ_PROD), low);
    this.#port.writeRegister(offset, low, high);
  }

  readRegister(offset: number): number {
    return this.#port.readRegister(offset);
  }

  completeCommands(prod: number): void {
    this.#port.completeCommands(prod);
  }

  #count(from: number, to: number): void {
    const size = 2 ** read(QUEUE_BASE.fields.LOG2SIZE, this.#base);
    const address = read(QUEUE_BASE.fields.ADDR, this.#base);
    // Indexes have a wrap bit above them.
    const count = (((to - from) % (2 * size)) + 2 * size) % (2 * size);
    for (let at = 0; at < count; at++) {
      const pa = address + ((from + at) % size) * COMMAND_BYTES;
      const kind = kindOf(read(COMMAND.fields.Opcode, [this.#memory.low(pa)]));
      if (kind !== undefined) this.#counts[kind]++;
    }
  }
}

function kindOf(opcode: number): keyof CommandCounts | undefined {
  if (opcode >= OPCODE.CFGI_STE && opcode <= OPCODE.CFGI_CD_ALL) return 'cfgi';
  if (opcode >= OPCODE.TLBI_NH_ALL && opcode <= OPCODE.TLBI_NSNH_ALL) return 'tlbi';
  if (opcode === OPCODE.ATC_INV) return 'atc';
  return opcode === OPCODE.SYNC ? 'sync' : undefined;
}
