/**
 * A running `virt` machine as a device under test: its SMMUv3, its DMA devices, its RAM, and a way back to reset state.
 */
import { findOnPath, qemuArmName, qemuVersion } from './binary.ts';
import type { QemuVersion } from './binary.ts';
import { Edu } from './edu.ts';
import { enablePciBridge, enablePciDevice } from './pci.ts';
import { QemuProcess } from './process.ts';
import type { GuestRam } from './ram.ts';
import { Rocker } from './rocker.ts';
import { SmmuPort } from './smmuv3-port.ts';
import type { QueuePlace } from './smmuv3-port.ts';
import { idleFirmware, ramBytesMax, streamIdOfSlot, virtArguments, virtBridges, virtDevices, virtMap } from './virt.ts';

/** A device that does DMA, and the StreamID of its transactions. */
export type DmaDevice =
  | { readonly kind: 'rocker'; readonly streamId: number; readonly rocker: Rocker }
  | { readonly kind: 'edu'; readonly streamId: number; readonly edu: Edu };

/** What a machine is started with. */
export interface MachineOptions {
  /** RAM size, bytes; sparse, so that a large one costs nothing. Versions before 8 get at most 2 GiB. */
  readonly ramBytes: number;
  readonly commandQueue: QueuePlace;
  readonly eventQueue: QueuePlace;
  /** Milliseconds without an answer that count as a hang. */
  readonly millisecondsMax?: number;
  /** The binary: a name looked for on PATH, or a path; by default the one that `QEMU_ARM` says. */
  readonly binary?: string;
}

/** Thrown by `QemuMachine.start` when there is no QEMU that could be started; says what to install. */
export class QemuMissing extends Error {
  constructor(name = qemuArmName()) {
    super(`no usable ${name} found (see the doctor command for how to install QEMU)`);
    this.name = 'QemuMissing';
  }
}

/** One QEMU process with everything the harness uses of it. */
export class QemuMachine {
  readonly version: QemuVersion;
  readonly process: QemuProcess;
  readonly smmu: SmmuPort;
  /** The DMA devices in the order of `virtDevices`. */
  readonly devices: readonly DmaDevice[];
  readonly #bars: readonly number[];

  /**
   * Starts a process and brings the machine to its reset state.
   *
   * @throws QemuMissing if there is no binary; QemuGone if it ends at once (its message says why).
   */
  static async start(options: MachineOptions): Promise<QemuMachine> {
    const name = options.binary ?? qemuArmName();
    const binary = findOnPath(name);
    const version = binary === undefined ? undefined : qemuVersion(binary);
    if (binary === undefined || version === undefined) throw new QemuMissing(name);
    const process = await QemuProcess.start({
      binary,
      machine: virtArguments(version),
      ram: { base: virtMap.ram, size: Math.min(options.ramBytes, ramBytesMax(version)) },
      firmware: idleFirmware(),
      millisecondsMax: options.millisecondsMax ?? 5000,
    });
    const machine = new QemuMachine(version, process, options);
    try {
      await machine.#enableDevices();
    } catch (error) {
      await machine.stop();
      throw error;
    }
    return machine;
  }

  private constructor(version: QemuVersion, process: QemuProcess, options: MachineOptions) {
    this.version = version;
    this.process = process;
    this.smmu = new SmmuPort(process.qtest, process.ram, virtMap.smmu, options.commandQueue, options.eventQueue);
    // Each BAR is at most 1 MiB; 2 MiB apart satisfies every alignment.
    this.#bars = virtDevices.map((_, index) => virtMap.pciMemory + index * 0x20_0000);
    this.devices = virtDevices.map(({ kind, bus, slot }, index) => {
      const bar = this.#bars[index] as number;
      const streamId = streamIdOfSlot(bus, slot);
      if (kind === 'rocker') return { kind, streamId, rocker: new Rocker(process.qtest, bar) };
      return { kind, streamId, edu: new Edu(process, bar) };
    });
  }

  /** The guest's memory. */
  get ram(): GuestRam {
    return this.process.ram;
  }

  /**
   * Resets the machine: the SMMU's registers and caches and the devices; RAM and edu's buffers keep their content.
   *
   * @throws QemuGone if the process ends meanwhile.
   */
  async reset(): Promise<void> {
    const { qmp } = this.process;
    const done = qmp.event('RESET');
    // Both are awaited at once, so that the end of the process leaves neither rejection unhandled.
    await Promise.all([done, qmp.execute('system_reset')]);
    await this.#enableDevices();
  }

  /** Waits until everything queued so far has been carried out. */
  async settle(): Promise<void> {
    await this.process.qtest.readl(virtMap.smmu);
  }

  /** Ends the process; safe after a crash. */
  async stop(): Promise<void> {
    await this.process.stop();
  }

  /** Gives the devices their addresses and lets them do DMA; a reset takes both away. */
  async #enableDevices(): Promise<void> {
    const { qtest } = this.process;
    for (const { slot, bus } of virtBridges) {
      const behind = virtDevices.findIndex((device) => device.bus === bus);
      enablePciBridge(qtest, virtMap.ecam, slot, bus, this.#bars[behind] as number);
    }
    for (const [index, place] of virtDevices.entries())
      enablePciDevice(qtest, virtMap.ecam, place, this.#bars[index] as number);
    for (const device of this.devices) if (device.kind === 'rocker') device.rocker.setSize(4);
    await this.settle();
  }
}
