import { EVENT, EVENT_CLASS } from '../../../model/architecture/arm/layout/event.ts';
import { iotlbFill, STAGES, type IotlbFill } from './caches/index.ts';
import { ConfigWalk, STE_ONLY } from './configuration/config-walk.ts';
import { accessIndex } from './configuration/needed-permits.ts';
import { canonicalHigh, refusal, ROUTE } from './configuration/stream-config.ts';
import { emptyFault, type Fault } from './fault.ts';
import type { DeviceAnswer, DeviceRequest } from './request.ts';
import { EATS, Transaction, type TransactionHost } from './transaction.ts';
import { PERMIT } from './walks/descriptor.ts';
import { StageOneWalk } from './walks/stage-one-walk.ts';
import { StageTwoWalk } from './walks/stage-two-walk.ts';

const STATE = { START: 0, CONFIG: 1, LOOKUP: 2, WALK1: 3, WALK2: 4, KEEP: 5, DONE: 6 } as const;

/**
 * One translation as a state machine: `run` makes all its steps, `step` makes one memory access or one action of a cache.
 * The order of its checks is that of the events in IHI 0070 §7.3.22.
 */
export class Translation extends Transaction {
  protected epoch = 0;
  readonly #stageTwo: StageTwoWalk;
  readonly #stageOne: StageOneWalk;
  readonly #configWalk: ConfigWalk;
  readonly #fill: IotlbFill = iotlbFill();
  #state: number = STATE.DONE;
  /** The high lane without an ignored tag. */
  #canonicalHigh = 0;
  #needed = 0;

  constructor(host: TransactionHost) {
    super(host);
    this.#stageTwo = new StageTwoWalk(this.parts, this.note);
    this.#stageOne = new StageOneWalk(this.parts, this.#stageTwo, this.note);
    this.#configWalk = new ConfigWalk(this.parts, this.#stageTwo, this.note, emptyFault());
  }

  /** Begins a request; the request object may be used again at once. */
  begin(request: DeviceRequest): void {
    this.accept(request);
    this.restart();
  }

  /** Begins the same request anew. */
  restart(): void {
    this.done = false;
    this.epoch = this.host.epoch;
    this.privileged = this.requestedPrivileged;
    this.instruction = this.requestedInstruction;
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

  /** Whether an invalidation or a change of registers came after the begin. */
  protected isStale(): boolean {
    return this.epoch !== this.host.epoch;
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
    if (this.kind === 'translated') return this.refuse(EVENT.F_TRANSL_FORBIDDEN);
    if (this.kind === 'ats') return this.unsupported(true);
    if (this.parts.registers.globalAbort || this.address() >= 2 ** this.parts.features.oas) return this.abort();
    this.pass(this.address());
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
      return this.end(walk.fault);
    }
    this.config = walk.config;
    const substream = this.kind === 'translated' ? STE_ONLY : this.substream;
    this.host.decoded.keep(this.streamId, substream, configEpoch, walk.config);
    this.#route();
  }

  /** No STE was found. C_BAD_STREAMID is recorded only if CR2.RECINVSID says so (§7.3.3). */
  #refuseStream(fault: Fault): void {
    if (fault.event === EVENT.C_BAD_STREAMID && !this.parts.registers.recordBadStreamId && this.kind !== 'ats')
      return this.abort();
    this.end(fault);
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
        return this.refuse(config.event);
      default:
        return this.abort();
    }
  }

  /** Applies STE.PRIVCFG and INSTCFG, and finds which permissions the access needs (§5.2, §13.1.2). */
  #override(): void {
    const { privcfg, instcfg, needed } = this.config;
    this.#needed = needed[accessIndex(this.write, this.privileged, this.instruction)] as number;
    if (privcfg >= 2) this.privileged = privcfg === 3;
    if (instcfg >= 2) this.instruction = instcfg === 3 && !this.write;
  }

  /** Stages are bypassed: the address must be one that can be put out (§3.4). */
  #bypass(): void {
    const address = this.address();
    if (address >= 2 ** this.parts.features.oas) return this.fail(EVENT.F_ADDR_SIZE);
    this.pass(address);
  }

  #beginLookup(): void {
    if (this.config.stage1) {
      this.#state = STATE.LOOKUP;
      return;
    }
    const address = this.address();
    // What bypasses stage 1 is held to the size of IPAs, which is that of outputs (§3.4).
    if (address >= 2 ** this.parts.features.oas) return this.fail(EVENT.F_ADDR_SIZE);
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
        return this.succeed(pa, permissions, attributes, iotlb.shift(entry));
      }
      if ((missing & PERMIT.STAGE1_ALL) !== 0) {
        this.tell('TLB hit', -1);
        return this.fail(EVENT.F_PERMISSION);
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
    if (this.kind === 'ats' && this.config.eats === EATS.SPLIT) return false;
    return this.parts.iotlb.stages(entry) === stages;
  }

  #walkStageOne(): void {
    const walk = this.#stageOne;
    walk.step();
    if (!walk.done) return;
    if (walk.failed) return this.end(walk.fault);
    if (this.config.stageTwo === undefined) {
      this.#state = STATE.KEEP;
      return;
    }
    if (this.kind === 'ats') {
      // Stage 2 is not looked at if stage 1 grants nothing (§3.9.1.2).
      if (this.grantedBits(walk.permissions, PERMIT.STAGE1_ALL) === 0) return this.deny();
    } else if ((this.#needed & PERMIT.STAGE1_ALL & ~walk.permissions) !== 0) return this.fail(EVENT.F_PERMISSION);
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
    if (walk.failed) return this.end(walk.fault);
    if (this.config.stage1 && this.kind !== 'translated') {
      this.#state = STATE.KEEP;
      return;
    }
    this.succeed(walk.pa, walk.permissions, walk.attributes << 8, walk.shift);
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
    fill.outputLow = pa | 0;
    fill.outputHigh = Math.floor(pa / 2 ** 32);
    fill.permissions = permissions;
    fill.attributes = attributes;
    fill.level = first.level;
    fill.granule = first.granule;
    this.parts.iotlb.insert(fill);
    this.tell('TLB fill', pa);
    if (this.kind !== 'ats' && (this.#needed & ~permissions) !== 0) return this.fail(EVENT.F_PERMISSION);
    this.succeed(this.kind === 'ats' && config.eats === EATS.SPLIT ? first.output : pa, permissions, attributes, shift);
  }

  /** log2 of the size of an entry of both stages: what both say one thing about. */
  protected combinedShift(first: number, second: number): number {
    return Math.min(first, second);
  }

  /** A translated transaction is not checked (CR0.ATSCHK is 0, or full ATS): only its size is (§3.9.1.1). */
  #passTranslated(): void {
    if (this.address() >= 2 ** this.parts.features.oas) return this.abort();
    this.pass(this.address());
  }

  /** A translated transaction and its STE (§3.9.1.3). */
  #checkTranslated(): void {
    const { config } = this;
    // Errors of the configuration, and streams that are switched off, abort silently.
    if (config.route === ROUTE.REFUSE || config.route === ROUTE.ABORT) return this.abort();
    const eats = this.effectiveEats();
    if (eats === 0) return this.refuse(EVENT.F_TRANSL_FORBIDDEN);
    if (eats === EATS.FULL) return this.#passTranslated();
    this.#override();
    if (this.address() >= 2 ** this.parts.features.oas) return this.fail(EVENT.F_ADDR_SIZE);
    this.#beginStageTwo(this.address());
  }

  /** Ends a Translation Request that the STE does not allow (§3.9.1.2). */
  #refusesAts(): boolean {
    const { steConfig, route, event } = this.config;
    // An invalid STE is a configuration error, which goes before.
    if (route === ROUTE.REFUSE && event === EVENT.C_BAD_STE) return false;
    if (steConfig < 4) {
      this.unsupported(false);
      return true;
    }
    if (this.effectiveEats() !== 0) return false;
    this.unsupported(true);
    return true;
  }
}
