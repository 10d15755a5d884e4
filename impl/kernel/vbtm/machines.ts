import { Cell } from '../../../engine/cell.ts';
import type { Machine } from '../../../engine/machine.ts';
import { step, type Step, type Task } from '../../../engine/step.ts';
import { Refcount } from '../../../engine/sync/refcount.ts';
import { vmidOf, type Kvm, type KvmMmu, type KvmVmid } from '../kvm/index.ts';
import type { KvmSide } from './port.ts';

/** What virtual machines consist of. */
export interface MachineParts {
  readonly kvms: readonly Kvm[];
  readonly vmid: KvmVmid;
  readonly mmu: KvmMmu;
  /** What the hardware adds to VMIDs; default 0. */
  readonly vmidBase?: number;
  /** The CPU that runs now. Inside a step. */
  readonly cpuNow: () => number;
}

/** Virtual machines with those who use them: their files, vCPUs that run, and stage 2 domains of devices (`struct kvm`). */
export class VirtualMachines implements KvmSide {
  readonly kvms: readonly Kvm[];
  protected readonly machine: Machine;
  protected readonly parts: MachineParts;
  /** `users_count`. */
  readonly users: readonly Refcount[];
  /** 1 as long as somebody has the machine's file open. */
  readonly open: readonly Cell[];
  /** 1 before `kvm_create_vm()` and from the end of `kvm_destroy_vm()` on: the memory of `struct kvm` is somebody else's. */
  protected readonly freed: readonly Cell[];

  constructor(machine: Machine, parts: MachineParts) {
    this.machine = machine;
    this.parts = parts;
    this.kvms = parts.kvms;
    this.users = parts.kvms.map(({ name }) => new Refcount(machine, `${name}.users_count`));
    this.open = parts.kvms.map(({ name }) => new Cell(machine, `${name} open`, { internal: true }));
    this.freed = parts.kvms.map(({ name }) => new Cell(machine, `${name} freed`, { internal: true }));
    for (const cell of this.freed) cell.value = 1;
  }

  /** Whether the place of a machine can be had by another one. Inside a step. */
  isGone(machine: number): boolean {
    return this.cell(this.freed, machine).value === 1;
  }

  nameOf(machine: number): string {
    return this.kvm(machine).name;
  }

  /** `kvm_create_vm()`, inside a step or during set-up. */
  create(machine: number): void {
    this.kvm(machine).init();
    this.cell(this.freed, machine).value = 0;
    this.cell(this.open, machine).value = 1;
    (this.users[machine] as Refcount).value = 1;
  }

  /** Whether the machine's file is open. Inside a step. */
  isOpen(machine: number): boolean {
    return this.cell(this.open, machine).value === 1;
  }

  /** The last file is closed: nobody starts anything with the machine any more. Inside a step; false if it was closed. */
  close(machine: number): boolean {
    if (!this.isOpen(machine)) return false;
    this.cell(this.open, machine).value = 0;
    return true;
  }

  vmidOf(machine: number): number {
    this.checkAlive(machine, 'vmid');
    return this.numbered(vmidOf(this.kvm(machine).id.value));
  }

  kvm_get_kvm_safe(machine: number): boolean {
    this.checkAlive(machine, 'users_count');
    const users = this.users[machine] as Refcount;
    if (users.value === 0) return false;
    users.increment();
    return true;
  }

  *kvm_put_kvm(machine: number): Task {
    if (yield* (this.users[machine] as Refcount).put()) yield* this.kvm_destroy_vm(machine);
  }

  *kvm_arm_pinned_vmid_get(machine: number): Task<number> {
    const cpu = yield* this.look(machine);
    return this.numbered(yield* this.parts.vmid.kvm_arm_pinned_vmid_get(cpu, this.kvm(machine)));
  }

  *kvm_arm_pinned_vmid_put(machine: number): Task {
    yield* this.look(machine);
    yield* this.parts.vmid.kvm_arm_pinned_vmid_put(this.kvm(machine));
  }

  /** `kvm_destroy_vm()`: nobody uses the machine any more. */
  protected *kvm_destroy_vm(machine: number): Task {
    yield* this.parts.mmu.kvm_free_stage2_pgd(this.kvm(machine));
    yield* step(`kvfree(${this.kvm(machine).name})`, () => {
      this.parts.vmid.kvm_destroy_vm(this.kvm(machine));
      this.cell(this.freed, machine).value = 1;
      return undefined;
    });
  }

  kvm(machine: number): Kvm {
    return this.kvms[machine] as Kvm;
  }

  /** A VMID as hardware has it; 0 is none. */
  protected numbered(vmid: number): number {
    return vmid === 0 ? 0 : vmid + (this.parts.vmidBase ?? 0);
  }

  /** Looks at the VMID of a machine; returns the CPU. */
  protected look(machine: number): Step<number> {
    return step(
      `&${this.kvm(machine).name}.vmid`,
      () => {
        this.checkAlive(machine, 'vmid');
        return this.parts.cpuNow();
      },
      () => undefined,
    );
  }

  /** Notices a use after free. Inside a step. */
  protected checkAlive(machine: number, field: string): void {
    if (this.cell(this.freed, machine).value === 0) return;
    const agent = this.machine.agentName(this.machine.current);
    const { name } = this.kvm(machine);
    this.machine.fail({
      monitor: 'safety',
      rule: 'use-after-free',
      message: `${agent} uses ${field} of ${name}, which is already freed.`,
      data: { kind: 'kvm', object: name },
    });
  }

  protected cell(cells: readonly Cell[], machine: number): Cell {
    return cells[machine] as Cell;
  }
}
