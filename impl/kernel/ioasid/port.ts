/** What drivers have of the hardware. */
export interface PasidPort {
  /** The tables and commands of VT-d, or of an SMMUv3; without either, an entry is written, and flushed, at once. */
  readonly vtd?: VtdPort;
  readonly cds?: CdPort;
  /** A PASID of a device leads to the space of an owner from now on; -1: to nothing. Inside a step. */
  writeEntry(device: number, pasid: number, owner: number): void;
  /** The PASID cache, the TLB and the device-TLB have nothing of an entry that it does not say now. Inside a step. */
  flush(device: number, pasid: number): void;
}

/** Where an owner's space is, as the driver of VT-d has it. */
export interface VtdDomain {
  readonly did: number;
  /** One of `PGTT`. */
  readonly type: number;
  /** Byte addresses of tables; 0: there is none. */
  readonly firstStage: number;
  readonly secondStage: number;
}

/** PASID tables and the invalidation queue of VT-d. Each called inside a step. */
export interface VtdPort {
  /** Lanes of a word of an entry. */
  readWord(device: number, pasid: number, word: number): readonly [number, number];
  writeWord(device: number, pasid: number, word: number, low: number, high: number): void;
  /** Puts a descriptor into the queue, and a wait descriptor after it; returns the number of that. */
  submit(lanes: readonly number[]): number;
  /** The status of a wait descriptor has been seen. */
  completed(wait: number): void;
  sourceId(device: number): number;
  domain(owner: number): VtdDomain;
}

/** Context descriptors by device and substream, and the command queue, of an SMMUv3. Each called inside a step. */
export interface CdPort {
  writeCd(device: number, pasid: number, word: number, low: number, high: number): void;
  /** Puts commands into the queue; returns the place after them. */
  issue(commands: readonly (readonly number[])[]): number;
  /** The queue has been consumed up to a place, a CMD_SYNC before it included. */
  completed(end: number): void;
  streamId(device: number): number;
  /** Byte address of the table of an owner's space. */
  table(owner: number): number;
}
