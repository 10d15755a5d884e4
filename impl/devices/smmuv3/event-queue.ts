import { EVENTQ_INDEX, REGISTER } from '../../../model/architecture/arm/layout/register.ts';
import { ERROR_BIT, type Registers } from './registers.ts';
import type { DeviceMemory } from './request.ts';

const OVERFLOW = 1 << EVENTQ_INDEX.fields.OVERFLOW.lsb;

/** The event queue in memory (IHI 0070 §3.5, §7.2, §7.4). */
export class EventQueue {
  readonly #memory: DeviceMemory;
  readonly #registers: Registers;
  /** Records of stalled transactions that found the queue not writable: these are never dropped (§7.2.1). */
  readonly #waiting: Int32Array[] = [];

  constructor(memory: DeviceMemory, registers: Registers) {
    this.#memory = memory;
    this.#registers = registers;
  }

  /**
   * Puts a record into the queue if the queue is writable.
   *
   * @param record eight lanes.
   * @param stalled the transaction waits for software, so its record must not be lost.
   */
  record(record: Int32Array, stalled: boolean): void {
    if (this.#write(record, stalled)) return;
    if (stalled) this.#waiting.push(record.slice());
  }

  /** The queue may have become writable: writes the records of stalled transactions that wait for it. */
  flush(): void {
    while (this.#waiting.length > 0 && this.#write(this.#waiting[0] as Int32Array, true)) this.#waiting.shift();
  }

  /** Drops the records that wait. */
  clear(): void {
    this.#waiting.length = 0;
  }

  /** @returns false if the queue is not writable; the loss of a record that is not kept is noted (§7.4). */
  #write(record: Int32Array, kept: boolean): boolean {
    const registers = this.#registers;
    if (!registers.eventQueueEnabled || registers.errorActive(ERROR_BIT.EVENT_QUEUE_ABORT)) return false;
    const { base, entries, mask } = registers.eventQueue;
    const prod = registers.read(REGISTER.EVENTQ_PROD);
    const cons = registers.read(REGISTER.EVENTQ_CONS);
    if (this.isFull(prod & mask, cons & mask, entries)) {
      if (!kept) this.#overflow(prod, cons);
      return false;
    }
    const at = base + 32 * (prod & (entries - 1));
    if (!this.#memory.present(at)) {
      // The abort is synchronous: the index stays (§7.2.2).
      registers.raiseError(ERROR_BIT.EVENT_QUEUE_ABORT);
      return false;
    }
    for (let word = 0; word < 4; word++)
      this.#memory.writeWord(at + 8 * word, record[2 * word] as number, record[2 * word + 1] as number);
    registers.set(REGISTER.EVENTQ_PROD, (prod & OVERFLOW) | ((prod + 1) & mask));
    return true;
  }

  /** Whether all entries are taken, given both indices with their wrap bits (§3.5.1). */
  protected isFull(prod: number, cons: number, entries: number): boolean {
    return (prod ^ cons) === entries;
  }

  /** Toggles OVFLG unless an overflow is noted that software has not acknowledged. */
  #overflow(prod: number, cons: number): void {
    if (((prod ^ cons) & OVERFLOW) === 0) this.#registers.set(REGISTER.EVENTQ_PROD, prod ^ OVERFLOW);
  }
}
