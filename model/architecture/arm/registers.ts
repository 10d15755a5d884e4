import type { Store } from '../../../engine/store.ts';
import { featureRegisters, type SmmuFeatures } from './layout/features.ts';
import { read } from './layout/layout.ts';
import { CR0, CR2, GBPA, REGISTER, STRTAB_BASE, STRTAB_BASE_CFG } from './layout/register.ts';

/** What the registers say about where configuration is found and what happens without it. */
export interface StreamTableRegisters {
  /** CR0.SMMUEN. */
  readonly enabled: boolean;
  /** GBPA.ABORT: with the SMMU disabled, abort instead of bypass. */
  readonly globalAbort: boolean;
  /** CR0.ATSCHK: translated accesses are checked against the configuration; false where ATS is not implemented. */
  readonly atsCheck: boolean;
  /** CR2.RECINVSID: record C_BAD_STREAMID. */
  readonly recordBadStreamId: boolean;
  readonly base: number;
  readonly log2Size: number;
  readonly twoLevel: boolean;
  readonly split: number;
}

/** Whether broadcast TLB maintenance must, may, or does not reach the SMMU's caches (IHI 0070 §6.3.12, PTM). */
export type BroadcastMaintenance = 'required' | 'permitted' | 'none';

/** Registers of which a low and a high lane are kept. */
const WRITABLE = [
  REGISTER.CR0,
  REGISTER.CR1,
  REGISTER.CR2,
  REGISTER.GBPA,
  REGISTER.IRQ_CTRL,
  REGISTER.GERROR,
  REGISTER.GERRORN,
  REGISTER.STRTAB_BASE,
  REGISTER.STRTAB_BASE_CFG,
  REGISTER.CMDQ_BASE,
  REGISTER.CMDQ_PROD,
  REGISTER.CMDQ_CONS,
  REGISTER.EVENTQ_BASE,
  REGISTER.EVENTQ_PROD,
  REGISTER.EVENTQ_CONS,
] as const;

/** Those of the PRI queue, where it is implemented. */
const PAGE_REQUESTS = [REGISTER.PRIQ_BASE, REGISTER.PRIQ_PROD, REGISTER.PRIQ_CONS] as const;

/** The registers of the Non-secure programming interface that the model knows (IHI 0070 §6.2). Changes act at once. */
export class Registers {
  readonly #store: Store;
  readonly #cells = new Map<number, number>();
  readonly #constants = new Map<number, number>();
  readonly #features: SmmuFeatures;
  /** Cell, where IDR0.BTM = 1: CR2.PTM has changed since SMMUEN was 1. */
  readonly #participationChanged: number;

  constructor(store: Store, features: SmmuFeatures) {
    this.#store = store;
    this.#features = features;
    this.#participationChanged = features.btm ? store.reserve(1, 'CR2.PTM has changed') : -1;
    const writable = features.pri ? [...WRITABLE, ...PAGE_REQUESTS] : WRITABLE;
    const base = store.reserve(2 * writable.length, 'SMMU registers');
    for (const [at, offset] of writable.entries()) this.#cells.set(offset, base + 2 * at);
    const { idr0, idr1, idr3, idr5 } = featureRegisters(features);
    this.#constants.set(REGISTER.IDR0, idr0).set(REGISTER.IDR1, idr1).set(REGISTER.IDR3, idr3);
    this.#constants.set(REGISTER.IDR5, idr5);
  }

  /** Reads 32 bits. Offset 4 into a 64-bit register reads its high half; what is not modelled reads as 0. */
  read(offset: number): number {
    // Reserved fields are not acknowledged (§6.3.9).
    if (offset === REGISTER.CR0ACK) return this.read(REGISTER.CR0) & this.#controlMask();
    if (offset === REGISTER.IRQ_CTRLACK) return this.read(REGISTER.IRQ_CTRL);
    const cell = this.#cells.get(offset);
    if (cell !== undefined) return this.#store.get(cell);
    const lower = this.#cells.get(offset - 4);
    if (lower !== undefined && isWide(offset - 4)) return this.#store.get(lower + 1);
    return this.#constants.get(offset) ?? 0;
  }

  /**
   * Software writes 32 bits, or 64 if `high` is given. Writes to what is not modelled, or read-only now, are ignored.
   */
  write(offset: number, low: number, high?: number): void {
    if (this.#readOnly(isWide(offset - 4) ? offset - 4 : offset)) return;
    const cell = this.#cells.get(offset);
    if (cell !== undefined) {
      if (this.#features.btm) this.#noteParticipation(offset, low);
      // GBPA.UPDATE is cleared as soon as the update is made (§6.3.14).
      this.#store.set(cell, offset === REGISTER.GBPA ? low & 0x7fff_ffff : low);
      if (high !== undefined) this.#store.set(cell + 1, high);
      return;
    }
    const lower = this.#cells.get(offset - 4);
    if (lower !== undefined && isWide(offset - 4)) this.#store.set(lower + 1, low);
  }

  /** The SMMU itself changes the low lane of a register. */
  set(offset: number, low: number): void {
    this.#store.set(this.#cells.get(offset) as number, low);
  }

  /** Both lanes of a register. */
  lanes(offset: number): [number, number] {
    const cell = this.#cells.get(offset) as number;
    return [this.#store.get(cell), this.#store.get(cell + 1)];
  }

  get enabled(): boolean {
    return (this.read(REGISTER.CR0) & 1) === 1;
  }

  get commandQueueEnabled(): boolean {
    return read(CR0.fields.CMDQEN, this.lanes(REGISTER.CR0)) === 1;
  }

  get eventQueueEnabled(): boolean {
    return read(CR0.fields.EVENTQEN, this.lanes(REGISTER.CR0)) === 1;
  }

  /** CR2.E2H: STE.STRW = 2 selects the EL2-E2H regime, whose entries have an ASID; only where EL2 is implemented. */
  get e2h(): boolean {
    return this.#features.hyp && read(CR2.fields.E2H, this.lanes(REGISTER.CR2)) === 1;
  }

  /**
   * With PTM = 1 broadcast invalidations of Non-secure EL1 and EL2 need not have an effect (§6.3.12). A change of PTM may
   * take effect at any time until SMMUEN is 1 again: before that they need not have one either (§6.3.12.1).
   */
  get broadcast(): BroadcastMaintenance {
    if (!this.#features.btm) return 'none';
    if (this.#store.get(this.#participationChanged) === 1) return 'permitted';
    return read(CR2.fields.PTM, this.lanes(REGISTER.CR2)) === 1 ? 'permitted' : 'required';
  }

  /** See `StreamTableRegisters`. */
  get atsCheck(): boolean {
    return this.#features.ats && read(CR0.fields.ATSCHK, this.lanes(REGISTER.CR0)) === 1;
  }

  /** See `StreamTableRegisters`. */
  streamTable(): StreamTableRegisters {
    const config = this.lanes(REGISTER.STRTAB_BASE_CFG);
    const f = STRTAB_BASE_CFG.fields;
    return {
      enabled: this.enabled,
      globalAbort: read(GBPA.fields.ABORT, this.lanes(REGISTER.GBPA)) === 1,
      atsCheck: this.atsCheck,
      recordBadStreamId: read(CR2.fields.RECINVSID, this.lanes(REGISTER.CR2)) === 1,
      base: read(STRTAB_BASE.fields.ADDR, this.lanes(REGISTER.STRTAB_BASE)),
      log2Size: read(f.LOG2SIZE, config),
      twoLevel: this.#features.stLevel && read(f.FMT, config) === 1,
      split: splitOf(read(f.SPLIT, config)),
    };
  }

  /**
   * What the SMMU alone writes, and what is guarded by an enable bit: before SMMUv3.2 the latter may take any value
   * instead, so programs that are to be judged must not write it (§6.3.12, §6.3.26, §6.3.28, §6.3.29). STRTAB_BASE,
   * guarded in the same way, takes effect here.
   */
  #readOnly(offset: number): boolean {
    switch (offset) {
      case REGISTER.GERROR:
        return true;
      case REGISTER.CR2:
        return this.enabled;
      case REGISTER.CMDQ_BASE:
      case REGISTER.CMDQ_CONS:
        return this.commandQueueEnabled;
      case REGISTER.EVENTQ_BASE:
      case REGISTER.EVENTQ_PROD:
        return this.eventQueueEnabled;
      case REGISTER.PRIQ_BASE:
      case REGISTER.PRIQ_PROD:
        return read(CR0.fields.PRIQEN, this.lanes(REGISTER.CR0)) === 1;
      default:
        return false;
    }
  }

  #noteParticipation(offset: number, low: number): void {
    if (offset === REGISTER.CR0 && read(CR0.fields.SMMUEN, [low, 0]) === 1)
      this.#store.set(this.#participationChanged, 0);
    const { PTM } = CR2.fields;
    if (offset === REGISTER.CR2 && read(PTM, [low, 0]) !== read(PTM, this.lanes(REGISTER.CR2)))
      this.#store.set(this.#participationChanged, 1);
  }

  #controlMask(): number {
    const { SMMUEN, PRIQEN, EVENTQEN, CMDQEN, ATSCHK } = CR0.fields;
    const { ats, pri } = this.#features;
    const fields = [SMMUEN, EVENTQEN, CMDQEN, ...(pri ? [PRIQEN] : []), ...(ats ? [ATSCHK] : [])];
    return fields.reduce((mask, { lsb }) => mask | (1 << lsb), 0);
  }
}

function isWide(offset: number): boolean {
  return (
    offset === REGISTER.STRTAB_BASE ||
    offset === REGISTER.CMDQ_BASE ||
    offset === REGISTER.EVENTQ_BASE ||
    offset === REGISTER.PRIQ_BASE
  );
}

/** Reserved values behave as 6 (§6.3.25). */
function splitOf(split: number): number {
  return split === 8 || split === 10 ? split : 6;
}
