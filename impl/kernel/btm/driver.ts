import { extract, IDR0, REGISTER } from '../../../model/architecture/arm/layout/index.ts';
import type { SmmuPort } from '../../platform/index.ts';
import type { Task } from '../../../engine/step.ts';
import { ArmSmmuDriver } from '../driver.ts';
import type { Domain, Master } from '../objects.ts';
import type { BtmKernel } from './kernel.ts';

/** Of `smmu->features`, what sharing of processes depends on. */
export interface SmmuDeviceFeatures {
  /** `ARM_SMMU_FEAT_BTM`: broadcasts of CPUs reach this SMMU, so CMD_TLBI may be left out for shared spaces. */
  readonly btm: boolean;
  /** `ARM_SMMU_FEAT_SVA`: processes can be shared. */
  readonly sva: boolean;
}

/** The driver of an SMMU that may take part in broadcast TLB maintenance. */
export class BtmDriver extends ArmSmmuDriver {
  declare protected readonly kernel: BtmKernel;
  /** What was found at boot; it does not change. */
  features: SmmuDeviceFeatures = { btm: false, sva: false };

  /** `arm_smmu_device_hw_probe()`, and what CR2.PTM is going to be. */
  override takesBroadcasts(port: SmmuPort): boolean {
    const idr0 = port.readRegister(REGISTER.IDR0);
    this.features = { btm: this.probeBtm(idr0), sva: this.arm_smmu_sva_supported(idr0) };
    return this.features.btm;
  }

  /**
   * Broadcasts are heard by all or none of an SMMU's contexts of stage 1, and stage 2 cannot opt out; so only where private
   * domains are of stage 1, and if nobody has switched it off.
   */
  protected probeBtm(idr0: number): boolean {
    const implemented = extract(IDR0.fields.BTM, idr0, 0) === 1 && extract(IDR0.fields.S1P, idr0, 0) === 1;
    return implemented && this.kernel.config.btm === true;
  }

  /** `arm_smmu_sva_supported()`: "We can support bigger ASIDs than the CPU, but not smaller". */
  protected arm_smmu_sva_supported(idr0: number): boolean {
    return extract(IDR0.fields.ASID16, idr0, 0) === 1 || !this.kernel.config.cpuAsid16;
  }

  protected override *attachLocked(domain: Domain, old: number, master: Master): Task {
    yield* super.attachLocked(domain, old, master);
    yield* this.kernel.ats.arm_smmu_enable_ats(master);
  }

  protected override *detachLocked(old: number, master: Master): Task {
    yield* this.kernel.ats.arm_smmu_disable_ats(master);
    yield* super.detachLocked(old, master);
  }
}
