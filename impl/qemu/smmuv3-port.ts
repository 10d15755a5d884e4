/**
 * The programming interface of an SMMUv3 in a running QEMU: registers, command queue, event queue.
 *
 * Queues live in the shared RAM file. A command costs one write to that file and, once for a batch, one write of
 * CMDQ_PROD; event records are found by looking at the next slot, without reading EVENTQ_PROD.
 */
import { CMDQ_CONS, EVENT_RECORD, QUEUE_BASE, REGISTER } from '../../model/architecture/arm/layout/index.ts';
import { decode, encode, extract } from '../../model/architecture/arm/layout/index.ts';
import type { FieldName, Lanes } from '../../model/architecture/arm/layout/index.ts';
import type { QtestClient } from './qtest.ts';
import type { GuestRam } from './ram.ts';

/** A queue in memory: address (aligned to its size) and log2 of its number of entries. */
export interface QueuePlace {
  readonly base: number;
  readonly log2Entries: number;
}

/** Fields of an event record (IHI 0070 §7.3). */
export type EventRecord = Record<FieldName<typeof EVENT_RECORD>, number>;

/** What the command queue says after a batch: where consumption stands and CMDQ_CONS.ERR (IHI 0070 §6.3.28). */
export interface CommandResult {
  readonly consumed: boolean;
  /** 0 none, 1 illegal command, 2 abort on fetch. */
  readonly error: number;
}

const commandBytes = 16;
const eventBytes = 32;

/** Registers and queues of one SMMUv3. */
export class SmmuPort {
  readonly #qtest: QtestClient;
  readonly #ram: GuestRam;
  readonly #base: number;
  readonly #commands: QueuePlace;
  readonly #events: QueuePlace;
  readonly #commandLanes = new Int32Array(commandBytes / 4);
  readonly #eventLanes = new Int32Array(eventBytes / 4);
  /** Index of the next entry, with wrap bit. */
  #prod = 0;
  #cons = 0;
  #consWritten = 0;

  constructor(qtest: QtestClient, ram: GuestRam, base: number, commands: QueuePlace, events: QueuePlace) {
    this.#qtest = qtest;
    this.#ram = ram;
    this.#base = base;
    this.#commands = commands;
    this.#events = events;
  }

  /** Writes a register: 64 bits wide if the high lane is given. Queued. */
  writeRegister(offset: number, low: number, high?: number): void {
    if (high === undefined) this.#qtest.writel(this.#base + offset, low);
    else this.#qtest.writeq(this.#base + offset, low, high);
  }

  /** Reads a 32-bit register. */
  readRegister(offset: number): Promise<number> {
    return this.#qtest.readl(this.#base + offset);
  }

  /** Points the SMMU at both queues and empties them; only while the queues are disabled. Queued. */
  resetQueues(): void {
    this.#prod = 0;
    this.resetEvents();
    for (const [place, base, prod, cons] of [
      [this.#commands, REGISTER.CMDQ_BASE, REGISTER.CMDQ_PROD, REGISTER.CMDQ_CONS],
      [this.#events, REGISTER.EVENTQ_BASE, REGISTER.EVENTQ_PROD, REGISTER.EVENTQ_CONS],
    ] as const) {
      const [low, high] = encode(QUEUE_BASE, { ADDR: place.base, LOG2SIZE: place.log2Entries });
      this.writeRegister(base, low as number, high as number);
      this.writeRegister(prod, 0);
      this.writeRegister(cons, 0);
    }
  }

  /** Forgets the event records in memory and goes on at the first entry; the registers are the caller's. */
  resetEvents(): void {
    this.#cons = 0;
    this.#consWritten = 0;
    this.#ram.clear(this.#events.base, eventBytes << this.#events.log2Entries);
  }

  /** Puts a command (four lanes) into the queue; the SMMU sees it at the next `ring`. */
  push(command: Lanes): void {
    const { base, log2Entries } = this.#commands;
    const index = this.#prod & ((1 << log2Entries) - 1);
    this.#commandLanes.set(command);
    this.#ram.write(base + index * commandBytes, this.#commandLanes);
    this.#prod = (this.#prod + 1) & ((2 << log2Entries) - 1);
  }

  /** Announces the commands pushed so far. Queued; QEMU carries them out within the register write. */
  ring(): void {
    this.writeRegister(REGISTER.CMDQ_PROD, this.#prod);
  }

  /** CMDQ_PROD as last announced or about to be. */
  get prod(): number {
    return this.#prod;
  }

  /** Waits for the command queue. CMDQ_CONS.ERR keeps its last value, so it counts only while the queue is stopped. */
  async settle(): Promise<CommandResult> {
    const cons = await this.readRegister(REGISTER.CMDQ_CONS);
    const consumed = extract(CMDQ_CONS.fields.RD, cons, 0) === this.#prod;
    return { consumed, error: consumed ? 0 : extract(CMDQ_CONS.fields.ERR, cons, 0) };
  }

  /**
   * After a command error: replaces the command in error and all behind it by `filler` (as software is told to, IHI 0070
   * §7.1) and acknowledges the error, so that the queue runs on.
   */
  async replaceCommands(filler: Lanes): Promise<void> {
    const end = this.#prod;
    this.#prod = extract(CMDQ_CONS.fields.RD, await this.readRegister(REGISTER.CMDQ_CONS), 0);
    while (this.#prod !== end) this.push(filler);
    this.writeRegister(REGISTER.GERRORN, await this.readRegister(REGISTER.GERROR));
  }

  /** Event records that have arrived since the last call, oldest first. */
  takeEvents(): EventRecord[] {
    const { base, log2Entries } = this.#events;
    const wrap = 1 << log2Entries;
    const found: EventRecord[] = [];
    for (;;) {
      const slot = base + (this.#cons & (wrap - 1)) * eventBytes;
      if ((this.#ram.read32(slot) & 0xff) === 0) break;
      this.#ram.read(slot, this.#eventLanes);
      found.push(decode(EVENT_RECORD, this.#eventLanes));
      this.#ram.clear(slot, eventBytes);
      this.#cons = (this.#cons + 1) & (2 * wrap - 1);
    }
    // The SMMU is told in batches: an update for each event would double the traffic.
    if (((this.#cons - this.#consWritten) & (2 * wrap - 1)) > wrap / 4) {
      this.#consWritten = this.#cons;
      this.writeRegister(REGISTER.EVENTQ_CONS, this.#cons);
    }
    return found;
  }
}
