import type { Store } from '../../../../engine/store.ts';
import type { SmmuFeatures } from '../layout/features.ts';
import { decodeCommand, type Command } from './invalidation.ts';
import { extract } from '../layout/layout.ts';
import { CMDQ_CONS, GERROR, QUEUE_BASE, REGISTER } from '../layout/register.ts';
import type { PhysicalMemory } from '../memory.ts';
import type { PendingCommands } from './pending.ts';
import { consistentIndexes, indexMask, queueLog2 } from './queue-index.ts';
import type { Registers } from '../registers.ts';
import { alignDown } from '../configuration/stream-entry.ts';

/** Values of CMDQ_CONS.ERR (IHI 0070 §7.1). */
export const COMMAND_ERROR = { NONE: 0, ILLEGAL: 1, ABORT: 2, ATC_INV_SYNC: 3 } as const;

/** What the queue is made of. */
export interface CommandQueueParts {
  readonly store: Store;
  readonly features: SmmuFeatures;
  readonly registers: Registers;
  readonly memory: PhysicalMemory;
  readonly pending: PendingCommands;
  /**
   * Whether a CMD_ATC_INV since the last CMD_SYNC has not been answered by its endpoint; forgets it, since the next
   * CMD_SYNC need not report it again (§3.9.1.4).
   */
  readonly takeTimeout: () => boolean;
}

/**
 * The command queue: which commands may have been begun. All commands up to CMDQ_PROD are begun when PROD is written,
 * because the worst hardware reads them at once; they complete as late as software can notice (§4.1.4).
 */
export class CommandQueue {
  readonly #parts: CommandQueueParts;
  /** Index, with wrap bit, of the next command to begin. */
  readonly #next: number;
  readonly #decoded: { readonly lanes: readonly number[]; readonly e2h: boolean; readonly command: Command }[] = [];

  constructor(parts: CommandQueueParts) {
    this.#parts = parts;
    this.#next = parts.store.reserve(1, 'next command');
  }

  /** The queue has been set up or enabled: it goes on at CMDQ_CONS. */
  restart(): void {
    this.#setNext(this.#cons());
  }

  /**
   * The queue has been disabled: the commands in progress have been consumed, which CMDQ_CONS shows, but need not have
   * completed (§6.3.9.3). The worst hardware had begun them all.
   */
  stop(): void {
    const { registers } = this.#parts;
    registers.set(REGISTER.CMDQ_CONS, (registers.read(REGISTER.CMDQ_CONS) & ~this.#mask()) | this.#nextIndex());
  }

  /**
   * Begins the commands that PROD makes available, in order, and stops at one that cannot be processed.
   *
   * @param begin told of each command and its sequence number.
   */
  begin(begin: (command: Command, sequence: number) => void): void {
    const { registers, pending, takeTimeout } = this.#parts;
    if (!registers.commandQueueEnabled || this.#errorActive()) return;
    const mask = this.#mask();
    const prod = registers.read(REGISTER.CMDQ_PROD) & mask;
    // Between inconsistent indexes hardware may read anything; this one reads nothing (§3.5.1).
    if (!consistentIndexes(prod, this.#nextIndex(), this.#log2())) return;
    while (this.#nextIndex() !== prod) {
      const lanes = this.#fetch(this.#nextIndex());
      if (lanes === undefined) return this.#stop(COMMAND_ERROR.ABORT);
      const command = this.#decode(lanes);
      if (command.kind === 'illegal') return this.#stop(COMMAND_ERROR.ILLEGAL);
      if (command.kind === 'sync' && takeTimeout()) return this.#stop(COMMAND_ERROR.ATC_INV_SYNC);
      this.#setNext((this.#nextIndex() + 1) & mask);
      begin(command, pending.push(command));
    }
  }

  /**
   * Software has seen CMDQ_CONS reach an index, which may lie behind what it has seen before.
   *
   * @returns the sequence number before which everything is known to be complete: that behind the last CMD_SYNC consumed.
   */
  complete(index: number): number {
    const { registers, pending } = this.#parts;
    const mask = this.#mask();
    const begun = (this.#nextIndex() - this.#cons()) & mask;
    const wanted = (index - this.#cons()) & mask;
    const consumed = wanted > this.#entries() ? 0 : Math.min(wanted, begun);
    const cons = registers.read(REGISTER.CMDQ_CONS);
    registers.set(REGISTER.CMDQ_CONS, (cons & ~mask) | ((cons + consumed) & mask));
    const end = pending.next - begun + consumed;
    let complete = pending.first;
    for (let sequence = complete; sequence < end; sequence++)
      if (pending.at(sequence).kind === 'sync') complete = sequence + 1;
    return complete;
  }

  /** Lanes of the command at an index; undefined if the fetch is aborted. */
  #fetch(index: number): number[] | undefined {
    const { registers, memory } = this.#parts;
    const entries = this.#entries();
    const base = extract(QUEUE_BASE.fields.ADDR, ...registers.lanes(REGISTER.CMDQ_BASE));
    const pa = alignDown(base, Math.max(32, 16 * entries)) + 16 * (index % entries);
    if (!memory.present(pa)) return undefined;
    return [memory.low(pa), memory.high(pa), memory.low(pa + 8), memory.high(pa + 8)];
  }

  /** Equal lanes give the same object, which `PendingCommands` counts on. */
  #decode(lanes: readonly number[]): Command {
    const { features, registers } = this.#parts;
    const { e2h } = registers;
    for (const known of this.#decoded)
      if (known.e2h === e2h && lanes.every((lane, at) => lane === known.lanes[at])) return known.command;
    const command = decodeCommand(features, lanes, e2h);
    this.#decoded.push({ lanes, e2h, command });
    return command;
  }

  #log2(): number {
    return queueLog2(extract(QUEUE_BASE.fields.LOG2SIZE, this.#parts.registers.read(REGISTER.CMDQ_BASE), 0));
  }

  #entries(): number {
    return 1 << this.#log2();
  }

  #mask(): number {
    return indexMask(this.#log2());
  }

  #cons(): number {
    return this.#parts.registers.read(REGISTER.CMDQ_CONS) & this.#mask();
  }

  #nextIndex(): number {
    return this.#parts.store.get(this.#next);
  }

  #setNext(index: number): void {
    this.#parts.store.set(this.#next, index);
  }

  #errorActive(): boolean {
    const { registers } = this.#parts;
    const difference = registers.read(REGISTER.GERROR) ^ registers.read(REGISTER.GERRORN);
    return extract(GERROR.fields.CMDQ_ERR, difference, 0) === 1;
  }

  /** Consumption stops at a bad command; software repairs it and acknowledges in GERRORN, whatever CMDQEN (§7.1, §6.3.28). */
  #stop(error: number): void {
    const { registers } = this.#parts;
    registers.set(REGISTER.CMDQ_CONS, this.#nextIndex() | (error << CMDQ_CONS.fields.ERR.lsb));
    registers.set(REGISTER.GERROR, registers.read(REGISTER.GERROR) ^ 1);
  }
}
