import { step, waitStep, type Step, type Task } from '../../../engine/step.ts';
import { newHandle, pasidCell } from './attach.ts';
import type { IopfKernel } from './kernel.ts';
import { REPLACING, type AttachHandle, type IopfDevice } from './objects.ts';

/**
 * A PASID goes from one space to another while its device runs (`drivers/iommu/iommu.c`).
 *
 * A request does not say by which entry it was made: in the queue there are those of the old one and of the new one at once,
 * until all that was sent before the new entry has arrived and has been taken. So no order of the two changes alone is right.
 * Meanwhile nobody is asked, and the device is told to try again: then it asks by the new entry.
 */
export class IommuReplace {
  protected readonly kernel: IopfKernel;

  constructor(kernel: IopfKernel) {
    this.kernel = kernel;
  }

  /** `iommu_replace_device_pasid()`. False if there is nothing attached, or this very space, or no memory. */
  *iommu_replace_device_pasid(device: IopfDevice, pasid: number, space: number): Task<boolean> {
    yield* device.group.lock();
    const found = yield* pasidCell(device, pasid).load();
    const old = found === 0 ? undefined : this.kernel.handles.at(found);
    const done = old !== undefined && (yield* this.replaceLocked(device, pasid, old, space));
    yield* device.group.unlock();
    return done;
  }

  /** First what can fail. */
  protected *replaceLocked(device: IopfDevice, pasid: number, old: AttachHandle, space: number): Task<boolean> {
    const handle = yield* this.allocHandle(old, space);
    if (handle === 0) return false;
    yield* this.swap(device, pasid, old, this.kernel.handles.at(handle));
    return true;
  }

  /** The new entry takes the place of the old one, and the new handler of the old one. */
  protected *swap(device: IopfDevice, pasid: number, old: AttachHandle, now: AttachHandle): Task {
    yield* this.begin(device, old, now);
    yield* this.writeEntry(device, now);
    yield* this.devtlb_invalidation(device);
    yield* this.kernel.prq.intel_iommu_drain_pasid_prq(device, pasid);
    if (this.kernel.fault !== undefined) yield* this.kernel.fault.auto_response_faults(old);
    yield* this.storeHandle(device, now);
    yield* this.replaced(device, old, now);
  }

  protected allocHandle(old: AttachHandle, space: number): Step<number> {
    return step('kzalloc(handle)', () =>
      old.space.value === space ? 0 : newHandle(this.kernel, old.pasid.value, space),
    );
  }

  /** Nobody is asked from now on. */
  protected begin(device: IopfDevice, old: AttachHandle, now: AttachHandle): Step<undefined> {
    return step(`xa_cmpxchg(${device.name}.pasid_array, ${old.name}, replacing)`, () => {
      this.told('pri.replace.begin', device, old, now);
      pasidCell(device, old.pasid.value).value = REPLACING;
      return undefined;
    });
  }

  /** `intel_pasid_replace_first_level()`: one write, so that there is an entry at all times. */
  protected writeEntry(device: IopfDevice, now: AttachHandle): Step<undefined> {
    return step(`PASID entry(${device.name}) := ${now.name}, flush`, () => {
      this.kernel.port.writeEntry(device.index, now.pasid.value, now.space.value);
      return undefined;
    });
  }

  /** What the device has sent by the old entry has arrived. */
  protected *devtlb_invalidation(device: IopfDevice): Task {
    const { port, machine, layout } = this.kernel;
    const commands = layout.stall ? `CMD_CFGI_CD, CMD_SYNC of ${device.name}` : `device-TLB flush of ${device.name}`;
    yield* waitStep(commands, port.arrived(device.index), () => {
      machine.mightSleep('qi_submit_sync');
      return undefined;
    });
  }

  protected storeHandle(device: IopfDevice, now: AttachHandle): Step<undefined> {
    return step(`xa_store(${device.name}.pasid_array, ${now.name})`, () => {
      pasidCell(device, now.pasid.value).value = now.handle;
      return undefined;
    });
  }

  /** The promise of replacement: the old space can go. */
  protected replaced(device: IopfDevice, old: AttachHandle, now: AttachHandle): Step<undefined> {
    return step(`kfree(${old.name})`, () => {
      this.told('pri.replace.end', device, old, now);
      this.kernel.handles.free(old.handle);
      return undefined;
    });
  }

  /** Inside a step. */
  protected told(
    type: 'pri.replace.begin' | 'pri.replace.end',
    device: IopfDevice,
    old: AttachHandle,
    now: AttachHandle,
  ): void {
    this.kernel.emit({
      type,
      device: device.index,
      pasid: now.pasid.value,
      from: old.space.value,
      to: now.space.value,
    });
  }
}
