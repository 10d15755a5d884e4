/** What drivers have of the hardware: PASID entries of devices, and what is cached of them. Each called inside a step. */
export interface PasidPort {
  /** A PASID of a device leads to the space of an owner from now on; -1: to nothing. */
  writeEntry(device: number, pasid: number, owner: number): void;
  /** The PASID cache, the TLB and the device-TLB have nothing of an entry that it does not say now. */
  flush(device: number, pasid: number): void;
}
