import { Cell } from '../../engine/cell.ts';
import type { Machine } from '../../engine/machine.ts';
import { step, type Task } from '../../engine/step.ts';
import type { Kvm, KvmVmid } from '../../impl/kernel/kvm/index.ts';
import { vmName } from './configuration.ts';
import type { VmidContract } from './contract.ts';

/**
 * IOMMU domains that use the VMIDs of virtual machines: the driver pins a VMID before a domain has it, and gives the pin
 * back after no entry of the domain is left ("iommu/arm-smmu-v3: Use pinned KVM VMID for stage 2", 2024).
 */
export class VmidDevices {
  protected readonly machine: Machine;
  protected readonly vmid: KvmVmid;
  protected readonly contract: VmidContract;
  /** For each machine: domains that have a reference to it (`kvm_get_kvm()`), and those that use its VMID. */
  protected readonly held: readonly Cell[];
  protected readonly users: readonly Cell[];

  constructor(machine: Machine, vmid: KvmVmid, contract: VmidContract, vms: number) {
    this.machine = machine;
    this.vmid = vmid;
    this.contract = contract;
    const each = (name: string): Cell[] =>
      Array.from({ length: vms }, (_, vm) => new Cell(machine, `${name} ${vmName(vm)}`, { internal: true }));
    this.held = each('references of domains to');
    this.users = each('domains with the VMID of');
  }

  /** Inside a step: a domain takes a reference to a machine. */
  hold(vm: number): void {
    this.cell(this.held, vm).value++;
  }

  /** Inside a step: whether a domain has a reference to a machine. */
  isHeld(vm: number): boolean {
    return this.cell(this.held, vm).value !== 0;
  }

  /** How many domains use the VMID of a machine. */
  usersOf(vm: number): number {
    return this.cell(this.users, vm).value;
  }

  /** A domain that holds a machine gets its VMID, if that can be pinned. */
  *attach(cpu: number, vm: number, kvm: Kvm): Task {
    const vmid = yield* this.vmid.kvm_arm_pinned_vmid_get(cpu, kvm);
    yield* step(`domain uses VMID ${vmid}`, () => {
      if (vmid === 0) this.cell(this.held, vm).value--;
      else {
        this.cell(this.users, vm).value++;
        this.contract.pinned(vm, vmid);
      }
      return undefined;
    });
  }

  /** Inside a step: whether there is a domain to detach; then one begins to. */
  mayDetach(vm: number): boolean {
    const users = this.cell(this.users, vm);
    if (users.value === 0) return false;
    users.value--;
    this.beginDetach(vm);
    return true;
  }

  /** A domain that does not use the VMID any more gives up the pin and the machine. */
  *detach(vm: number, kvm: Kvm): Task {
    yield* this.vmid.kvm_arm_pinned_vmid_put(kvm);
    yield* this.drop(vm);
  }

  /** Inside a step: the domain is invalidated, and uses the VMID no more. */
  protected beginDetach(vm: number): void {
    if (this.cell(this.users, vm).value === 0) this.contract.pinned(vm, 0);
  }

  protected *drop(vm: number): Task {
    yield* step(`put ${vmName(vm)}`, () => {
      this.cell(this.held, vm).value--;
      return undefined;
    });
  }

  protected cell(cells: readonly Cell[], vm: number): Cell {
    return cells[vm] as Cell;
  }
}
