import { Cell } from '../../../engine/cell.ts';
import type { Machine } from '../../../engine/machine.ts';
import { step, type Step } from '../../../engine/step.ts';
import { SpinLock } from '../../../engine/sync/lock.ts';
import { showVmid, type VmidId } from './vmid-id.ts';

/** A virtual machine: `struct kvm`, of it `kvm_s2_mmu`. */
export class Kvm {
  readonly name: string;
  /** Physical address of its stage 2 table, which has one level. */
  readonly pgd: number;
  /** `mmu.vmid.id`, an `atomic64_t`. */
  readonly id: Cell;
  /** `mmu.vmid.pinned`, a `refcount_t`: how many devices use the VMID. */
  readonly pinned: Cell;
  readonly mmuLock: SpinLock;
  /** `mmu.last_vcpu_ran` of each CPU: number of the vCPU plus 1, 0 for none. Only that CPU looks at it. */
  readonly lastVcpuRan: readonly Cell[];

  constructor(machine: Machine, name: string, pgd: number, cpus: number) {
    this.name = name;
    this.pgd = pgd;
    const format = (_offset: number, id: number): string => showVmid(id);
    this.id = new Cell(machine, `${name}.vmid.id`, { buffered: true, format });
    this.pinned = new Cell(machine, `${name}.vmid.pinned`);
    this.mmuLock = new SpinLock(machine, `${name}.mmu_lock`);
    this.lastVcpuRan = Array.from(
      { length: cpus },
      (_, cpu) => new Cell(machine, `${name}.last_vcpu_ran[${cpu}]`, { internal: true }),
    );
  }

  /** `atomic64_set(&kvm_vmid->id, id)`. */
  storeId(id: VmidId): Step<undefined> {
    return step(`${this.name}.vmid.id := ${showVmid(id)}`, () => {
      this.id.value = id;
      return undefined;
    });
  }

  /** `kvm_init_stage2_mmu()` inside a step: a virtual machine in the place of one that is gone. */
  init(): void {
    this.id.value = 0;
    this.pinned.value = 0;
    for (const cell of this.lastVcpuRan) cell.value = 0;
  }
}
