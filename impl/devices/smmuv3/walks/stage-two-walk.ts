import { levelShift } from '../../../../model/architecture/arm/layout/descriptor.ts';
import { EVENT, EVENT_CLASS } from '../../../../model/architecture/arm/layout/event.ts';
import { iotlbFill, STAGES, TABLE, walkFill } from '../caches/index.ts';
import type { StageTwoConfig, TableConfig } from '../configuration/stream-config.ts';
import { emptyFault, stageTwoFault } from '../fault.ts';
import type { DeviceParts, StepNote } from '../parts.ts';
import { decodeStageTwo, DESCRIPTOR, descriptorAddress, emptyDescriptor, PERMIT, runLog2 } from './descriptor.ts';
import { offsetWithin, POWER } from './powers.ts';

const STATE = { LOOKUP: 0, RESUME: 1, FETCH: 2, KEEP_TABLE: 3, KEEP_LEAF: 4, DONE: 5 } as const;

/** Walks of stage 2: IPA to PA, for transactions, for CDs and for stage 1 descriptors (IHI 0070 §3.3, §7.3.22). */
export class StageTwoWalk {
  done = true;
  failed = false;
  readonly fault = emptyFault();
  /** The result: PA of the very byte, what the leaf gives, and log2 of the size of the translation. */
  pa = 0.5;
  permissions = 0;
  attributes = 0;
  shift = 0;
  readonly #parts: DeviceParts;
  readonly #note: StepNote;
  readonly #descriptor = emptyDescriptor();
  readonly #leafFill = iotlbFill();
  readonly #tableFill = walkFill();
  #config: StageTwoConfig | undefined;
  #state: number = STATE.DONE;
  #vmid = 0;
  #ipa = 0.5;
  #low = 0;
  #high = 0;
  #purpose = 0;
  #needed = 0;
  #level = 0;
  #table = 0.5;

  constructor(parts: DeviceParts, note: StepNote) {
    this.#parts = parts;
    this.#note = note;
    this.#leafFill.stages = STAGES.STAGE2;
    this.#tableFill.stage2 = true;
    this.#tableFill.table = TABLE.ONE_STAGE;
  }

  /**
   * Begins the translation of an IPA.
   *
   * @param purpose one of `EVENT_CLASS`.
   * @param needed the permissions that the access must have, bits of `PERMIT`; 0 checks none.
   */
  begin(config: StageTwoConfig, vmid: number, ipa: number, purpose: number, needed: number): void {
    this.done = false;
    this.failed = false;
    this.#config = config;
    this.#vmid = vmid;
    this.#ipa = ipa;
    this.#low = ipa | 0;
    this.#high = Math.floor(ipa / 2 ** 32);
    this.#purpose = purpose;
    this.#needed = needed;
    this.#state = STATE.LOOKUP;
  }

  /** One memory access or one action of a cache. */
  step(): void {
    const config = this.#config as StageTwoConfig;
    switch (this.#state) {
      case STATE.LOOKUP:
        return this.#lookup();
      case STATE.RESUME:
        return this.#resume(config.table);
      case STATE.FETCH:
        return this.#fetch(config);
      case STATE.KEEP_TABLE:
        return this.#keepTable(config.table);
      default:
        return this.#keepLeaf(config.table);
    }
  }

  #lookup(): void {
    const { iotlb } = this.#parts;
    const entry = iotlb.lookupStage2(this.#vmid, this.#low, this.#high);
    this.#tell(entry >= 0 ? 'stage 2 TLB hit' : 'stage 2 TLB miss', this.#ipa);
    this.#state = STATE.RESUME;
    if (entry < 0) return;
    this.pa = iotlb.output(entry, this.#low, this.#high);
    this.permissions = iotlb.permissions(entry);
    this.attributes = iotlb.attributes(entry);
    this.shift = iotlb.shift(entry);
    this.#finish();
  }

  /** Finds where the walk starts: behind a cached table descriptor, or at the first table. */
  #resume(by: TableConfig): void {
    if (this.#ipa >= (POWER[by.inputBits] as number)) return this.#fail(EVENT.F_TRANSLATION);
    const { walkCache } = this.#parts;
    const entry = walkCache.lookupStage2(this.#vmid, this.#low, this.#high);
    const known = entry >= 0 && walkCache.extra(entry) === by.key;
    this.#tell(known ? 'stage 2 walk cache hit' : 'stage 2 walk cache miss', this.#ipa);
    this.#level = known ? walkCache.level(entry) + 1 : by.level;
    this.#table = known ? walkCache.table(entry) : by.table;
    this.#state = STATE.FETCH;
  }

  #fetch(config: StageTwoConfig): void {
    const { memory, features } = this.#parts;
    const by = config.table;
    const pa = descriptorAddress(by, this.#level, this.#table, this.#ipa);
    this.#tell('stage 2 descriptor', pa);
    if (!memory.present(pa)) return this.#fail(EVENT.F_WALK_EABT, pa);
    const found = this.#descriptor;
    decodeStageTwo(found, config, features.xnx, this.#level, memory.low(pa), memory.high(pa));
    if (found.kind === DESCRIPTOR.FAULT) return this.#fail(found.event);
    this.#state = found.kind === DESCRIPTOR.TABLE ? STATE.KEEP_TABLE : STATE.KEEP_LEAF;
  }

  #keepTable(by: TableConfig): void {
    const fill = this.#tableFill;
    const { address } = this.#descriptor;
    fill.vmid = this.#vmid;
    fill.addressLow = this.#low;
    fill.addressHigh = this.#high;
    fill.shift = levelShift(by.granule, this.#level);
    fill.tableLow = address | 0;
    fill.tableHigh = Math.floor(address / 2 ** 32);
    fill.level = this.#level;
    fill.granule = by.granule;
    fill.extra = by.key;
    this.#parts.walkCache.insert(fill);
    this.#tell('stage 2 walk cache fill', address);
    this.#table = address;
    this.#level++;
    this.#state = STATE.FETCH;
  }

  #keepLeaf(by: TableConfig): void {
    const { address, permissions, attributes, contiguous } = this.#descriptor;
    const leaf = levelShift(by.granule, this.#level);
    const offset = offsetWithin(this.#ipa, leaf);
    this.pa = address + offset;
    this.permissions = permissions;
    this.attributes = attributes;
    this.shift = contiguous ? runShift(by, this.#level, leaf, this.#ipa - offset, address) : leaf;
    const fill = this.#leafFill;
    fill.vmid = this.#vmid;
    fill.addressLow = this.#low;
    fill.addressHigh = this.#high;
    fill.shift = this.shift;
    fill.sourceShift = this.shift;
    fill.outputLow = this.pa | 0;
    fill.outputHigh = Math.floor(this.pa / 2 ** 32);
    fill.permissions = permissions;
    fill.attributes = attributes;
    fill.level = this.#level;
    fill.granule = by.granule;
    this.#parts.iotlb.insert(fill);
    this.#tell('stage 2 TLB fill', this.pa);
    this.#finish();
  }

  #finish(): void {
    const { protectWalks } = this.#config as StageTwoConfig;
    const walk = this.#purpose !== EVENT_CLASS.INPUT;
    const refused = (this.permissions & this.#needed) !== this.#needed;
    if (refused || (walk && protectWalks && (this.permissions & PERMIT.DEVICE) !== 0))
      return this.#fail(EVENT.F_PERMISSION);
    this.#state = STATE.DONE;
    this.done = true;
  }

  #fail(event: number, fetchAddress = 0): void {
    const { faults } = this.#config as StageTwoConfig;
    stageTwoFault(this.fault, event, faults, this.#purpose, this.#ipa, fetchAddress);
    this.#state = STATE.DONE;
    this.failed = true;
    this.done = true;
  }

  #tell(action: string, address: number): void {
    this.#note.action = action;
    this.#note.address = address;
  }
}

/**
 * log2 of the size of the translation of a descriptor with the Contiguous bit: of the whole run, unless the place of the
 * page in its run differs between input and output. That is a mistake of software, and then the page stands for itself.
 */
export function runShift(by: TableConfig, level: number, leaf: number, input: number, output: number): number {
  const shift = leaf + runLog2(by.granule, level);
  return shift <= by.inputBits && offsetWithin(input, shift) === offsetWithin(output, shift) ? shift : leaf;
}
