import { EVENT, EVENT_CLASS } from '../../../model/architecture/arm/layout/event.ts';
import { complete, GRANT, granted, isDenial, maskOf } from './ats/completion.ts';
import { iotlbFill, STAGES, type IotlbFill } from './caches/index.ts';
import { ConfigWalk, STE_ONLY } from './configuration/config-walk.ts';
import type { DecodedConfigs } from './configuration/decoded-configs.ts';
import { ABORT_AND_RECORD, refusal, ROUTE, type StreamConfig } from './configuration/stream-config.ts';
import { writeEventRecord, type Recorded } from './event-record.ts';
import { configurationFault, emptyFault, stageOneFault, type Fault } from './fault.ts';
import type { DeviceParts, StepNote } from './parts.ts';
import { emptyAnswer, type DeviceAnswer, type DeviceRequest, type RequestKind } from './request.ts';
import { PERMIT } from './walks/descriptor.ts';
import { StageOneWalk } from './walks/stage-one-walk.ts';
import { StageTwoWalk } from './walks/stage-two-walk.ts';

/** What a translation needs of the device around it. */
export interface TranslationHost {
  readonly parts: DeviceParts;
  readonly decoded: DecodedConfigs;
  /** Grows with all that makes what a walk has read so far void: invalidations, and changes of registers. */
  readonly epoch: number;
  /** Grows with what makes decoded configurations void. */
  readonly configEpoch: number;
  /** Puts an event record forward. */
  record(record: Int32Array, stalled: boolean): void;
  /** The translation stalls. @returns its stall tag. */
  stall(translation: Translation): number;
}

const STATE = { START: 0, CONFIG: 1, LOOKUP: 2, WALK1: 3, WALK2: 4, KEEP: 5, DONE: 6 } as const;

/**
 * One translation as a state machine: `run` makes all its steps, `step` makes one memory access or one action of a cache.
 * The order of its checks is that of the events in IHI 0070 §7.3.22.
 */
export class Translation implements Recorded {
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
  protected readonly host: TranslationHost;
  protected readonly parts: DeviceParts;
  protected epoch = 0;
  protected config: StreamConfig = refusal(0);
  readonly #note: StepNote = { action: '', address: -1 };
  readonly #stageTwo: StageTwoWalk;
  readonly #stageOne: StageOneWalk;
  readonly #configWalk: ConfigWalk;
  readonly #fault = emptyFault();
  readonly #record = new Int32Array(8);
  readonly #fill: IotlbFill = iotlbFill();
  #state: number = STATE.DONE;
  /** As they came with the request. */
  #privileged = false;
  #instruction = false;
  /** The high lane without an ignored tag. */
  #canonicalHigh = 0;
  #needed = 0;

  constructor(host: TranslationHost) {
    this.host = host;
    this.parts = host.parts;
    this.#stageTwo = new StageTwoWalk(this.parts, this.#note);
    this.#stageOne = new StageOneWalk(this.parts, this.#stageTwo, this.#note);
    this.#configWalk = new ConfigWalk(this.parts, this.#stageTwo, this.#note, emptyFault());
  }

  /** Begins a request; the request object may be used again at once. */
  begin(request: DeviceRequest): void {
    const { streamId, substream, low, high, write, privileged, instruction, kind } = request;
    this.streamId = streamId | 0;
    this.substream = substream;
    this.low = low | 0;
    this.high = high | 0;
    this.write = write;
    // A Translation Request may ask for writes and execution both; both need a PASID to be more than data (§13.7).
    const ats = kind === 'ats';
    this.#privileged = privileged && !(ats && substream < 0);
    this.#instruction = ats ? instruction && substream >= 0 : instruction && !write;
    this.kind = kind;
    this.restart();
  }

  /** The request, as it came. */
  request(): DeviceRequest {
    const { streamId, substream, low, high, write, kind } = this;
    const attributes = { privileged: this.#privileged, instruction: this.#instruction };
    return { streamId, substream, low, high, write, ...attributes, kind };
  }

  /** Begins the same request anew. */
  restart(): void {
    this.done = false;
    this.epoch = this.host.epoch;
    this.privileged = this.#privileged;
    this.instruction = this.#instruction;
    this.#state = STATE.START;
  }

  /** Makes all steps that are left. */
  run(): DeviceAnswer {
    while (!this.done) this.#advance();
    return this.answer;
  }

  /** Makes one step. A walk that an invalidation has overtaken begins anew: what it has read may be stale (§4.4). */
  step(): void {
    if (this.done) return;
    if (this.isStale()) {
      this.restart();
      this.tell('begins anew', -1);
    } else this.#advance();
  }

  /** What the last step did, in words. */
  get label(): string {
    const { action, address } = this.#note;
    return address < 0 ? action : `${action} 0x${address.toString(16)}`;
  }

  /** Whether an invalidation or a change of registers came after the begin. */
  protected isStale(): boolean {
    return this.epoch !== this.host.epoch;
  }

  protected tell(action: string, address: number): void {
    this.#note.action = action;
    this.#note.address = address;
  }

  #advance(): void {
    switch (this.#state) {
      case STATE.START:
        return this.#start();
      case STATE.CONFIG:
        return this.#configure();
      case STATE.LOOKUP:
        return this.#lookup();
      case STATE.WALK1:
        return this.#walkStageOne();
      case STATE.WALK2:
        return this.#walkStageTwo();
      default:
        return this.#keep();
    }
  }

  #start(): void {
    const { registers } = this.parts;
    if (!registers.enabled) return this.#disabled();
    let substream = this.substream;
    if (this.kind === 'translated') {
      if (!registers.atsCheck) return this.#passTranslated();
      // Without SMMU_IDR3.PASIDTT a translated transaction counts as one without SubstreamID, privilege or execution.
      substream = STE_ONLY;
      this.substream = -1;
      this.privileged = false;
      this.instruction = false;
    }
    const slot = this.host.decoded.find(this.streamId, substream, this.host.configEpoch);
    if (slot >= 0) {
      this.tell('configuration hit', -1);
      this.config = this.host.decoded.at(slot);
      return this.#route();
    }
    this.tell('configuration miss', -1);
    this.#configWalk.begin(this.streamId, substream);
    this.#state = STATE.CONFIG;
  }

  /** CR0.SMMUEN is 0 (§3.4, §3.9.1.2, §3.9.1.3). */
  #disabled(): void {
    this.tell('disabled', -1);
    if (this.kind === 'translated') return this.#refuse(EVENT.F_TRANSL_FORBIDDEN);
    if (this.kind === 'ats') return this.#unsupported(true);
    if (this.parts.registers.globalAbort || this.#address() >= 2 ** this.parts.features.oas) return this.#abort();
    this.#pass(this.#address());
  }

  #configure(): void {
    const walk = this.#configWalk;
    const { configEpoch } = this.host;
    walk.step();
    if (!walk.done) return;
    const { entry } = walk;
    if (walk.failed) {
      if (entry === undefined) return this.#refuseStream(walk.fault);
      const { privcfg, instcfg, eats, config } = entry;
      this.config = refusal(walk.fault.event, { privcfg, instcfg, eats, steConfig: config });
      this.#override();
      if (this.kind === 'ats' && this.#refusesAts()) return;
      return this.#end(walk.fault);
    }
    this.config = walk.config;
    const substream = this.kind === 'translated' ? STE_ONLY : this.substream;
    this.host.decoded.keep(this.streamId, substream, configEpoch, walk.config);
    this.#route();
  }

  /** No STE was found. C_BAD_STREAMID is recorded only if CR2.RECINVSID says so (§7.3.3). */
  #refuseStream(fault: Fault): void {
    if (fault.event === EVENT.C_BAD_STREAMID && !this.parts.registers.recordBadStreamId && this.kind !== 'ats')
      return this.#abort();
    this.#end(fault);
  }

  /** Where the configuration sends the transaction. */
  #route(): void {
    const { config } = this;
    if (this.kind === 'ats' && this.#refusesAts()) return;
    if (this.kind === 'translated') return this.#checkTranslated();
    switch (config.route) {
      case ROUTE.TRANSLATE:
        this.#override();
        return this.#beginLookup();
      case ROUTE.BYPASS:
        return this.#bypass();
      case ROUTE.REFUSE:
        return this.#refuse(config.event);
      default:
        return this.#abort();
    }
  }

  /** Applies STE.PRIVCFG and INSTCFG, and finds which permissions the access needs (§5.2, §13.1.2). */
  #override(): void {
    const { privcfg, instcfg, stage1, stageTwo } = this.config;
    if (privcfg >= 2) this.privileged = privcfg === 3;
    if (instcfg >= 2) this.instruction = instcfg === 3 && !this.write;
    const { privileged, instruction, write } = this;
    let needed = 0;
    if (stage1)
      if (privileged) needed = write ? PERMIT.PW : instruction ? PERMIT.PX : PERMIT.PR;
      else needed = write ? PERMIT.UW : instruction ? PERMIT.UX : PERMIT.UR;
    if (stageTwo !== undefined)
      needed |= write ? PERMIT.S2W : instruction ? (privileged ? PERMIT.S2PX : PERMIT.S2UX) : PERMIT.S2R;
    this.#needed = needed;
  }

  /** Stages are bypassed: the address must be one that can be put out (§3.4). */
  #bypass(): void {
    const address = this.#address();
    if (address >= 2 ** this.parts.features.oas) return this.#fail(EVENT.F_ADDR_SIZE);
    this.#pass(address);
  }

  #beginLookup(): void {
    if (this.config.stage1) {
      this.#state = STATE.LOOKUP;
      return;
    }
    const address = this.#address();
    // What bypasses stage 1 is held to the size of IPAs, which is that of outputs (§3.4).
    if (address >= 2 ** this.parts.features.oas) return this.#fail(EVENT.F_ADDR_SIZE);
    this.#beginStageTwo(address);
  }

  /** The TLB, by VA. Completions of split-stage ATS need the IPA, which a combined entry does not have. */
  #lookup(): void {
    const { iotlb } = this.parts;
    const { config } = this;
    const { world, vmid, asid, aset } = config;
    this.#canonicalHigh = canonicalHigh(this.high, config);
    const stages = config.stageTwo === undefined ? STAGES.STAGE1 : STAGES.COMBINED;
    const entry = iotlb.lookup(world, vmid, asid, aset, this.low, this.#canonicalHigh);
    if (entry >= 0 && this.isUsable(entry, stages)) {
      const permissions = iotlb.permissions(entry);
      const missing = this.kind === 'ats' ? 0 : this.#needed & ~permissions;
      if (missing === 0) {
        this.tell('TLB hit', -1);
        const attributes = iotlb.attributes(entry);
        const pa = iotlb.output(entry, this.low, this.#canonicalHigh);
        return this.#succeed(pa, permissions, attributes, iotlb.shift(entry));
      }
      if ((missing & PERMIT.STAGE1_ALL) !== 0) {
        this.tell('TLB hit', -1);
        return this.#fail(EVENT.F_PERMISSION);
      }
      // The record of a fault of stage 2 names the IPA: the walk is made again to find it.
    }
    this.tell('TLB miss', -1);
    this.#stageOne.begin(config, this.low, this.#canonicalHigh);
    this.#state = STATE.WALK1;
  }

  /**
   * Whether an entry that was found is of the stages that the STE has on: STE.Config is no part of a TLB entry, so it
   * may change without an invalidation of TLBs (§5.2.1).
   */
  protected isUsable(entry: number, stages: number): boolean {
    if (this.kind === 'ats' && this.config.eats === SPLIT) return false;
    return this.parts.iotlb.stages(entry) === stages;
  }

  #walkStageOne(): void {
    const walk = this.#stageOne;
    walk.step();
    if (!walk.done) return;
    if (walk.failed) return this.#end(walk.fault);
    if (this.config.stageTwo === undefined) {
      this.#state = STATE.KEEP;
      return;
    }
    if (this.kind === 'ats') {
      // Stage 2 is not looked at if stage 1 grants nothing (§3.9.1.2).
      if (this.#granted(walk.permissions, PERMIT.STAGE1_ALL) === 0) return this.#deny();
    } else if ((this.#needed & PERMIT.STAGE1_ALL & ~walk.permissions) !== 0) return this.#fail(EVENT.F_PERMISSION);
    this.#beginStageTwo(walk.output);
  }

  #beginStageTwo(ipa: number): void {
    const { stageTwo, vmid } = this.config;
    if (stageTwo === undefined) throw new Error('stage 2 is not on');
    const needed = this.kind === 'ats' ? 0 : this.#needed & PERMIT.STAGE2_ALL;
    this.#stageTwo.begin(stageTwo, vmid, ipa, EVENT_CLASS.INPUT, needed);
    this.#state = STATE.WALK2;
  }

  #walkStageTwo(): void {
    const walk = this.#stageTwo;
    walk.step();
    if (!walk.done) return;
    if (walk.failed) return this.#end(walk.fault);
    if (this.config.stage1 && this.kind !== 'translated') {
      this.#state = STATE.KEEP;
      return;
    }
    this.#succeed(walk.pa, walk.permissions, walk.attributes << 8, walk.shift);
  }

  /** Holds what the walks have found: of stage 1, or of both stages. */
  #keep(): void {
    const { config } = this;
    const first = this.#stageOne;
    const second = this.#stageTwo;
    const combined = config.stageTwo !== undefined;
    const shift = combined ? this.combinedShift(first.shift, second.shift) : first.shift;
    const pa = combined ? second.pa : first.output;
    const permissions = combined ? first.permissions | second.permissions : first.permissions;
    const attributes = combined ? first.attributes | (second.attributes << 8) : first.attributes;
    const fill = this.#fill;
    fill.world = config.world;
    fill.vmid = config.vmid;
    fill.asid = config.asid;
    fill.aset = config.aset;
    fill.global = first.global;
    fill.stages = combined ? STAGES.COMBINED : STAGES.STAGE1;
    fill.addressLow = this.low;
    fill.addressHigh = this.#canonicalHigh;
    fill.shift = shift;
    fill.sourceShift = first.shift;
    fill.outputLow = (pa % 2 ** 32) | 0;
    fill.outputHigh = Math.floor(pa / 2 ** 32);
    fill.permissions = permissions;
    fill.attributes = attributes;
    fill.level = first.level;
    fill.granule = first.granule;
    this.parts.iotlb.insert(fill);
    this.tell('TLB fill', pa);
    if (this.kind !== 'ats' && (this.#needed & ~permissions) !== 0) return this.#fail(EVENT.F_PERMISSION);
    this.#succeed(this.kind === 'ats' && config.eats === SPLIT ? first.output : pa, permissions, attributes, shift);
  }

  /** log2 of the size of an entry of both stages: what both say one thing about. */
  protected combinedShift(first: number, second: number): number {
    return Math.min(first, second);
  }

  /** A translated transaction is not checked (CR0.ATSCHK is 0, or full ATS): only its size is (§3.9.1.1). */
  #passTranslated(): void {
    if (this.#address() >= 2 ** this.parts.features.oas) return this.#abort();
    this.#pass(this.#address());
  }

  /** A translated transaction and its STE (§3.9.1.3). */
  #checkTranslated(): void {
    const { config } = this;
    // Errors of the configuration, and streams that are switched off, abort silently.
    if (config.route === ROUTE.REFUSE || config.route === ROUTE.ABORT) return this.#abort();
    const eats = this.#effectiveEats();
    if (eats === 0) return this.#refuse(EVENT.F_TRANSL_FORBIDDEN);
    if (eats === FULL) return this.#passTranslated();
    this.#override();
    if (this.#address() >= 2 ** this.parts.features.oas) return this.#fail(EVENT.F_ADDR_SIZE);
    this.#beginStageTwo(this.#address());
  }

  /** STE.EATS as it counts: split-stage ATS needs CR0.ATSCHK, and 3 is reserved without DPT (§5.2, EATS). */
  #effectiveEats(): number {
    const { eats } = this.config;
    if (eats === SPLIT) return this.parts.registers.atsCheck ? SPLIT : 0;
    return eats === FULL ? FULL : 0;
  }

  /** Ends a Translation Request that the STE does not allow (§3.9.1.2). */
  #refusesAts(): boolean {
    const { steConfig, route, event } = this.config;
    // An invalid STE is a configuration error, which goes before.
    if (route === ROUTE.REFUSE && event === EVENT.C_BAD_STE) return false;
    if (steConfig < 4) {
      this.#unsupported(false);
      return true;
    }
    if (this.#effectiveEats() !== 0) return false;
    this.#unsupported(true);
    return true;
  }

  #unsupported(recorded: boolean): void {
    configurationFault(this.#fault, EVENT.F_BAD_ATS_TREQ);
    if (recorded) this.#writeRecord(this.#fault, -1);
    this.answer.kind = 'unsupported';
    this.answer.event = recorded ? EVENT.F_BAD_ATS_TREQ : 0;
    this.answer.recorded = recorded;
    this.#finish();
  }

  #deny(): void {
    this.#complete(0, 0, this.#smallestUnit());
  }

  #complete(bits: number, address: number, sizeLog2: number): void {
    const { answer } = this;
    const request = { execute: false, privileged: this.#privileged, effectivePrivileged: this.privileged };
    answer.kind = 'completion';
    complete(answer.completion, request, bits, address, sizeLog2);
    this.#finish();
  }

  /** Bits of `GRANT`. */
  #granted(permissions: number, mask: number): number {
    const request = {
      execute: this.#instruction,
      privileged: this.#privileged,
      effectivePrivileged: this.privileged,
    };
    return granted(request, this.config.instcfg, permissions, mask);
  }

  /** The smallest translation unit of ATS as log2 of bytes: the smallest granule (§3.9.1). */
  #smallestUnit(): number {
    return Math.min(...this.parts.features.granules);
  }

  #succeed(pa: number, permissions: number, attributes: number, shift: number): void {
    if (this.kind === 'ats') return this.#complete(this.#granted(permissions, maskOf(this.config)), pa, shift);
    const { answer } = this;
    answer.pa = pa;
    answer.attributes = attributes & 0xff;
    answer.stage2Attributes = attributes >>> 8;
    answer.kind = 'memory';
    this.#finish();
  }

  /** The address goes through as it is. */
  #pass(address: number): void {
    if (this.kind === 'ats') return this.#complete(GRANT.READ | GRANT.WRITE, address, this.#smallestUnit());
    this.#succeed(address, 0, 0, 12);
  }

  #abort(): void {
    this.answer.kind = this.kind === 'ats' ? 'completer-abort' : 'abort';
    this.answer.recorded = false;
    this.answer.aborted = true;
    this.#finish();
  }

  /** An error of the configuration. */
  #refuse(event: number): void {
    configurationFault(this.#fault, event);
    this.#end(this.#fault);
  }

  /** A fault of stage 1. */
  #fail(event: number): void {
    const control = this.config.stage1 && this.kind !== 'translated' ? this.config.faults : ABORT_AND_RECORD;
    stageOneFault(this.#fault, event, control);
    this.#end(this.#fault);
  }

  /** Ends with a fault, in the way that A, R and S (S2R, S2S) ask for (§5.5). */
  #end(fault: Fault): void {
    if (this.kind === 'ats') {
      return isDenial(fault.event) ? this.#deny() : this.#abort();
    }
    // For translated transactions no errors of configuration are recorded (§3.9.1.3).
    if (this.kind === 'translated' && this.isSilentForTranslated(fault.event)) return this.#abort();
    const { answer } = this;
    const { abort, record, stall } = fault.control;
    answer.event = fault.event;
    answer.recorded = record || stall;
    answer.aborted = abort && !stall;
    answer.kind = stall ? 'stalled' : 'fault';
    if (stall) answer.stag = this.host.stall(this);
    if (answer.recorded) this.#writeRecord(fault, stall ? answer.stag : -1);
    this.#finish();
  }

  protected isSilentForTranslated(event: number): boolean {
    return event < EVENT.F_WALK_EABT && event !== EVENT.F_TRANSL_FORBIDDEN;
  }

  #writeRecord(fault: Fault, stag: number): void {
    writeEventRecord(this.#record, fault, this, stag);
    this.host.record(this.#record, stag >= 0);
  }

  #finish(): void {
    this.#state = STATE.DONE;
    this.done = true;
  }

  #address(): number {
    return (this.high >>> 0) * 2 ** 32 + (this.low >>> 0);
  }
}

/** Values of STE.EATS. */
const FULL = 1;
const SPLIT = 2;

/** The high lane of an address with an ignored top byte replaced by the sign, bit 55 (§3.4.1). */
function canonicalHigh(high: number, { tbiLow, tbiHigh }: StreamConfig): number {
  if ((high & (1 << 23)) === 0) return tbiLow ? high & 0x00ff_ffff : high;
  return tbiHigh ? high | 0xff00_0000 : high;
}
