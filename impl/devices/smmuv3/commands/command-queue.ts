import { CMDQ_CONS, REGISTER } from '../../../../model/architecture/arm/layout/register.ts';
import type { DeviceParts } from '../parts.ts';
import { ERROR_BIT } from '../registers.ts';
import type { CommandProcessor } from './command.ts';

/** Values of CMDQ_CONS.ERR (IHI 0070 §7.1). */
export const COMMAND_ERROR = { NONE: 0, ILLEGAL: 1, ABORT: 2, ATC_INV_SYNC: 3 } as const;

/** The command queue in memory (§3.5, §4.1, §7.1). */
export class CommandQueue {
  readonly #parts: DeviceParts;
  readonly #processor: CommandProcessor;
  readonly #lanes = new Int32Array(4);

  constructor(parts: DeviceParts, processor: CommandProcessor) {
    this.#parts = parts;
    this.#processor = processor;
  }

  /**
   * Fetches and carries out the next command, if there is one and the queue is enabled and without error.
   *
   * @returns whether there was one; it may have raised an error.
   */
  processOne(): boolean {
    const { registers, memory } = this.#parts;
    if (!registers.commandQueueEnabled || registers.errorActive(ERROR_BIT.COMMAND_QUEUE)) return false;
    const { base, entries, mask } = registers.commandQueue;
    const cons = registers.read(REGISTER.CMDQ_CONS);
    const index = cons & mask;
    if (index === (registers.read(REGISTER.CMDQ_PROD) & mask)) return false;
    const at = base + 16 * (index & (entries - 1));
    if (!memory.present(at)) return this.#stop(cons, COMMAND_ERROR.ABORT);
    const lanes = this.#lanes;
    lanes[0] = memory.low(at);
    lanes[1] = memory.high(at);
    lanes[2] = memory.low(at + 8);
    lanes[3] = memory.high(at + 8);
    if (!this.#processor.execute(lanes)) return this.#stop(cons, COMMAND_ERROR.ILLEGAL);
    registers.set(REGISTER.CMDQ_CONS, (cons & ~CONS_INDEX) | ((index + 1) & mask));
    return true;
  }

  /** Consumption stops at the command; the error code is there before the error is (§7.1). */
  #stop(cons: number, error: number): boolean {
    const { registers } = this.#parts;
    registers.set(REGISTER.CMDQ_CONS, (cons & CONS_INDEX) | (error << CMDQ_CONS.fields.ERR.lsb));
    registers.raiseError(ERROR_BIT.COMMAND_QUEUE);
    return true;
  }
}

const CONS_INDEX = 2 ** CMDQ_CONS.fields.RD.width - 1;
