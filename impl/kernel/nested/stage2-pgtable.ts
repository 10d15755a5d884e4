import type { Task } from '../../../engine/step.ts';
import {
  encode,
  extract,
  levelShift,
  STAGE2_LEAF,
  TABLE_DESCRIPTOR,
} from '../../../model/architecture/arm/layout/index.ts';
import { READ, WRITE, type Permissions } from '../../../model/contract/events.ts';
import { ArmLpaeIoPgtable, LEAF_LEVEL, type EntryCode } from '../io-pgtable.ts';
import type { Space } from '../objects.ts';
import type { TlbRange } from '../tlb.ts';
import type { NestedKernel } from './kernel.ts';
import type { PagingDomain } from './objects.ts';

/** Most tables of one level that stage 2 may put side by side instead of a level above them (Arm ARM D8.2.2). */
const CONCATENATED_MAX = 16;
/** `MemAttr` of normal write-back memory, where stage 1 does not say less (Arm ARM D8.6.6). */
const WRITE_BACK = 0xf;
const INNER_SHAREABLE = 3;
const EXECUTE_NEVER = 2;
const LEAF = 1;
const TABLE = 3;
const READ_ONLY = 4;

/** Stage 1 tables of a private domain that is invalidated by its set. */
export class Stage1Pgtable extends ArmLpaeIoPgtable {
  override tlbInvRange(space: Space, range: TlbRange): Task {
    return (this.kernel as NestedKernel).invalidation.arm_smmu_domain_inv_range(space, range);
  }
}

/**
 * VMSAv8-64 stage 2 tables (`arm_64_lpae_alloc_pgtable_s2()`): permissions and attributes are in other bits, and a level
 * of at most sixteen entries at the top is left out: the tables below it stand side by side ("concatenated").
 */
export class Stage2Pgtable extends ArmLpaeIoPgtable {
  override readonly startLevel: number;
  /** Number of tables at the start level. */
  readonly concatenated: number;
  readonly #ipaBits: number;

  constructor(kernel: NestedKernel) {
    super(kernel);
    this.#ipaBits = kernel.nesting.ipaBits;
    const { granule } = kernel.config;
    let level = 4 - Math.ceil((this.#ipaBits - granule) / (granule - 3));
    const entries = 2 ** (this.#ipaBits - levelShift(granule, level));
    if (level < LEAF_LEVEL && entries <= CONCATENATED_MAX) level += 1;
    this.startLevel = level;
    const above = this.#ipaBits - levelShift(granule, level - 1);
    this.concatenated = above > 0 ? 2 ** above : 1;
  }

  override tlbInvRange(space: Space, range: TlbRange): Task {
    return (this.kernel as NestedKernel).invalidation.arm_smmu_domain_inv_range(space, range);
  }

  /** The tables of the start level, inside a step: as many pages in a row, or 0. */
  allocPgd(): number {
    const { failNth, pages } = this.kernel;
    const pa = failNth.shouldFail() ? 0 : pages.allocRun(this.concatenated);
    if (pa !== 0) this.kernel.emit({ type: 'table.alloc', pa, size: this.concatenated * this.pageBytes });
    return pa;
  }

  /** Gives the tables of the start level back, inside a step. */
  releasePgd(domain: PagingDomain): void {
    const pgd = domain.pgd.value >>> 0;
    for (let at = 0; at < this.concatenated; at++) this.releasePage(pgd + at * this.pageBytes);
  }

  override decode(ptep: number, level: number): EntryCode {
    const low = this.kernel.memory.low(ptep);
    if ((low & 1) === 0) return 0;
    const address = extract(TABLE_DESCRIPTOR.fields.Address, low, this.kernel.memory.high(ptep));
    if (level < LEAF_LEVEL && (low & 2) !== 0) return address + TABLE;
    const readOnly = (extract(STAGE2_LEAF.fields.S2AP, low, 0) & WRITE) === 0;
    return address + LEAF + (readOnly ? READ_ONLY : 0);
  }

  /** Lanes of a stage 2 leaf entry (`arm_lpae_prot_to_pte`): S2AP has a bit for reads and one for writes. */
  protected override leaf(pa: number, level: number, permissions: Permissions): number[] {
    return encode(STAGE2_LEAF, {
      Valid: 1,
      Page: level === LEAF_LEVEL ? 1 : 0,
      MemAttr: WRITE_BACK,
      S2AP: permissions & (READ | WRITE),
      SH: INNER_SHAREABLE,
      AF: 1,
      XN: EXECUTE_NEVER,
      Address: pa,
    });
  }

  protected override entriesOf(level: number): number {
    const { granule } = this.kernel.config;
    return level === this.startLevel ? 2 ** (this.#ipaBits - levelShift(granule, level)) : 2 ** (granule - 3);
  }
}
