import { Cell } from '../../../engine/cell.ts';
import { smp_mb } from '../../../engine/memory-order/barriers.ts';
import { step, type Step, type Task } from '../../../engine/step.ts';
import { COMMAND_ATC_INV, EATS, encode, OPCODE, patch, STE } from '../../../model/architecture/arm/layout/index.ts';
import type { Command } from '../cmdq.ts';
import { ArmSmmuConfigWriter, type EntryChange } from '../config-writer.ts';
import { hex } from '../format.ts';
import type { Master, Mm } from '../objects.ts';
import type { BtmKernel } from './kernel.ts';

/** `Size` of CMD_ATC_INV that means everything (IHI 0070 §4.5.1). */
const ALL_SIZE = 52;

/** Stream table entries that let a device use ATS. */
export class BtmConfigWriter extends ArmSmmuConfigWriter {
  declare protected readonly kernel: BtmKernel;

  override stage1Ste(master: Master): EntryChange {
    const change = super.stage1Ste(master);
    if (!this.kernel.config.ats) return change;
    return { ...change, target: (current) => patch(STE, change.target(current), { EATS: EATS.FULL }) };
  }
}

/**
 * The caches that devices have of their own. They hear no broadcast (IHI 0070 §3.17), so each invalidation of a process is
 * theirs too, by a command, after what the SMMU answers them from has gone.
 */
export class BtmAts {
  protected readonly kernel: BtmKernel;
  /** `master->ats_enabled`, of each device. */
  protected readonly enabled: readonly Cell[];

  constructor(kernel: BtmKernel) {
    this.kernel = kernel;
    this.enabled = kernel.masters.map(({ name }) => new Cell(kernel.machine, `${name}.ats_enabled`));
  }

  /**
   * `arm_smmu_atc_inv_domain()`: one page of a process (or, by default, all of it) in the caches of the devices that have
   * ATS enabled, whether or not they use the process.
   */
  *arm_smmu_atc_inv_domain(mm: Mm, va?: number): Task {
    if (!this.kernel.config.ats) return;
    const devices = yield* this.atsMasters();
    const commands = this.kernel.mastersOf(devices).map((master) => this.command(master, mm.pasid, va));
    if (commands.length > 0) yield* this.kernel.cmdq.issueSync(commands);
  }

  /** `arm_smmu_enable_ats()`: the cache is emptied, then the device may fill it. */
  *arm_smmu_enable_ats(master: Master): Task {
    if (!this.kernel.config.ats) return;
    yield* this.kernel.cmdq.issueSync([this.command(master)]);
    yield* this.pciAts(master, true);
  }

  /** `arm_smmu_disable_ats()`: before the stream table entry makes requests for translations an error. */
  *arm_smmu_disable_ats(master: Master): Task {
    if (this.kernel.config.ats) yield* this.pciAts(master, false);
  }

  /** The devices with ATS, as a bit set; what was stored before is in memory first ("Ensure that we've completed prior …"). */
  protected atsMasters(): Step<number> {
    return step('load ats_enabled', () => {
      smp_mb(this.kernel.machine);
      return this.enabled.reduce((set, { value }, device) => set | (value << device), 0);
    });
  }

  protected *pciAts(master: Master, enabled: boolean): Task {
    yield* step(`pci_${enabled ? 'enable' : 'disable'}_ats(${master.name})`, () => {
      const cell = this.enabled[master.index];
      if (cell !== undefined) cell.value = enabled ? 1 : 0;
      this.kernel.pciAts(master.streamId, enabled);
      return undefined;
    });
  }

  /** CMD_ATC_INV: of one page of a PASID, of all of a PASID, or of everything. */
  protected command({ name, streamId }: Master, pasid?: number, va?: number): Command {
    const place = va === undefined ? { Size: ALL_SIZE } : { Address: va };
    const of = pasid === undefined ? {} : { SSV: 1, SubstreamID: pasid };
    const what = `${pasid === undefined ? '' : ` PASID ${pasid}`}, ${va === undefined ? 'everything' : hex(va)}`;
    return {
      label: `CMD_ATC_INV ${name}${what}`,
      lanes: encode(COMMAND_ATC_INV, { Opcode: OPCODE.ATC_INV, StreamID: streamId, ...of, ...place }),
    };
  }
}
