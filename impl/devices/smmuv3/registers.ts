import { extract } from '../../../model/architecture/arm/layout/layout.ts';
import {
  CR0,
  CR2,
  GBPA,
  GERROR,
  QUEUE_BASE,
  REGISTER,
  STRTAB_BASE,
  STRTAB_BASE_CFG,
} from '../../../model/architecture/arm/layout/register.ts';
import type { SmmuFeatures } from '../../../model/architecture/arm/layout/features.ts';
import { identification, QUEUE_LOG2_MAX } from './identification.ts';

/** CR2.REC_CFG_ATS has no meaning before SMMUv3.3; bits of CR0 that this device has. */
const CR0_MASK = bitOf(CR0.fields.SMMUEN.lsb) | bitOf(CR0.fields.EVENTQEN.lsb) | bitOf(CR0.fields.CMDQEN.lsb);
const GBPA_UPDATE = 1 << GBPA.fields.UPDATE.lsb;

/** Offsets of the 64-bit registers. */
const WIDE: readonly number[] = [REGISTER.STRTAB_BASE, REGISTER.CMDQ_BASE, REGISTER.EVENTQ_BASE];
/** Offsets of registers that software writes and that are kept as written. */
const KEPT: readonly number[] = [REGISTER.CR1, REGISTER.IRQ_CTRL, REGISTER.CMDQ_PROD];

/** A queue as its registers describe it. */
export interface QueuePlace {
  /** Address of the first entry, aligned to the size of the queue (at least 32 bytes, §6.3.26). */
  base: number;
  entries: number;
  /** Mask of an index with its wrap bit. */
  mask: number;
}

/**
 * The registers of the Non-secure programming interface (IHI 0070 §6.2, §6.3). Writes act at once, so acknowledgements
 * (CR0ACK, IRQ_CTRLACK, GBPA.UPDATE) are never late. Writes to what may not be written now are ignored.
 */
export class Registers {
  readonly #features: SmmuFeatures;
  readonly #constants: Map<number, number>;
  /** Low and high lane of each register, by offset / 4; the page of the event queue indices is folded in. */
  readonly #values = new Int32Array(64);
  readonly #cr0Mask: number;
  /** Fields that requests look at, decoded when they are written. */
  enabled = false;
  commandQueueEnabled = false;
  eventQueueEnabled = false;
  /** CR0.ATSCHK: translated transactions are checked. */
  atsCheck = false;
  /** GBPA.ABORT: with translation off, transactions are aborted. */
  globalAbort = false;
  recordBadStreamId = false;
  e2h = false;
  streamTable = 0;
  streamTableLog2 = 0;
  twoLevel = false;
  split = 6;
  readonly commandQueue: QueuePlace = { base: 0, entries: 1, mask: 1 };
  readonly eventQueue: QueuePlace = { base: 0, entries: 1, mask: 1 };

  constructor(features: SmmuFeatures) {
    this.#features = features;
    this.#constants = identification(features);
    this.#cr0Mask =
      CR0_MASK |
      (features.ats ? bitOf(CR0.fields.ATSCHK.lsb) : 0) |
      (features.pri ? bitOf(CR0.fields.PRIQEN.lsb) : 0) |
      (features.stage2 ? 7 << CR0.fields.VMW.lsb : 0);
  }

  /** Reads 32 bits; offset 4 into a 64-bit register is its high half; what there is not reads as 0. */
  read(offset: number): number {
    if (offset === REGISTER.CR0ACK) return this.#get(REGISTER.CR0);
    if (offset === REGISTER.IRQ_CTRLACK) return this.#get(REGISTER.IRQ_CTRL);
    const constant = this.#constants.get(offset);
    if (constant !== undefined) return constant;
    return slotOf(offset) < 0 ? 0 : this.#get(offset);
  }

  /**
   * A write by software: 64 bits if `high` is given.
   *
   * @returns whether the register took the value.
   */
  write(offset: number, low: number, high?: number): boolean {
    if (WIDE.includes(offset)) {
      if (this.#locked(offset)) return false;
      this.set(offset, low);
      if (high !== undefined) this.set(offset + 4, high);
    } else if (WIDE.includes(offset - 4)) {
      if (this.#locked(offset - 4)) return false;
      this.set(offset, low);
    } else if (!this.#writeNarrow(offset, low)) return false;
    this.#decode();
    return true;
  }

  /** Sets a register without the checks on what software may write. */
  set(offset: number, value: number): void {
    this.#values[slotOf(offset)] = value;
  }

  #writeNarrow(offset: number, value: number): boolean {
    if (KEPT.includes(offset)) this.set(offset, value);
    else if (offset === REGISTER.CR0) this.set(offset, value & this.#cr0Mask);
    else if (offset === REGISTER.GBPA) {
      // Without UPDATE the write is ignored (§6.3.14).
      if ((value & GBPA_UPDATE) === 0) return false;
      this.set(offset, value & ~GBPA_UPDATE);
    } else if (offset === REGISTER.CR2 || offset === REGISTER.STRTAB_BASE_CFG) {
      // Read-only while translation is on (§6.3.12, §6.3.25).
      if (this.enabled) return false;
      this.set(offset, value);
    } else if (offset === REGISTER.CMDQ_CONS) {
      if (this.commandQueueEnabled) return false;
      this.set(offset, value);
    } else if (offset === REGISTER.EVENTQ_PROD) {
      if (this.eventQueueEnabled) return false;
      this.set(offset, value);
    } else if (offset === REGISTER.EVENTQ_CONS || offset === REGISTER.GERRORN) this.set(offset, value);
    else return false;
    return true;
  }

  /** Base registers are read-only while what they describe is in use (from SMMUv3.2 on; §6.3.24, §6.3.26, §6.3.29). */
  #locked(offset: number): boolean {
    if (offset === REGISTER.STRTAB_BASE) return this.enabled;
    return offset === REGISTER.CMDQ_BASE ? this.commandQueueEnabled : this.eventQueueEnabled;
  }

  /** Whether a global error is active: raised and not yet acknowledged (§7.5). */
  errorActive(bit: number): boolean {
    return ((this.#get(REGISTER.GERROR) ^ this.#get(REGISTER.GERRORN)) & bitOf(bit)) !== 0;
  }

  /** Raises a global error, unless it is active already. */
  raiseError(bit: number): void {
    if (this.errorActive(bit)) return;
    this.set(REGISTER.GERROR, this.#get(REGISTER.GERROR) ^ bitOf(bit));
  }

  #get(offset: number): number {
    return this.#values[slotOf(offset)] as number;
  }

  #decode(): void {
    const { oas, stLevel, hyp } = this.#features;
    const cr0 = this.#get(REGISTER.CR0);
    const cr2 = this.#get(REGISTER.CR2);
    this.enabled = (cr0 & 1) !== 0;
    this.commandQueueEnabled = extract(CR0.fields.CMDQEN, cr0, 0) === 1;
    this.eventQueueEnabled = extract(CR0.fields.EVENTQEN, cr0, 0) === 1;
    this.atsCheck = extract(CR0.fields.ATSCHK, cr0, 0) === 1;
    this.recordBadStreamId = extract(CR2.fields.RECINVSID, cr2, 0) === 1;
    this.e2h = hyp && extract(CR2.fields.E2H, cr2, 0) === 1;
    this.globalAbort = extract(GBPA.fields.ABORT, this.#get(REGISTER.GBPA), 0) === 1;
    const base = this.#get(REGISTER.STRTAB_BASE);
    this.streamTable = extract(STRTAB_BASE.fields.ADDR, base, this.#get(REGISTER.STRTAB_BASE + 4));
    const config = this.#get(REGISTER.STRTAB_BASE_CFG);
    this.streamTableLog2 = extract(STRTAB_BASE_CFG.fields.LOG2SIZE, config, 0);
    this.twoLevel = stLevel && extract(STRTAB_BASE_CFG.fields.FMT, config, 0) === 1;
    const split = extract(STRTAB_BASE_CFG.fields.SPLIT, config, 0);
    // Reserved values behave as 6 (§6.3.25).
    this.split = split === 8 || split === 10 ? split : 6;
    // Addresses of queues beyond the output size are truncated to it (§3.4.3).
    const limit = 2 ** oas;
    this.#decodeQueue(REGISTER.CMDQ_BASE, 16, limit, this.commandQueue);
    this.#decodeQueue(REGISTER.EVENTQ_BASE, 32, limit, this.eventQueue);
  }

  #decodeQueue(offset: number, entryBytes: number, limit: number, place: QueuePlace): void {
    const low = this.#get(offset);
    const log2 = Math.min(extract(QUEUE_BASE.fields.LOG2SIZE, low, 0), QUEUE_LOG2_MAX);
    const bytes = Math.max(32, entryBytes * 2 ** log2);
    const base = extract(QUEUE_BASE.fields.ADDR, low, this.#get(offset + 4)) % limit;
    place.entries = 2 ** log2;
    place.mask = 2 * place.entries - 1;
    place.base = Math.floor(base / bytes) * bytes;
  }
}

/** GERROR bits that this device raises. */
export const ERROR_BIT = {
  COMMAND_QUEUE: GERROR.fields.CMDQ_ERR.lsb,
  EVENT_QUEUE_ABORT: GERROR.fields.EVENTQ_ABT_ERR.lsb,
} as const;

function bitOf(bit: number): number {
  return 1 << bit;
}

/** Index of the lane of a register; -1 where there is none. The event queue indices lie in page 1 (§6.1). */
function slotOf(offset: number): number {
  if (offset === REGISTER.EVENTQ_PROD || offset === REGISTER.EVENTQ_CONS) return (offset - 0x1_0000) >>> 2;
  return offset >= REGISTER.CR0 && offset < REGISTER.EVENTQ_BASE + 8 ? offset >>> 2 : -1;
}
