import { CD_TABLE_L1 } from '../../../../model/architecture/arm/layout/cd.ts';
import { EVENT, EVENT_CLASS } from '../../../../model/architecture/arm/layout/event.ts';
import { read } from '../../../../model/architecture/arm/layout/layout.ts';
import { STREAM_TABLE_L1 } from '../../../../model/architecture/arm/layout/ste.ts';
import { configurationFault, type Fault } from '../fault.ts';
import type { DeviceParts, StepNote } from '../parts.ts';
import { PERMIT } from '../walks/descriptor.ts';
import type { StageTwoWalk } from '../walks/stage-two-walk.ts';
import { CD_WORDS, decodeContextDescriptor } from './context-descriptor.ts';
import { refusal, ROUTE, streamConfig, type StreamConfig } from './stream-config.ts';
import { alignDown, decodeStreamEntry, selectSubstream, STE_WORDS, type StreamEntry } from './stream-entry.ts';

/** SubstreamID that asks for the STE alone: what a translated transaction is checked against (§3.9.1.3). */
export const STE_ONLY = -2;

const STATE = { START: 0, FIND_ENTRY: 1, FIND_CD_TABLE: 2, FIND_CD: 3, STAGE2: 4, FETCH: 5, KEEP: 6, DONE: 7 } as const;
const STRUCTURE = { L1STD: 0, STE: 1, L1CD: 2, CD: 3 } as const;
const NAMES = ['L1STD', 'STE', 'L1CD', 'CD'] as const;
const WORDS = [1, STE_WORDS, 1, CD_WORDS] as const;

/**
 * The way from a StreamID to what its configuration says: L1STD, STE, L1CD and CD, each from the configuration cache or
 * fetched word by word; with stage 2, CDs and L1CDs lie at IPAs (IHI 0070 §3.3.1, §3.3.2).
 */
export class ConfigWalk {
  done = true;
  /** The result, unless `failed`. */
  config: StreamConfig = refusal(0);
  /** No configuration was found, for the reason of `fault`, which is never cached. */
  failed = false;
  fault: Fault;
  /** What the STE says, if the walk has come past it: decides about ATS before anything else can fail. */
  entry: StreamEntry | undefined;
  readonly #parts: DeviceParts;
  readonly #stageTwo: StageTwoWalk;
  readonly #note: StepNote;
  readonly #ownFault: Fault;
  readonly #lanes = new Int32Array(16);
  #state: number = STATE.DONE;
  #structure: number = STRUCTURE.STE;
  #word = 0;
  #pa = 0;
  #streamId = 0;
  #substream = 0;
  #index = 0;

  constructor(parts: DeviceParts, stageTwo: StageTwoWalk, note: StepNote, fault: Fault) {
    this.#parts = parts;
    this.#stageTwo = stageTwo;
    this.#note = note;
    this.#ownFault = fault;
    this.fault = fault;
  }

  /** @param substream -1 for none, `STE_ONLY` for the STE alone. */
  begin(streamId: number, substream: number): void {
    this.done = false;
    this.failed = false;
    this.fault = this.#ownFault;
    this.entry = undefined;
    this.#streamId = streamId >>> 0;
    this.#substream = substream;
    this.#state = STATE.START;
  }

  /** One memory access or one action of a cache. */
  step(): void {
    switch (this.#state) {
      case STATE.START:
        return this.#start();
      case STATE.FIND_ENTRY:
        return this.#findEntry();
      case STATE.FIND_CD_TABLE:
        return this.#findCdTable();
      case STATE.FIND_CD:
        return this.#findCd();
      case STATE.STAGE2:
        return this.#translate();
      case STATE.FETCH:
        return this.#fetch();
      default:
        return this.#keep();
    }
  }

  #start(): void {
    const { registers, configCache } = this.#parts;
    const { streamTable, streamTableLog2, twoLevel, split } = registers;
    const streamId = this.#streamId;
    if (streamId >= 2 ** streamTableLog2) return this.#badStreamId();
    if (!twoLevel) {
      this.#pa = alignDown(streamTable, 64 * 2 ** streamTableLog2) + 64 * streamId;
      this.#state = STATE.FIND_ENTRY;
      this.#tell('stream table', this.#pa);
      return;
    }
    const cached = configCache.findL1std(streamId, split);
    this.#tell(cached >= 0 ? 'L1STD hit' : 'L1STD miss', streamId);
    if (cached >= 0) return this.#throughStreamTable(configCache.l1std.copies, cached * configCache.l1std.lanes);
    const entries = 2 ** Math.max(0, streamTableLog2 - split);
    const base = alignDown(streamTable, Math.max(64, 8 * entries));
    this.#begin(STRUCTURE.L1STD, base + 8 * Math.floor(streamId / 2 ** split));
  }

  #throughStreamTable(lanes: Int32Array, at: number): void {
    const { split } = this.#parts.registers;
    const span = read(STREAM_TABLE_L1.fields.Span, lanes, at);
    const index = this.#streamId % 2 ** split;
    if (span === 0 || span > 11 || span > split + 1 || index >= 2 ** (span - 1)) return this.#badStreamId();
    this.#pa = alignDown(read(STREAM_TABLE_L1.fields.L2Ptr, lanes, at), 64 * 2 ** (span - 1)) + 64 * index;
    this.#state = STATE.FIND_ENTRY;
  }

  #findEntry(): void {
    const { configCache } = this.#parts;
    const cached = configCache.findSte(this.#streamId);
    this.#tell(cached >= 0 ? 'STE hit' : 'STE miss', this.#streamId);
    if (cached < 0) return this.#begin(STRUCTURE.STE, this.#pa);
    const { copies, lanes } = configCache.ste;
    return this.#throughEntry(copies.subarray(cached * lanes, cached * lanes + 2 * STE_WORDS));
  }

  #throughEntry(lanes: ArrayLike<number>): void {
    const { features, registers } = this.#parts;
    const entry = decodeStreamEntry(features, registers.e2h, lanes);
    if (entry === undefined) return this.#found(refusal(EVENT.C_BAD_STE));
    this.entry = entry;
    const { config, stage1, stageTwo, world, vmid, privcfg, instcfg, eats } = entry;
    const base = { stageTwo, world, vmid, privcfg, instcfg, eats, steConfig: config };
    if (config < 4) return this.#found(streamConfig({ ...base, route: ROUTE.ABORT }));
    const bypassed = streamConfig({ ...base, route: stageTwo === undefined ? ROUTE.BYPASS : ROUTE.TRANSLATE });
    if (this.#substream === STE_ONLY) return this.#found(bypassed);
    const choice = selectSubstream(entry, this.#substream);
    if (choice === 'bypass') return this.#found(bypassed);
    if ('event' in choice) return this.#found(refusal(choice.event, { ...base, stage1 }));
    this.#index = choice.cd;
    this.#state = entry.split > 0 ? STATE.FIND_CD_TABLE : STATE.FIND_CD;
    const table = alignDown(entry.contextPtr, 64 * 2 ** entry.cdMax);
    if (entry.split === 0) this.#pa = table + 64 * choice.cd;
  }

  #findCdTable(): void {
    const { configCache } = this.#parts;
    const { split, cdMax, contextPtr } = this.entry as StreamEntry;
    const cached = configCache.findL1cd(this.#streamId, this.#index, split);
    this.#tell(cached >= 0 ? 'L1CD hit' : 'L1CD miss', this.#index);
    const { copies, lanes } = configCache.l1cd;
    if (cached >= 0) return this.#throughCdTable(copies, cached * lanes);
    const entries = 2 ** Math.max(0, cdMax - split);
    const base = alignDown(contextPtr, Math.max(64, 8 * entries));
    this.#begin(STRUCTURE.L1CD, base + 8 * Math.floor(this.#index / 2 ** split));
  }

  #throughCdTable(lanes: Int32Array, at: number): void {
    const { oas } = this.#parts.features;
    const { split } = this.entry as StreamEntry;
    const table = read(CD_TABLE_L1.fields.L2Ptr, lanes, at);
    if (read(CD_TABLE_L1.fields.V, lanes, at) === 0 || table >= 2 ** oas) {
      configurationFault(this.#ownFault, EVENT.C_BAD_SUBSTREAMID);
      return this.#fail(this.#ownFault);
    }
    this.#pa = table + 64 * (this.#index % 2 ** split);
    this.#state = STATE.FIND_CD;
  }

  #findCd(): void {
    const { configCache } = this.#parts;
    const cached = configCache.findCd(this.#streamId, this.#index);
    this.#tell(cached >= 0 ? 'CD hit' : 'CD miss', this.#index);
    if (cached < 0) return this.#begin(STRUCTURE.CD, this.#pa);
    const { copies, lanes } = configCache.cd;
    this.#throughDescriptor(copies.subarray(cached * lanes, cached * lanes + 2 * CD_WORDS));
  }

  #throughDescriptor(lanes: ArrayLike<number>): void {
    const entry = this.entry as StreamEntry;
    const { config, stageTwo, world, vmid, privcfg, instcfg, eats } = entry;
    const base = { stage1: true, stageTwo, world, vmid, privcfg, instcfg, eats, steConfig: config };
    const context = decodeContextDescriptor(this.#parts.features, entry, lanes);
    if (context === undefined) return this.#found(refusal(EVENT.C_BAD_CD, base));
    this.#found(streamConfig({ ...base, ...context, route: ROUTE.TRANSLATE }));
  }

  /** Begins the fetch of a structure: CDs and L1CDs of a stream with stage 2 are at IPAs. */
  #begin(structure: number, address: number): void {
    this.#structure = structure;
    this.#word = 0;
    this.#pa = address;
    const stageTwo = structure >= STRUCTURE.L1CD ? this.entry?.stageTwo : undefined;
    this.#state = STATE.FETCH;
    if (stageTwo === undefined) return;
    this.#stageTwo.begin(stageTwo, (this.entry as StreamEntry).vmid, address, EVENT_CLASS.CD, PERMIT.S2R);
    this.#state = STATE.STAGE2;
  }

  #translate(): void {
    const walk = this.#stageTwo;
    walk.step();
    if (!walk.done) return;
    if (walk.failed) return this.#fail(walk.fault);
    this.#pa = walk.pa;
    this.#state = STATE.FETCH;
  }

  /** One word: each is read single-copy atomically, the structure is not (§3.21.3). */
  #fetch(): void {
    const { memory } = this.#parts;
    const pa = this.#pa + 8 * this.#word;
    this.#tell(NAMES[this.#structure] as string, pa);
    if (!memory.present(pa)) {
      const event = this.#structure <= STRUCTURE.STE ? EVENT.F_STE_FETCH : EVENT.F_CD_FETCH;
      configurationFault(this.#ownFault, event, this.#pa);
      return this.#fail(this.#ownFault);
    }
    this.#lanes[2 * this.#word] = memory.low(pa);
    this.#lanes[2 * this.#word + 1] = memory.high(pa);
    this.#word++;
    if (this.#word === (WORDS[this.#structure] as number)) this.#state = STATE.KEEP;
  }

  /** The structure is put into the cache, valid or not, and followed. */
  #keep(): void {
    const { configCache, registers } = this.#parts;
    const lanes = this.#lanes;
    const count = 2 * (WORDS[this.#structure] as number);
    const copy = (copies: Int32Array, at: number): void => {
      for (let lane = 0; lane < count; lane++) copies[at + lane] = lanes[lane] as number;
    };
    this.#tell(`${NAMES[this.#structure] as string} fill`, -1);
    switch (this.#structure) {
      case STRUCTURE.L1STD:
        copy(configCache.l1std.copies, configCache.takeL1std(this.#streamId, registers.split) * 2);
        return this.#throughStreamTable(lanes, 0);
      case STRUCTURE.STE:
        copy(configCache.ste.copies, configCache.takeSte(this.#streamId) * configCache.ste.lanes);
        return this.#throughEntry(lanes);
      case STRUCTURE.L1CD: {
        const { split } = this.entry as StreamEntry;
        copy(configCache.l1cd.copies, configCache.takeL1cd(this.#streamId, this.#index, split) * 2);
        return this.#throughCdTable(lanes, 0);
      }
      default:
        copy(configCache.cd.copies, configCache.takeCd(this.#streamId, this.#index) * configCache.cd.lanes);
        return this.#throughDescriptor(lanes);
    }
  }

  #badStreamId(): void {
    configurationFault(this.#ownFault, EVENT.C_BAD_STREAMID);
    this.#fail(this.#ownFault);
  }

  #found(config: StreamConfig): void {
    this.config = config;
    this.#state = STATE.DONE;
    this.done = true;
  }

  #fail(fault: Fault): void {
    this.fault = fault;
    this.failed = true;
    this.#state = STATE.DONE;
    this.done = true;
  }

  #tell(action: string, address: number): void {
    this.#note.action = action;
    this.#note.address = address;
  }
}
