import { step, type Task } from '../../../engine/step.ts';
import { COMMAND_ATC_INV, encode, OPCODE } from '../../../model/architecture/arm/layout/index.ts';
import type { Command } from '../cmdq.ts';
import { hex } from '../format.ts';
import type { NestedKernel } from './kernel.ts';
import type { Device } from './objects.ts';

/** `Size` of CMD_ATC_INV that means everything (IHI 0070 §4.5.1). */
const ALL_SIZE = 52;
const ATC_PAGE = 4096;

/** A device's own translation cache: ATS on and off, and its invalidation. */
export class ArmSmmuAts {
  protected readonly kernel: NestedKernel;

  constructor(kernel: NestedKernel) {
    this.kernel = kernel;
  }

  /**
   * `arm_smmu_atc_inv_to_cmd()` of a range: one command has a power of two of pages at a multiple of its size, so the
   * smallest such span that covers the range.
   */
  rangeCommand(streamId: number, ssid: number, iova: number, size: number): Command {
    const first = Math.floor(iova / ATC_PAGE);
    const last = Math.floor((iova + size - 1) / ATC_PAGE);
    const log2 = this.log2Span(first, last);
    const span = 2 ** log2;
    const address = (first - (first % span)) * ATC_PAGE;
    const fields = { Opcode: OPCODE.ATC_INV, StreamID: streamId, SubstreamID: ssid, Size: log2, Address: address };
    const extent = log2 === 0 ? '' : `, ${span} pages`;
    return {
      label: `CMD_ATC_INV ${this.nameOf(streamId)}, ${hex(address)}${extent}`,
      lanes: encode(COMMAND_ATC_INV, fields),
    };
  }

  /** log2 of the number of pages of that span: the first bit from which on both ends are the same. */
  protected log2Span(first: number, last: number): number {
    let log2 = 0;
    while (Math.floor(first / 2 ** log2) !== Math.floor(last / 2 ** log2)) log2++;
    return log2;
  }

  /** Everything in the device's cache: without a SubstreamID, it covers all of them. */
  fullCommand(streamId: number): Command {
    const fields = { Opcode: OPCODE.ATC_INV, StreamID: streamId, Size: ALL_SIZE };
    return { label: `CMD_ATC_INV ${this.nameOf(streamId)}, everything`, lanes: encode(COMMAND_ATC_INV, fields) };
  }

  /** `arm_smmu_atc_inv_master()`: empties the cache of one device and waits. */
  *arm_smmu_atc_inv_master(device: Device): Task {
    yield* this.kernel.cmdq.issueSync([this.fullCommand(device.master.streamId)]);
  }

  /**
   * `arm_smmu_enable_ats()`: the stream table entry permits ATS already, and the cache is emptied of what it may hold from
   * earlier, then the device may fill it.
   */
  *arm_smmu_enable_ats(device: Device): Task {
    yield* this.arm_smmu_atc_inv_master(device);
    yield* this.pciAts(device, true);
  }

  /** `pci_disable_ats()`: before the stream table entry makes translation requests an error. */
  *pci_disable_ats(device: Device): Task {
    yield* this.pciAts(device, false);
  }

  /** The write to the device's PCI configuration space. */
  protected *pciAts(device: Device, enabled: boolean): Task {
    const { master, atsEnabled } = device;
    yield* step(`pci_${enabled ? 'enable' : 'disable'}_ats(${master.name})`, () => {
      atsEnabled.value = enabled ? 1 : 0;
      this.kernel.pciAts(master.streamId, enabled);
      return undefined;
    });
  }

  protected nameOf(streamId: number): string {
    return this.kernel.masters.find((master) => master.streamId === streamId)?.name ?? hex(streamId);
  }
}
