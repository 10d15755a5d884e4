/** The event queue counts as full with one entry left. */
import { EventQueue } from '../../../impl/devices/smmuv3/event-queue.ts';
import { SmmuV3Device } from '../../../impl/devices/smmuv3/index.ts';
import type { DeviceHazard } from './hazard.ts';

class Mistaken extends EventQueue {
  protected override isFull(prod: number, cons: number, entries: number): boolean {
    return super.isFull(prod, cons, entries) || ((prod + 1) ^ cons) === entries;
  }
}

class MistakenDevice extends SmmuV3Device {
  protected override createEventQueue(...parts: ConstructorParameters<typeof EventQueue>): EventQueue {
    return new Mistaken(...parts);
  }
}

/** The last record is lost. */
export const queueFullEarly: DeviceHazard = {
  name: 'device-evtq-full-early',
  mistake: 'the last entry of the event queue is never used',
  source: 'IHI 0070 §3.5.1, §7.4',
  check: 'programs',
  make: (memory, options) => new MistakenDevice(memory, options),
};
