import { step, type Step, type Task } from '../../../../engine/step.ts';
import type { IopfKernel } from '../kernel.ts';
import type { IopfDevice } from '../objects.ts';
import type { ProcessLife } from './life.ts';
import type { SvaDomain } from './objects.ts';

/**
 * What the driver of the IOMMU does for processes (`drivers/iommu/intel/svm.c`, `arm-smmu-v3-sva.c`): entries, and what is
 * cached of them. The domain's spinlock is over a few instructions, so what is under it is one step.
 */
export class SvmDomains {
  protected readonly kernel: IopfKernel;
  protected readonly life: ProcessLife;

  constructor(kernel: IopfKernel, life: ProcessLife) {
    this.kernel = kernel;
    this.life = life;
  }

  /** `domain_add_dev_pasid()`: from now on the device is seen to when the process exits. Before the entry is written. */
  domain_add_dev_pasid(domain: SvaDomain, device: IopfDevice): Step<undefined> {
    return this.#list(`list_add(${device.name}, ${domain.name}.dev_pasids)`, domain, device, 1);
  }

  /** `domain_remove_dev_pasid()`: after the entry has gone, with what is cached of it, or exit would not wait for that. */
  domain_remove_dev_pasid(domain: SvaDomain, device: IopfDevice): Step<undefined> {
    return this.#list(`list_del(${device.name}, ${domain.name}.dev_pasids)`, domain, device, 0);
  }

  /** `intel_pasid_tear_down_entry()`, the write: no walk finds the entry any more. */
  clearEntry(domain: SvaDomain, device: IopfDevice, pasid: number): Step<undefined> {
    return step(`PASID entry(${device.name}, ${pasid}) := 0`, () => {
      const space = this.spaceOf(domain);
      this.kernel.emit({ type: 'pri.detach.begin', device: device.index, pasid, space });
      this.kernel.port.writeEntry(device.index, pasid, -1);
      return undefined;
    });
  }

  /** `pasid_cache_invalidation_with_pasid()` and what follows it: nothing is cached of the entry any more. */
  flushEntry(device: IopfDevice, pasid: number): Step<undefined> {
    return step(`PASID cache flush(${device.name}, ${pasid})`, () => {
      this.kernel.port.flushEntry(device.index, pasid);
      return undefined;
    });
  }

  /** The steps of a detach in their order. */
  *remove_dev_pasid(domain: SvaDomain, device: IopfDevice, pasid: number): Task {
    yield* this.clearEntry(domain, device, pasid);
    yield* this.flushEntry(device, pasid);
    yield* this.domain_remove_dev_pasid(domain, device);
  }

  /**
   * `intel_mm_release()`, `arm_smmu_mm_release()`: devices may go on, so that entries stay, and every access through them is
   * refused without a word until they are unbound. An entry that somebody has cleared meanwhile stays cleared.
   */
  *mm_release(domain: SvaDomain): Task {
    const pasid = yield* this.pasidOf(domain);
    const devices = yield* this.quietEntries(domain, pasid);
    for (const device of this.listed(devices)) yield* this.flushEntry(device, pasid);
  }

  protected pasidOf(domain: SvaDomain): Step<number> {
    return step(`PASID of ${domain.name}`, () => this.life.mms.at(domain.mm.value).pasid.value);
  }

  /** Writes the entries of the devices in the list, which it returns as a bit set. */
  protected quietEntries(domain: SvaDomain, pasid: number): Step<number> {
    return step(`PASID entries of ${domain.name} := quiet`, () => {
      let devices = 0;
      for (const [device, listed] of domain.devices.entries()) {
        if (listed.value === 0) continue;
        devices |= 1 << device;
        this.writeQuiet(device, pasid);
      }
      return devices;
    });
  }

  /** Inside a step. */
  protected writeQuiet(device: number, pasid: number): void {
    this.kernel.port.quietEntry(device, pasid);
  }

  /** The devices of a bit set. */
  protected listed(set: number): IopfDevice[] {
    const { layout } = this.kernel;
    const indices = Array.from({ length: layout.devices }, (_, device) => device);
    return indices.filter((device) => (set & (1 << device)) !== 0).map((device) => this.kernel.device(device));
  }

  /** Inside a step. */
  protected spaceOf(domain: SvaDomain): number {
    return this.life.mms.at(domain.mm.value).space;
  }

  #list(label: string, domain: SvaDomain, device: IopfDevice, present: 0 | 1): Step<undefined> {
    return step(label, () => {
      const [cell] = domain.devices.slice(device.index, device.index + 1);
      if (cell !== undefined) cell.value = present;
      return undefined;
    });
  }
}
