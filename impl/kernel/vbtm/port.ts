import type { Task } from '../../../engine/step.ts';

/** What an SMMU driver and iommufd use of KVM. Virtual machines are numbered from 0. */
export interface KvmSide {
  /** Name of a virtual machine, for reports. */
  nameOf(machine: number): string;
  /** `kvm->arch.mmu.vmid`, inside a step: the VMID that a machine was given last, 0 if it has not run. */
  vmidOf(machine: number): number;
  /** `kvm_get_kvm_safe()`, inside a step: a reference to a virtual machine, unless it is going. */
  kvm_get_kvm_safe(machine: number): boolean;
  /** `kvm_put_kvm()`. */
  kvm_put_kvm(machine: number): Task;
  /** `kvm_arm_pinned_vmid_get()`: the VMID of a virtual machine, which keeps it; 0: no more can be pinned. */
  kvm_arm_pinned_vmid_get(machine: number): Task<number>;
  /** `kvm_arm_pinned_vmid_put()`: one who relied on the VMID does so no more. */
  kvm_arm_pinned_vmid_put(machine: number): Task;
}

/** A TLBI of a guest; the VMID is that of the guest. Addresses in bytes. */
export type GuestTlbi =
  | { readonly kind: 'VAE1' | 'VALE1'; readonly asid: number; readonly va: number }
  | { readonly kind: 'ASIDE1'; readonly asid: number }
  | { readonly kind: 'VMALLE1' };

/** The virtual CPU that software of a guest runs on: what it executes, the physical CPU does under the guest's VMID. */
export interface GuestCpu {
  /** A TLBI, inside a step: of the inner shareable domain, or of the own CPU alone. */
  tlbi(tlbi: GuestTlbi, shareable: boolean): void;
  /** DSB ISH, inside a step: its TLBIs before have completed, on CPUs and in SMMUs that take part; or DSB NSH. */
  dsb(shareable: boolean): void;
}
