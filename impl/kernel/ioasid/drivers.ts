import { Cell } from '../../../engine/cell.ts';
import type { PasidNotice } from '../../../model/contract/events.ts';
import type { IoasidKernel } from './kernel.ts';
import type { IoasidData } from './objects.ts';

/**
 * Drivers of devices, as listeners: a work queue of the device is set up for a number before the IOMMU has the entry, and is
 * stopped after it. Each called inside a step.
 */
export class DeviceDrivers {
  protected readonly kernel: IoasidKernel;
  /** By device, the number that its work queue submits by; 0: it is stopped. */
  protected readonly queues: readonly Cell[];

  constructor(kernel: IoasidKernel) {
    this.kernel = kernel;
    this.queues = Array.from(
      { length: kernel.layout.chains === true ? kernel.layout.devices : 0 },
      (_, device) => new Cell(kernel.machine, `work queue(dev${device}).pasid`),
    );
  }

  /** A driver is told of a number. */
  hears(notice: PasidNotice, data: IoasidData, device: number): void {
    if (notice === 'BIND') this.set(device, data.id.value);
    else if (this.#queue(device).value === data.id.value) this.set(device, 0);
  }

  /** The driver goes. */
  stop(device: number): void {
    this.set(device, 0);
  }

  protected set(device: number, pasid: number): void {
    this.#queue(device).value = pasid;
    this.kernel.emit({ type: 'pasid.queue', device, pasid });
  }

  #queue(device: number): Cell {
    const queue = this.queues[device];
    if (queue === undefined) throw new RangeError(`dev${device} has no work queue`);
    return queue;
  }
}
