import type { SmmuPort } from '../../impl/platform/index.ts';
import type { PhysicalMemory } from '../../impl/platform/index.ts';
import {
  COMMAND,
  COMMAND_TLBI,
  OPCODE,
  QUEUE_BASE,
  read,
  REGISTER,
} from '../../model/architecture/arm/layout/index.ts';

const COMMAND_BYTES = 16;

/** A TLB invalidation command, as far as it matters on whose behalf it is. */
export interface TlbCommand {
  readonly vmid: number;
  /** It is for stage 2, or both; else for stage 1 of the VMID. */
  readonly stage2: boolean;
}

/**
 * A port that tells of TLB invalidation commands, before the SMMU begins with them: the first of each list that is given to
 * it at once, which is for the same as the others.
 */
export class TlbCommands implements SmmuPort {
  readonly #port: SmmuPort;
  readonly #memory: PhysicalMemory;
  readonly #tell: (command: TlbCommand) => void;
  #base: readonly number[] = [0, 0];

  constructor(port: SmmuPort, memory: PhysicalMemory, tell: (command: TlbCommand) => void) {
    this.#port = port;
    this.#memory = memory;
    this.#tell = tell;
  }

  writeRegister(offset: number, low: number, high?: number): void {
    if (offset === REGISTER.CMDQ_BASE) this.#base = [low, high ?? 0];
    if (offset === REGISTER.CMDQ_PROD) this.#look(this.#port.readRegister(REGISTER.CMDQ_PROD), low);
    this.#port.writeRegister(offset, low, high);
  }

  readRegister(offset: number): number {
    return this.#port.readRegister(offset);
  }

  completeCommands(prod: number): void {
    this.#port.completeCommands(prod);
  }

  #look(from: number, to: number): void {
    const size = 2 ** read(QUEUE_BASE.fields.LOG2SIZE, this.#base);
    const address = read(QUEUE_BASE.fields.ADDR, this.#base);
    // Indexes have a wrap bit above them.
    const count = (((to - from) % (2 * size)) + 2 * size) % (2 * size);
    for (let at = 0; at < count; at++) {
      const lanes = this.#memory.readWords(address + ((from + at) % size) * COMMAND_BYTES, 2);
      const opcode = read(COMMAND.fields.Opcode, lanes);
      if (opcode < OPCODE.TLBI_NH_ALL || opcode > OPCODE.TLBI_NSNH_ALL) continue;
      const stage2 = opcode === OPCODE.TLBI_S2_IPA || opcode === OPCODE.TLBI_S12_VMALL;
      this.#tell({ vmid: read(COMMAND_TLBI.fields.VMID, lanes), stage2 });
      return;
    }
  }
}
