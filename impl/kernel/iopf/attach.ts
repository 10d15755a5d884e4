import { step, waitStep, type Step, type Task } from '../../../engine/step.ts';
import type { IopfKernel } from './kernel.ts';
import type { AttachHandle, IopfDevice } from './objects.ts';

/** Attachment of address spaces to PASIDs of devices (`drivers/iommu/iommu.c`), with the hardware's part of it. */
export class IommuAttach {
  protected readonly kernel: IopfKernel;

  constructor(kernel: IopfKernel) {
    this.kernel = kernel;
  }

  /**
   * `iommu_attach_device_pasid()`: the device reaches a space by a PASID. The handler can be found before the hardware walks
   * the first table, so that no request of it is refused. False if the PASID is taken or the device has gone.
   */
  *iommu_attach_device_pasid(device: IopfDevice, pasid: number, space: number): Task<boolean> {
    yield* device.group.lock();
    const handle = yield* this.allocHandle(device, pasid, space);
    if (handle !== 0) yield* this.attachLocked(device, pasid, this.kernel.handles.at(handle));
    yield* device.group.unlock();
    return handle !== 0;
  }

  /** First the handler, then the entry. */
  protected *attachLocked(device: IopfDevice, pasid: number, handle: AttachHandle): Task {
    yield* this.storeHandle(device, pasid, handle);
    yield* this.set_dev_pasid(device, pasid, handle);
  }

  /** `intel_svm_set_dev_pasid()`: who sees to it that a process exits knows of the device before there is an entry. */
  protected *set_dev_pasid(device: IopfDevice, pasid: number, handle: AttachHandle): Task {
    const { life } = this.kernel;
    const domain = life === undefined ? undefined : life.domains.at(yield* life.domainOf(handle.handle));
    if (life !== undefined && domain !== undefined) yield* life.svm.domain_add_dev_pasid(domain, device);
    yield* this.writeEntry(device, pasid, handle);
  }

  /** `iommu_detach_device_pasid()`: the device does not reach the space any more, and nothing of it is under way. */
  *iommu_detach_device_pasid(device: IopfDevice, pasid: number): Task<boolean> {
    yield* device.group.lock();
    const found = yield* this.cell(device, pasid).load();
    if (found !== 0) {
      const handle = this.kernel.handles.at(found);
      yield* this.remove_dev_pasid(device, pasid, handle);
      if (this.kernel.fault !== undefined) yield* this.kernel.fault.auto_response_faults(handle);
      yield* this.detached(device, pasid, handle);
    }
    yield* device.group.unlock();
    return found !== 0;
  }

  /**
   * `intel_iommu_remove_dev_pasid()`: the entry goes, with what is cached of it, then what the device sent before that has
   * arrived, then nothing of that is left.
   *
   * A device that does not do as it is told goes on to send requests. So that nobody takes up the handle for one of these
   * after the drain, the handle cannot be found any more before that begins. (`iommu_detach_device_pasid()` erases it after.)
   */
  protected *remove_dev_pasid(device: IopfDevice, pasid: number, handle: AttachHandle): Task {
    yield* this.clearEntry(device, pasid, handle);
    yield* this.devtlb_invalidation(device);
    yield* this.eraseHandle(device, pasid);
    yield* this.kernel.prq.intel_iommu_drain_pasid_prq(device, pasid);
  }

  /** `intel_pasid_tear_down_entry()` up to the device-TLB: no walk begins any more. */
  protected *clearEntry(device: IopfDevice, pasid: number, handle: AttachHandle): Task {
    const { life } = this.kernel;
    if (life === undefined) return yield* this.clearAtOnce(device, pasid, handle);
    yield* life.svm.remove_dev_pasid(life.domains.at(yield* life.domainOf(handle.handle)), device, pasid);
  }

  /** Where nothing is cached of entries. */
  protected clearAtOnce(device: IopfDevice, pasid: number, handle: AttachHandle): Step<undefined> {
    return step(`PASID entry(${device.name}, ${pasid}) := 0, flush`, () => {
      this.kernel.emit({ type: 'pri.detach.begin', device: device.index, pasid, space: handle.space.value });
      this.kernel.port.writeEntry(device.index, pasid, -1);
      return undefined;
    });
  }

  /** `devtlb_invalidation_with_pasid()`: its completion comes behind the requests that the device has sent. */
  protected *devtlb_invalidation(device: IopfDevice): Task {
    const { port, machine, layout } = this.kernel;
    const commands = layout.stall ? `CMD_CFGI_CD, CMD_SYNC of ${device.name}` : `device-TLB flush of ${device.name}`;
    yield* waitStep(commands, port.arrived(device.index), () => {
      machine.mightSleep('qi_submit_sync');
      return undefined;
    });
  }

  /** `xa_erase()`: the handle is not found any more. */
  protected eraseHandle(device: IopfDevice, pasid: number): Step<undefined> {
    return step(`xa_erase(${device.name}.pasid_array, ${pasid})`, () => {
      this.cell(device, pasid).value = 0;
      return undefined;
    });
  }

  /** Nobody uses the handle any more; the promise of detach. */
  protected *detached(device: IopfDevice, pasid: number, handle: AttachHandle): Task {
    yield* step(`kfree(${handle.name})`, () => {
      const space = handle.space.value;
      this.kernel.handles.free(handle.handle);
      this.kernel.emit({ type: 'pri.detach.end', device: device.index, pasid, space });
      return undefined;
    });
  }

  /**
   * `iommu_release_device()`: the device goes. Nothing is attached to it; whoever has found it by its RequesterID holds
   * `iopf_lock`. False while something is attached.
   */
  *iommu_release_device(device: IopfDevice): Task<boolean> {
    yield* device.group.lock();
    const may = yield* step(
      'attached?',
      () => device.known.value === 1 && device.pasids.every((cell) => cell.value === 0),
    );
    if (may) yield* this.releaseLocked(device);
    yield* device.group.unlock();
    return may;
  }

  protected *releaseLocked(device: IopfDevice): Task {
    const { iopfLock } = this.kernel;
    yield* iopfLock.lock();
    yield* this.forgetDevice(device);
    yield* this.iopf_queue_remove_device(device);
    yield* iopfLock.unlock();
  }

  /** `device_rbtree_remove()`. */
  protected forgetDevice(device: IopfDevice): Step<undefined> {
    return step(`device_rbtree_remove(${device.name})`, () => {
      device.known.value = 0;
      return undefined;
    });
  }

  /** `iopf_queue_remove_device()`: what it has of requests goes, groups without an answer get one. */
  protected *iopf_queue_remove_device(device: IopfDevice): Task {
    const { pgfault, params, queueLock } = this.kernel;
    yield* queueLock.lock();
    const handle = yield* step(`${device.name}.fault_param := NULL`, () => {
      const param = device.param.value;
      device.param.value = 0;
      return param;
    });
    const param = params.at(handle);
    yield* pgfault.dropAll(param);
    yield* queueLock.unlock();
    yield* pgfault.iopf_put_dev_fault_param(param);
  }

  protected allocHandle(device: IopfDevice, pasid: number, space: number): Step<number> {
    return step('kzalloc(handle)', () => {
      if (device.known.value === 0 || this.cell(device, pasid).value !== 0) return 0;
      return newHandle(this.kernel, pasid, space);
    });
  }

  protected storeHandle(device: IopfDevice, pasid: number, handle: AttachHandle): Step<undefined> {
    return step(`xa_store(${device.name}.pasid_array, ${pasid}, ${handle.name})`, () => {
      this.cell(device, pasid).value = handle.handle;
      return undefined;
    });
  }

  protected writeEntry(device: IopfDevice, pasid: number, handle: AttachHandle): Step<undefined> {
    return step(`PASID entry(${device.name}, ${pasid}) := ${handle.name}`, () => {
      const space = handle.space.value;
      this.kernel.emit({ type: 'pri.attach.begin', device: device.index, pasid, space });
      this.kernel.port.writeEntry(device.index, pasid, space);
      return undefined;
    });
  }

  protected cell(device: IopfDevice, pasid: number): IopfDevice['param'] {
    return pasidCell(device, pasid);
  }
}

/** A new handle, 0 if there is no memory. Inside a step. */
export function newHandle({ handles, failNth, life }: IopfKernel, pasid: number, space: number): number {
  const handle = failNth.shouldFail() ? 0 : handles.alloc();
  if (handle === 0) return 0;
  handles.at(handle).space.value = space;
  handles.at(handle).pasid.value = pasid;
  life?.bindTo(handle, space);
  return handle;
}

/**
 * The place of a PASID in `pasid_array`.
 *
 * @throws RangeError if the device has no such PASID.
 */
export function pasidCell(device: IopfDevice, pasid: number): IopfDevice['param'] {
  const cell = device.pasids[pasid];
  if (cell === undefined) throw new RangeError(`there is no PASID ${pasid}`);
  return cell;
}
