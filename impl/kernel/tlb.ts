import { afterMb } from '../../engine/memory-order/barriers.ts';
import { step, type Step, type Task } from '../../engine/step.ts';
import { COMMAND_TLBI, encode, OPCODE } from '../../model/architecture/arm/layout/index.ts';
import type { Command } from './cmdq.ts';
import { hex, tagsOf } from './format.ts';
import type { Kernel } from './kernel.ts';
import type { Space } from './objects.ts';

/** A range to invalidate: bytes, the size of the entries in it, and whether only leaves changed. */
export interface TlbRange {
  readonly iova: number;
  readonly size: number;
  /** Size in bytes of the leaf entries, which gives the level hint. */
  readonly granule: number;
  /** True: only leaf entries were changed; false: tables too, so that walk caches must go. */
  readonly leaf: boolean;
}

/** One range command: its fields and how many bytes it covers. */
export interface RangeCommand {
  readonly scale: number;
  readonly num: number;
  /** Pages covered. */
  readonly pages: number;
}

/** Pages above which an address space is flushed instead when there is no range invalidation (`CMDQ_MAX_TLBI_OPS`). */
const PAGES_MAX = 512;
/** Largest number of chunks in one range command (`CMDQ_TLBI_RANGE_NUM_MAX`). */
const NUM_MAX = 31;
/** More commands than any range needs: an encoding that produces them does not end. */
const COMMANDS_MAX = 1024;

/** TLB invalidation by the command queue. */
export class ArmSmmuTlb {
  protected readonly kernel: Kernel;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
  }

  /**
   * The tags that an invalidation of a space must cover, as a bit set. Called after the page table was changed: a tag
   * that is published later can only be used by walks that see the change; for that, the change must be in memory before
   * the set is read (`smp_mb` of `arm_smmu_domain_inv_range`, paired with the one after the set is published).
   */
  invalidationSet(space: Space): Step<number> {
    return afterMb(this.kernel.machine, space.invs.load());
  }

  /** `arm_smmu_tlb_inv_range_domain()`: invalidates a range under every tag of a space and waits. */
  *arm_smmu_tlb_inv_range_domain(space: Space, range: TlbRange): Task {
    const tags = yield* this.invalidationSet(space);
    if (tags === 0 || range.size === 0) return;
    const commands = this.rangeCommands(tags, range);
    if (commands.length < COMMANDS_MAX) yield* this.arm_smmu_cmdq_batch_submit(commands);
    else yield* this.softLockup(range);
  }

  /** The commands that cover a range under every tag of a set. */
  rangeCommands(tags: number, range: TlbRange): Command[] {
    return tagsOf(tags).flatMap((asid) => this.arm_smmu_tlb_inv_range(asid, range));
  }

  /** `arm_smmu_tlb_inv_context()`: invalidates everything under every tag of a space and waits. */
  *arm_smmu_tlb_inv_context(space: Space): Task {
    const tags = yield* this.invalidationSet(space);
    if (tags !== 0) yield* this.arm_smmu_cmdq_batch_submit(tagsOf(tags).map((asid) => this.asidCommand(asid)));
  }

  /** `arm_smmu_tlb_inv_asid()`: invalidates everything under one tag and waits. */
  *arm_smmu_tlb_inv_asid(asid: number): Task {
    yield* this.arm_smmu_cmdq_batch_submit([this.asidCommand(asid)]);
  }

  /** Issues a batch with a CMD_SYNC and waits for it. */
  *arm_smmu_cmdq_batch_submit(commands: readonly Command[]): Task {
    yield* this.kernel.cmdq.issueSync(commands);
  }

  /** CMD_TLBI_NH_ASID. */
  asidCommand(asid: number): Command {
    const lanes = encode(COMMAND_TLBI, { Opcode: OPCODE.TLBI_NH_ASID, ASID: asid });
    return { label: `CMD_TLBI_NH_ASID ASID ${asid}`, lanes };
  }

  /**
   * `__arm_smmu_tlb_inv_range()`: the commands that cover a range under one tag. With range invalidation a command
   * covers (Num+1) * 2^Scale pages (IHI 0070 §4.4.1.1); without, one page each, or everything if there are too many.
   */
  arm_smmu_tlb_inv_range(asid: number, range: TlbRange): Command[] {
    if (!this.kernel.config.rangeInvalidation) return this.#singlePages(asid, range);
    const tg = this.kernel.config.granule;
    const ttl = this.ttl(range);
    let pages = this.rangePages(range);
    let { iova } = range;
    const commands: Command[] = [];
    while (iova < range.iova + range.size) {
      if (commands.length === COMMANDS_MAX) break;
      const command = this.rangeCommand(pages);
      const fields = { Num: command.num, Scale: command.scale, TG: (tg - 10) / 2, TTL: ttl };
      commands.push(this.vaCommand(asid, iova, range, command.pages, fields));
      pages -= command.pages;
      iova += command.pages * 2 ** tg;
    }
    return commands;
  }

  /** Number of pages of a range. Tables have no level hint, and a range of one page without it would be reserved. */
  protected rangePages(range: TlbRange): number {
    const pages = Math.floor(range.size / 2 ** this.kernel.config.granule);
    return !range.leaf && (pages & NUM_MAX) === 1 ? pages + 1 : pages;
  }

  /** Level hint: the level of the leaves, 0 (any) if tables were changed too. */
  protected ttl(range: TlbRange): number {
    const tg = this.kernel.config.granule;
    return range.leaf ? 4 - Math.floor((Math.log2(range.granule) - 3) / (tg - 3)) : 0;
  }

  /** The next command of a range of `pages` pages: five bits of what remains. No pages make no progress. */
  protected rangeCommand(pages: number): RangeCommand {
    if (pages === 0) return { scale: 0, num: 0, pages: 0 };
    const scale = Math.log2(pages & -pages);
    const chunks = (pages >>> scale) & NUM_MAX;
    return { scale, num: chunks - 1, pages: chunks * 2 ** scale };
  }

  /** CMD_TLBI_NH_VA. */
  protected vaCommand(
    asid: number,
    iova: number,
    range: TlbRange,
    pages: number,
    fields: { Num?: number; Scale?: number; TG?: number; TTL?: number },
  ): Command {
    const leaf = range.leaf ? 1 : 0;
    const lanes = encode(COMMAND_TLBI, { Opcode: OPCODE.TLBI_NH_VA, ASID: asid, Address: iova, Leaf: leaf, ...fields });
    const extent = pages === 1 ? '' : `, ${pages} pages`;
    return { label: `CMD_TLBI_NH_VA ASID ${asid}, ${hex(iova)}${extent}`, lanes };
  }

  /** The driver does not come out of its loop: what the kernel's watchdog calls a soft lockup. */
  protected softLockup(range: TlbRange): Step<undefined> {
    const extent = `${hex(range.iova)}+${hex(range.size)}`;
    return step(`issue commands for ${extent} without end`, () => {
      this.kernel.machine.fail({
        monitor: 'safety',
        rule: 'soft-lockup',
        message: `The invalidation of ${extent} issues commands without end.`,
      });
      return undefined;
    });
  }

  #singlePages(asid: number, range: TlbRange): Command[] {
    const commands: Command[] = [];
    if (range.size >= PAGES_MAX * range.granule) return [this.asidCommand(asid)];
    for (let at = 0; at < range.size; at += range.granule)
      commands.push(this.vaCommand(asid, range.iova + at, range, 1, {}));
    return commands;
  }
}
