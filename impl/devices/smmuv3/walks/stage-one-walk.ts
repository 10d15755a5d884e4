import { levelShift } from '../../../../model/architecture/arm/layout/descriptor.ts';
import { EVENT, EVENT_CLASS } from '../../../../model/architecture/arm/layout/event.ts';
import { TABLE, walkFill, WORLD } from '../caches/index.ts';
import type { StreamConfig, TableConfig } from '../configuration/stream-config.ts';
import { emptyFault, stageOneFault, type Fault } from '../fault.ts';
import type { DeviceParts, StepNote } from '../parts.ts';
import { decodeStageOne, DESCRIPTOR, descriptorAddress, emptyDescriptor, PERMIT } from './descriptor.ts';
import { offsetWithin } from './powers.ts';
import { runShift, type StageTwoWalk } from './stage-two-walk.ts';

const STATE = { RESUME: 0, PLACE: 1, STAGE2: 2, FETCH: 3, KEEP_TABLE: 4, DONE: 5 } as const;

/** Walks of stage 1: VA to PA, or to IPA where stage 2 translates the addresses of its tables too (IHI 0070 §7.3.22). */
export class StageOneWalk {
  done = true;
  failed = false;
  fault: Fault;
  /** The result: address of the very byte, what the leaf gives, and log2 of the size of the translation. */
  output = 0.5;
  permissions = 0;
  attributes = 0;
  global = false;
  shift = 0;
  level = 0;
  granule = 12;
  readonly #parts: DeviceParts;
  readonly #stageTwo: StageTwoWalk;
  readonly #note: StepNote;
  readonly #ownFault = emptyFault();
  readonly #descriptor = emptyDescriptor();
  readonly #fill = walkFill();
  #config: StreamConfig | undefined;
  #by: TableConfig | undefined;
  #state: number = STATE.DONE;
  #low = 0;
  #high = 0;
  #offset = 0.5;
  #hierarchy = 0;
  #table = 0.5;
  #pa = 0.5;

  constructor(parts: DeviceParts, stageTwo: StageTwoWalk, note: StepNote) {
    this.#parts = parts;
    this.#stageTwo = stageTwo;
    this.#note = note;
    this.fault = this.#ownFault;
  }

  /** Begins the translation of a VA whose tag, if it is ignored, has been replaced by the sign. */
  begin(config: StreamConfig, low: number, high: number): void {
    this.done = false;
    this.failed = false;
    this.fault = this.#ownFault;
    this.#config = config;
    this.#low = low;
    this.#high = high;
    this.#state = STATE.RESUME;
  }

  /** One memory access or one action of a cache. */
  step(): void {
    switch (this.#state) {
      case STATE.RESUME:
        return this.#resume();
      case STATE.STAGE2:
        return this.#translate();
      case STATE.FETCH:
        return this.#fetch(this.#by as TableConfig);
      default:
        return this.#keepTable(this.#by as TableConfig);
    }
  }

  /** Selects TTB0 or TTB1 by bit 55 and checks the range (§3.4.1); then finds where the walk starts. */
  #resume(): void {
    const { world, vmid, asid, aset, low: table0, high: table1 } = this.#config as StreamConfig;
    // The regime EL2 has one table, for low addresses.
    const upper = (this.#high & (1 << 23)) !== 0 && world !== WORLD.NS_EL2;
    const by = upper ? table1 : table0;
    if (by === undefined || !inRange(by, this.#low, this.#high, upper)) {
      this.#tell('input range', -1);
      return this.#fail(EVENT.F_TRANSLATION);
    }
    this.#by = by;
    this.#offset = offsetOf(by, this.#low, this.#high);
    const { walkCache } = this.#parts;
    const entry = walkCache.lookup(world, vmid, asid, aset, this.#low, this.#high);
    const known = entry >= 0 && this.#isOfThisWalk(entry, by);
    this.#tell(known ? 'walk cache hit' : 'walk cache miss', -1);
    this.level = known ? walkCache.level(entry) + 1 : by.level;
    this.#table = known ? walkCache.table(entry) : by.table;
    this.#hierarchy = known ? walkCache.permissions(entry) : 0;
    this.#place(by);
  }

  /**
   * Whether a cached descriptor was read by the same fields of the CD, and with stage 2 in the same use: STE.Config may
   * change without an invalidation of TLBs (§5.2.1).
   */
  #isOfThisWalk(entry: number, by: TableConfig): boolean {
    const { walkCache } = this.#parts;
    return walkCache.extra(entry) === by.key && walkCache.tableKind(entry) === this.#tableKind();
  }

  #tableKind(): number {
    return (this.#config as StreamConfig).stageTwo === undefined ? TABLE.ONE_STAGE : TABLE.IPA;
  }

  /** Where the next descriptor is; with stage 2 that is an IPA. */
  #place(by: TableConfig): void {
    this.#pa = descriptorAddress(by, this.level, this.#table, this.#offset);
    const { stageTwo, vmid } = this.#config as StreamConfig;
    this.#state = STATE.FETCH;
    if (stageTwo === undefined) return;
    this.#stageTwo.begin(stageTwo, vmid, this.#pa, EVENT_CLASS.TABLE, PERMIT.S2R);
    this.#state = STATE.STAGE2;
  }

  #translate(): void {
    const walk = this.#stageTwo;
    walk.step();
    if (!walk.done) return;
    this.#state = STATE.FETCH;
    this.#pa = walk.pa;
    if (!walk.failed) return;
    this.fault = walk.fault;
    this.#end(true);
  }

  #fetch(by: TableConfig): void {
    const { memory } = this.#parts;
    const pa = this.#pa;
    this.#tell('descriptor', pa);
    if (!memory.present(pa)) return this.#fail(EVENT.F_WALK_EABT, pa);
    const found = this.#descriptor;
    decodeStageOne(found, by, this.level, this.#hierarchy, memory.low(pa), memory.high(pa));
    if (found.kind === DESCRIPTOR.FAULT) return this.#fail(found.event);
    if (found.kind === DESCRIPTOR.TABLE) {
      this.#state = STATE.KEEP_TABLE;
      return;
    }
    const leaf = levelShift(by.granule, this.level);
    const within = offsetWithin(this.#offset, leaf);
    this.output = found.address + within;
    this.permissions = found.permissions;
    this.attributes = found.attributes;
    this.global = found.global && (this.#config as StreamConfig).world !== WORLD.NS_EL2;
    this.granule = by.granule;
    this.shift = found.contiguous ? runShift(by, this.level, leaf, this.#offset - within, found.address) : leaf;
    this.#end(false);
  }

  #keepTable(by: TableConfig): void {
    const { world, vmid, asid, aset } = this.#config as StreamConfig;
    const { address, hierarchy } = this.#descriptor;
    const fill = this.#fill;
    fill.world = world;
    fill.vmid = vmid;
    fill.asid = asid;
    fill.aset = aset;
    fill.addressLow = this.#low;
    fill.addressHigh = this.#high;
    fill.shift = levelShift(by.granule, this.level);
    fill.tableLow = address | 0;
    fill.tableHigh = Math.floor(address / 2 ** 32);
    fill.table = this.#tableKind();
    fill.permissions = hierarchy;
    fill.level = this.level;
    fill.granule = by.granule;
    fill.extra = by.key;
    this.#parts.walkCache.insert(fill);
    this.#tell('walk cache fill', address);
    this.#table = address;
    this.#hierarchy = hierarchy;
    this.level++;
    this.#place(by);
  }

  #fail(event: number, fetchAddress = 0): void {
    stageOneFault(this.#ownFault, event, (this.#config as StreamConfig).faults, fetchAddress);
    this.#end(true);
  }

  #end(failed: boolean): void {
    this.#state = STATE.DONE;
    this.failed = failed;
    this.done = true;
  }

  #tell(action: string, address: number): void {
    this.#note.action = action;
    this.#note.address = address;
  }
}

/** Whether all bits above the input range equal bit 55 (§3.4.1); 16 to 48 bits are in the range. */
function inRange({ inputBits }: TableConfig, low: number, high: number, upper: boolean): boolean {
  const sign = upper ? -1 : 0;
  if (inputBits >= 32) return inputBits === 32 ? (high | 0) === sign : high >> (inputBits - 32) === sign;
  return (high | 0) === sign && low >> inputBits === sign;
}

/** The bits of an address within the input range. */
function offsetOf({ inputBits }: TableConfig, low: number, high: number): number {
  if (inputBits <= 32) return (low >>> 0) % 2 ** inputBits;
  return (high & ((1 << (inputBits - 32)) - 1)) * 2 ** 32 + (low >>> 0);
}
