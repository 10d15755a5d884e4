/** TLB maintenance instructions of the EL1&0 regime, by what they cover (Arm ARM D8.17.5). */
export type Arm64Tlbi =
  /** Entries of an address under an ASID: last-level ones (`VALE1`), or those of tables on the way too (`VAE1`). */
  | { readonly kind: 'VALE1' | 'VAE1'; readonly asid: number; readonly va: number }
  /** Everything under an ASID but global entries. */
  | { readonly kind: 'ASIDE1'; readonly asid: number }
  /** Everything. */
  | { readonly kind: 'VMALLE1' };

/** What the kernel tells the CPU that it runs on: registers and instructions, each called inside a step. */
export interface Arm64Cpu {
  /**
   * Writes the ASID to TTBR1_EL1 and the table to TTBR0_EL1, through the reserved table, and `isb`: walks are of `pgd` from
   * now on, under `asid` while the CPU is in the kernel and under `userAsid` while it is not. It goes from one to the other
   * whenever it likes; without KPTI the two are the same.
   */
  writeTtbr0(cpu: number, pgd: number, asid: number, userAsid: number): void;
  /** Writes the ASID alone, and `isb`: walks of the table that TTBR0_EL1 has go on under it. */
  writeAsid(cpu: number, asid: number, userAsid: number): void;
  /** Writes the reserved table to TTBR0_EL1, and `isb`: there is nothing to walk. */
  clearTtbr0(cpu: number): void;
  /** TLBI. @param broadcast the inner-shareable form (`…IS`), for every CPU and whoever listens; else this CPU alone. */
  tlbi(cpu: number, instruction: Arm64Tlbi, broadcast: boolean): void;
  /** DSB NSH as far as it completes TLB maintenance. */
  dsbNsh(cpu: number): void;
  /** DSB ISH as far as it completes TLB maintenance. */
  dsbIsh(cpu: number): void;
}
