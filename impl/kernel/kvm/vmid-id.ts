import { makeTag, numberOf, showTag, type TagId } from '../generations/index.ts';

/** `kvm_vmid.id`: a VMID with the generation that gave it out above it. 0: the virtual machine has not run yet. */
export type VmidId = TagId;

/**
 * `VMID_ACTIVE_INVALID`: what is active on a CPU whose vCPU was put. VMID 0 of the first generation, which nobody has, and
 * not 0, which says that a roll-over has taken the active VMID away.
 */
export const VMID_ACTIVE_INVALID: VmidId = makeTag(0, 1);

/** `vmid2idx()`. */
export const vmidOf = numberOf;

/** "VMID 2 of generation 1" as "2/g1"; VMID 0 stands for an idle CPU. */
export function showVmid(id: VmidId): string {
  return id === VMID_ACTIVE_INVALID ? 'invalid' : showTag(id);
}
