/**
 * What a driver stands on: the register interface of one SMMUv3. The architecture model, our device and QEMU implement it,
 * so the same driver runs over each of them.
 */
export interface SmmuPort {
  /** Writes a register of the Non-secure programming interface: 64 bits wide if `high` is given (IHI 0070 §6.2). */
  writeRegister(offset: number, low: number, high?: number): void;
  /** Reads a 32-bit register. */
  readRegister(offset: number): number;
  /**
   * The SMMU completes every command up to CMDQ_PROD index `prod` (with its wrap bit): what software knows once a
   * CMD_SYNC in front of `prod` has been consumed (IHI 0070 §4.7.3).
   */
  completeCommands(prod: number): void;
}
