import type { KernelConfig } from '../config.ts';

/** A kernel whose processes run on CPUs, and are shared with devices by the numbers that the CPUs know them by. */
export interface BtmConfig extends KernelConfig {
  /** Possible CPUs. */
  readonly cpus: number;
  /** ASIDs of the CPUs besides 0, more than CPUs. */
  readonly cpuAsids: number;
  /** How many of them processes have used that are gone (`Arm64Layout.taken`). */
  readonly taken: number;
  /** `system_supports_cnp()`: CPUs share their TLBs. */
  readonly cnp: boolean;
  /** `arm64_kernel_unmapped_at_el0()`: a process has two ASIDs, the odd one for the time that it is not in the kernel. */
  readonly kpti: boolean;
  /** Devices use ATS for accesses with a PASID. */
  readonly ats: boolean;
  /** The CPUs have 16-bit ASIDs. */
  readonly cpuAsid16: boolean;
}
