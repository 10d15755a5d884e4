/**
 * What KVM tells the CPU that it runs on: registers and instructions, each called inside a step. TLBIs are executed at EL2
 * and concern the VMID that `VTTBR_EL2` has then (but for those of all VMIDs).
 *
 * KVM is the one without the virtualisation host extension: the host runs at EL1, in the same translation regime as guests.
 */
export interface KvmCpu {
  /** Writes VTTBR_EL2: the table of a virtual machine's stage 2, and its VMID. */
  writeVttbr(cpu: number, pgd: number, vmid: number): void;
  /** Writes the host's own to VTTBR_EL2, whose VMID is 0. */
  writeHostVttbr(cpu: number): void;
  /** Exception return to the guest: from now on walks use what VTTBR_EL2 says, whenever the CPU likes. */
  enterGuest(cpu: number): void;
  /** An exception takes the CPU out of the guest, or out of the host, to EL2, where nothing is walked for EL1. */
  enterHyp(cpu: number): void;
  /** Exception return to the host at EL1. Walks use what VTTBR_EL2 says. */
  enterHost(cpu: number): void;
  /** DSB at EL2: walks that were going on for EL1 when it was left have ended (Arm ARM D8.1.5 R_LFHQG). */
  dsbWalks?(cpu: number): void;
  /**
   * TCR_EL1.EPD0 and EPD1, with SCTLR_EL1.M: no walk for EL1 gets anywhere, not even one that a speculative AT instruction
   * begins at EL2 (errata 1165522, 1319367 and 1530923).
   */
  blockWalks?(cpu: number, blocked: boolean): void;
  /** TLBI IPAS2E1IS: stage 2 entries of an IPA, on every CPU. */
  tlbiIpas2e1is(cpu: number, ipa: number): void;
  /** TLBI IPAS2E1: the same on this CPU. */
  tlbiIpas2e1(cpu: number, ipa: number): void;
  /** TLBI VMALLE1IS: stage 1 entries and those of both stages, on every CPU. */
  tlbiVmalle1is(cpu: number): void;
  /** TLBI VMALLE1: the same on this CPU. */
  tlbiVmalle1(cpu: number): void;
  /** TLBI VMALLS12E1IS: all entries of the VMID, on every CPU. */
  tlbiVmalls12e1is(cpu: number): void;
  /** TLBI ALLE1IS: all entries of all VMIDs, on every CPU. */
  tlbiAlle1is(cpu: number): void;
  /** TLBI ALLE1: the same on this CPU. */
  tlbiAlle1(cpu: number): void;
  /** DSB NSH as far as it completes TLB maintenance. */
  dsbNsh(cpu: number): void;
  /** DSB ISH as far as it completes TLB maintenance. */
  dsbIsh(cpu: number): void;
}
