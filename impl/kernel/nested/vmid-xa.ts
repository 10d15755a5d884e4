import type { Machine } from '../../../engine/machine.ts';

/** The SMMU's VMIDs and who owns them (`arm_smmu_device.vmid_map`): lowest free number first; 0 is never given out. */
export class VmidMap {
  /** Highest VMID given out. */
  readonly max: number;
  /** Lowest VMID given out. */
  readonly min: number;
  readonly #machine: Machine;
  readonly #base: number;

  constructor(machine: Machine, max: number, min = 1) {
    this.#machine = machine;
    this.max = max;
    this.min = min;
    this.#base = machine.store.reserve(max + 1, 'vmid_map', (vmid, owner) =>
      owner === 0 ? `VMID ${vmid} free` : `VMID ${vmid} owned by domain${owner - 1}`,
    );
  }

  /** Handle of the domain that owns a VMID, or 0. Inside a step. */
  owner(vmid: number): number {
    return this.#machine.store.get(this.#base + vmid);
  }

  /** `ida_alloc_range(min …)` inside a step: the lowest free VMID, now owned by `handle`; 0 when all are taken. */
  alloc(handle: number, min = this.min): number {
    for (let vmid = min; vmid <= this.max; vmid++) {
      if (this.owner(vmid) !== 0) continue;
      this.#machine.store.set(this.#base + vmid, handle);
      return vmid;
    }
    return 0;
  }

  /** `ida_free()` inside a step. */
  free(vmid: number): void {
    this.#machine.store.set(this.#base + vmid, 0);
  }
}
