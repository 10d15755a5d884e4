import type { Design } from './config.ts';

/** What the driver finds out about an SMMU before it switches it on. */
export class DeviceProbe {
  /**
   * `arm_smmu_device_hw_probe()`: broadcasts are taken part in where private address spaces are of stage 1, which can opt
   * out of them (ASET). Without stage 1 they are of stage 2, where every VMID is shared with the CPUs ("BTM only if the SMMU
   * supports stage 1", "iommu/arm-smmu-v3: Use pinned KVM VMID for stage 2", 2024). Nor if KVM has VMIDs that the SMMU has not
   * (`IDR0.VMID16`): a machine might get one.
   *
   * @param fits the SMMU has all VMIDs that KVM has.
   */
  design(wanted: Design, stage1: boolean, fits: boolean): Design {
    return stage1 && fits ? wanted : 'off';
  }
}
