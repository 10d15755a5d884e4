/** What the kernel tells the CPU that it runs on: registers and instructions, each called inside a step. */
export interface Arm64Cpu {
  /** Writes TTBR0_EL1 with the ASID, and `isb`: `pgd` and `asid` are what walks use from now on. */
  writeTtbr0(cpu: number, pgd: number, asid: number): void;
  /** Writes the reserved table to TTBR0_EL1, and `isb`: there is nothing to walk. */
  clearTtbr0(cpu: number): void;
  /** TLBI VALE1IS: last-level entries of an address under an ASID, on every CPU. */
  tlbiVale1is(cpu: number, va: number, asid: number): void;
  /** TLBI VALE1: the same on this CPU. */
  tlbiVale1(cpu: number, va: number, asid: number): void;
  /** TLBI VMALLE1: everything, on this CPU. */
  tlbiVmalle1(cpu: number): void;
  /** DSB NSH as far as it completes TLB maintenance. */
  dsbNsh(cpu: number): void;
  /** DSB ISH as far as it completes TLB maintenance. */
  dsbIsh(cpu: number): void;
}
