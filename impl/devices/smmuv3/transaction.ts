import { EVENT } from '../../../model/architecture/arm/layout/event.ts';
import { complete, GRANT, granted, isDenial, maskOf } from './ats/completion.ts';
import type { DecodedConfigs } from './configuration/decoded-configs.ts';
import { ABORT_AND_RECORD, refusal, type StreamConfig } from './configuration/stream-config.ts';
import { writeEventRecord, type Recorded } from './event-record.ts';
import { configurationFault, emptyFault, stageOneFault, type Fault } from './fault.ts';
import type { DeviceParts, StepNote } from './parts.ts';
import { emptyAnswer, type DeviceAnswer, type DeviceRequest, type RequestKind } from './request.ts';

/** What a transaction needs of the device around it. */
export interface TransactionHost {
  readonly parts: DeviceParts;
  readonly decoded: DecodedConfigs;
  /** Grows with all that makes what a walk has read so far void: invalidations, and changes of registers. */
  readonly epoch: number;
  /** Grows with what makes decoded configurations void. */
  readonly configEpoch: number;
  /** Puts an event record forward. */
  record(record: Int32Array, stalled: boolean): void;
  /** The translation stalls. @returns its stall tag. */
  stall(transaction: Transaction): number;
}

/** Values of STE.EATS that allow ATS (IHI 0070 §5.2). */
export const EATS = { FULL: 1, SPLIT: 2 } as const;

/** A transaction, and the ways in which it may end. How it comes to its end is what `Translation` adds. */
export abstract class Transaction implements Recorded {
  done = true;
  readonly answer: DeviceAnswer = emptyAnswer();
  streamId = 0;
  substream = -1;
  low = 0;
  high = 0;
  write = false;
  /** Privilege and kind of access, after the overrides of the STE once that is known. */
  privileged = false;
  instruction = false;
  kind: RequestKind = 'untranslated';
  protected readonly host: TransactionHost;
  protected readonly parts: DeviceParts;
  protected config: StreamConfig = refusal(0);
  protected readonly note: StepNote = { action: '', address: -1 };
  /** As they came with the request. */
  protected requestedPrivileged = false;
  protected requestedInstruction = false;
  readonly #fault = emptyFault();
  readonly #record = new Int32Array(8);

  constructor(host: TransactionHost) {
    this.host = host;
    this.parts = host.parts;
  }

  /** The request, as it came. */
  request(): DeviceRequest {
    const { streamId, substream, low, high, write, kind } = this;
    const attributes = { privileged: this.requestedPrivileged, instruction: this.requestedInstruction };
    return { streamId, substream, low, high, write, ...attributes, kind };
  }

  /** What the last step did, in words. */
  get label(): string {
    const { action, address } = this.note;
    return address < 0 ? action : `${action} 0x${address.toString(16)}`;
  }

  protected tell(action: string, address: number): void {
    this.note.action = action;
    this.note.address = address;
  }

  /** Takes over a request. */
  protected accept(request: DeviceRequest): void {
    const { streamId, substream, low, high, write, privileged, instruction, kind } = request;
    this.streamId = streamId | 0;
    this.substream = substream;
    this.low = low | 0;
    this.high = high | 0;
    this.write = write;
    // A Translation Request may ask for writes and execution both; both need a PASID to be more than data (§13.7).
    const ats = kind === 'ats';
    this.requestedPrivileged = privileged && !(ats && substream < 0);
    this.requestedInstruction = ats ? instruction && substream >= 0 : instruction && !write;
    this.kind = kind;
  }

  /** STE.EATS as it counts: split-stage ATS needs CR0.ATSCHK, and 3 is reserved without DPT (§5.2, EATS). */
  protected effectiveEats(): number {
    const { eats } = this.config;
    if (eats === EATS.SPLIT) return this.parts.registers.atsCheck ? EATS.SPLIT : 0;
    return eats === EATS.FULL ? EATS.FULL : 0;
  }

  protected unsupported(recorded: boolean): void {
    configurationFault(this.#fault, EVENT.F_BAD_ATS_TREQ);
    if (recorded) this.writeRecord(this.#fault, -1);
    this.answer.kind = 'unsupported';
    this.answer.event = recorded ? EVENT.F_BAD_ATS_TREQ : 0;
    this.answer.recorded = recorded;
    this.finish();
  }

  protected deny(): void {
    this.completeAts(0, 0, this.smallestUnit());
  }

  protected completeAts(bits: number, address: number, sizeLog2: number): void {
    const { answer } = this;
    const request = { execute: false, privileged: this.requestedPrivileged, effectivePrivileged: this.privileged };
    answer.kind = 'completion';
    complete(answer.completion, request, bits, address, sizeLog2);
    this.finish();
  }

  /** Bits of `GRANT`. */
  protected grantedBits(permissions: number, mask: number): number {
    const request = {
      execute: this.requestedInstruction,
      privileged: this.requestedPrivileged,
      effectivePrivileged: this.privileged,
    };
    return granted(request, this.config.instcfg, permissions, mask);
  }

  /** The smallest translation unit of ATS as log2 of bytes: the smallest granule (§3.9.1). */
  protected smallestUnit(): number {
    return Math.min(...this.parts.features.granules);
  }

  protected succeed(pa: number, permissions: number, attributes: number, shift: number): void {
    if (this.kind === 'ats') return this.completeAts(this.grantedBits(permissions, maskOf(this.config)), pa, shift);
    const { answer } = this;
    answer.pa = pa;
    answer.attributes = attributes & 0xff;
    answer.stage2Attributes = attributes >>> 8;
    answer.kind = 'memory';
    this.finish();
  }

  /** The address goes through as it is. */
  protected pass(address: number): void {
    if (this.kind === 'ats') return this.completeAts(GRANT.READ | GRANT.WRITE, address, this.smallestUnit());
    this.succeed(address, 0, 0, 12);
  }

  protected abort(): void {
    this.answer.kind = this.kind === 'ats' ? 'completer-abort' : 'abort';
    this.answer.recorded = false;
    this.answer.aborted = true;
    this.finish();
  }

  /** An error of the configuration. */
  protected refuse(event: number): void {
    configurationFault(this.#fault, event);
    this.end(this.#fault);
  }

  /** A fault of stage 1. */
  protected fail(event: number): void {
    const control = this.config.stage1 && this.kind !== 'translated' ? this.config.faults : ABORT_AND_RECORD;
    stageOneFault(this.#fault, event, control);
    this.end(this.#fault);
  }

  /** Ends with a fault, in the way that A, R and S (S2R, S2S) ask for (§5.5). */
  protected end(fault: Fault): void {
    if (this.kind === 'ats') {
      return isDenial(fault.event) ? this.deny() : this.abort();
    }
    // For translated transactions no errors of configuration are recorded (§3.9.1.3).
    if (this.kind === 'translated' && this.isSilentForTranslated(fault.event)) return this.abort();
    const { answer } = this;
    const { abort, record, stall } = fault.control;
    answer.event = fault.event;
    answer.recorded = record || stall;
    answer.aborted = abort && !stall;
    answer.kind = stall ? 'stalled' : 'fault';
    if (stall) answer.stag = this.host.stall(this);
    if (answer.recorded) this.writeRecord(fault, stall ? answer.stag : -1);
    this.finish();
  }

  protected isSilentForTranslated(event: number): boolean {
    return event < EVENT.F_WALK_EABT && event !== EVENT.F_TRANSL_FORBIDDEN;
  }

  protected writeRecord(fault: Fault, stag: number): void {
    writeEventRecord(this.#record, fault, this, stag);
    this.host.record(this.#record, stag >= 0);
  }

  protected finish(): void {
    this.done = true;
  }

  protected address(): number {
    return (this.high >>> 0) * 2 ** 32 + (this.low >>> 0);
  }
}
