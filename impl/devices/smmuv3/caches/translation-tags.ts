import { Tags, type TagsOptions } from './tags.ts';

/** StreamWorlds of the Non-secure state (IHI 0070 §3.17): the regimes that translations are tagged with. */
export const WORLD = { NS_EL1: 0, NS_EL2: 1, NS_EL2_E2H: 2 } as const;

/** Size of the table of tags of translations. */
export interface TranslationTagsOptions extends TagsOptions {
  /** 8 or 16; 0 where there is no stage 2, so that nothing is tagged with a VMID. Default 16. */
  readonly vmidBits?: number;
}

/** Rows of `TranslationTags.selected`, in words: what `select` has found, ids 0 for none. */
export const SELECTED = { SPACE: 0, CODE: 1, EPOCH: 2, LOCAL_ID: 3, GLOBAL_ID: 4 } as const;

/** Rows, a power of two, and words of a row. */
const ROWS = 256;
const ROW_WORDS = 8;

/** Code of a context: the ASID and, in bit 16, the ASET. */
const ASET_BIT = 1 << 16;
/** Code of the context of global entries: this, and the ASET in bit 0 (§3.17.1). */
const GLOBAL = 1 << 17;

/**
 * Tags of translations: StreamWorld, VMID, ASID or global, ASET; entries of stage 2 alone have a space of their own for
 * each VMID (IHI 0070 §3.17). In a world without ASIDs all entries have ASID 0; without VMIDs, VMID 0.
 *
 * One table serves all caches of translations and of table descriptors, so one invalidation by tag acts on all of them.
 */
export class TranslationTags extends Tags {
  /** The last selections, so that not each access goes through the hash table twice. */
  readonly selected = new Int32Array(ROWS * ROW_WORDS);
  readonly #vmidBits: number;
  readonly #vmidMask: number;
  /** Rows of another one are void. */
  #rowsEpoch = 1;
  /** The very last selection. */
  #lastSpace = -1;
  #lastCode = -1;
  #lastRow = 0;

  constructor({ vmidBits = 16, ...options }: TranslationTagsOptions) {
    super(3, (2 << vmidBits) + 2, options);
    this.#vmidBits = vmidBits;
    this.#vmidMask = (1 << vmidBits) - 1;
  }

  /** Space of the entries with stage 1 of a VMID. */
  stage1(world: number, vmid: number): number {
    // Cut, so that a VMID beyond those implemented is never taken for a space of stage 2.
    return world === WORLD.NS_EL1 ? vmid & this.#vmidMask : (1 << (this.#vmidBits + 1)) + world - 1;
  }

  /** Space of the entries of stage 2 alone of a VMID, in the world NS-EL1. */
  stage2(vmid: number): number {
    return (1 << this.#vmidBits) | (vmid & this.#vmidMask);
  }

  /**
   * Finds what an access may use: the entries of its ASID, and the global ones of its ASET.
   *
   * @returns where the row with the ids is in `selected`.
   */
  select(world: number, vmid: number, asid: number, aset: number): number {
    const space = this.stage1(world, vmid);
    const code = this.codeOf(asid, aset);
    if (space === this.#lastSpace && code === this.#lastCode) return this.#lastRow;
    const row = ((asid + (aset << 7) + (Math.imul(space, 0x9e3779b1) >>> 16)) & (ROWS - 1)) * ROW_WORDS;
    const { selected } = this;
    if (
      selected[row + SELECTED.CODE] !== code ||
      selected[row + SELECTED.SPACE] !== space ||
      selected[row + SELECTED.EPOCH] !== this.#rowsEpoch
    )
      this.#fillRow(row, space, code, this.globalCode(aset));
    this.#lastSpace = space;
    this.#lastCode = code;
    this.#lastRow = row;
    return row;
  }

  /** The id for new entries with stage 1. */
  idForStage1(world: number, vmid: number, asid: number, aset: number, global: boolean): number {
    const row = this.select(world, vmid, asid, aset);
    const id = this.selected[row + (global ? SELECTED.GLOBAL_ID : SELECTED.LOCAL_ID)] as number;
    if (id !== 0) return id;
    const code = global ? this.globalCode(aset) : this.codeOf(asid, aset);
    return this.idOf(this.intern(world, this.stage1(world, vmid), code));
  }

  /** The context for new entries of stage 2 alone. */
  internStage2(vmid: number): number {
    return this.intern(WORLD.NS_EL1, this.stage2(vmid), 0);
  }

  /** Code of the context of an ASID. */
  codeOf(asid: number, aset: number): number {
    return aset === 0 ? asid : asid | ASET_BIT;
  }

  /** Code of the context of global entries. */
  globalCode(aset: number): number {
    return GLOBAL | aset;
  }

  /**
   * Drops what is not global of an ASID: CMD_TLBI_NH_ASID, CMD_TLBI_EL2_ASID. Commands disregard the ASET (§4.4).
   */
  dropAsid(world: number, vmid: number, asid: number): void {
    const space = this.stage1(world, vmid);
    this.dropContext(space, this.codeOf(asid, 0));
    this.dropContext(space, this.codeOf(asid, 1));
  }

  /** Drops everything with stage 1 of a VMID, global entries too: CMD_TLBI_NH_ALL (§4.4.2.1). */
  dropStage1(world: number, vmid: number): void {
    this.dropSpace(this.stage1(world, vmid));
  }

  /** Drops everything of a VMID: CMD_TLBI_S12_VMALL (§4.4.3.2). */
  dropVmid(vmid: number): void {
    this.dropSpace(this.stage1(WORLD.NS_EL1, vmid));
    this.dropSpace(this.stage2(vmid));
  }

  /** Drops everything of a world: CMD_TLBI_NSNH_ALL, CMD_TLBI_EL2_ALL (for both EL2 worlds). */
  dropWorld(world: number): void {
    this.dropGroup(world);
  }

  protected override changed(): void {
    this.#lastSpace = -1;
    if (this.#rowsEpoch === 2 ** 31 - 1) {
      this.#rowsEpoch = 0;
      this.selected.fill(0);
    }
    this.#rowsEpoch++;
  }

  #fillRow(row: number, space: number, code: number, globalCode: number): void {
    const { selected } = this;
    const local = this.find(space, code);
    const global = this.find(space, globalCode);
    selected[row + SELECTED.SPACE] = space;
    selected[row + SELECTED.CODE] = code;
    selected[row + SELECTED.LOCAL_ID] = local < 0 ? 0 : this.idOf(local);
    selected[row + SELECTED.GLOBAL_ID] = global < 0 ? 0 : this.idOf(global);
    selected[row + SELECTED.EPOCH] = this.#rowsEpoch;
  }
}
