import type { Machine } from '../../engine/machine.ts';
import { vmidOf, type Kvm, type KvmVmid } from '../../impl/kernel/kvm/index.ts';
import type { VmidContract } from './contract.ts';

/** What is looked at. */
interface Parts {
  readonly contract: VmidContract;
  readonly vmid: KvmVmid;
  readonly kvms: readonly Kvm[];
  /** How many domains use the VMID of a machine. */
  readonly usersOf: (vm: number) => number;
  /** Whether the machine of a number is there. */
  readonly isLive: (vm: number) => boolean;
}

/** When nobody is in the middle of anything: what nobody uses any more has been given back. */
export function checkLeaks(machine: Machine, { contract, vmid, kvms, usersOf, isLive }: Parts): void {
  const leak = (kind: string, message: string): void =>
    machine.fail({ monitor: 'safety', rule: 'leak', message: `${message}.`, data: { kind } });
  const pinned = kvms.filter((kvm) => kvm.pinned.peek(0) > 0);
  const due = pinned.reduce((bits, { id }) => bits | (1 << vmidOf(id.peek(0))), 0);
  const { count, bits } = vmid.pinnedVmids;
  if (count !== pinned.length || bits !== due)
    leak('pin', `${Math.max(count, bitsIn(bits))} VMIDs count as pinned, but devices use ${pinned.length} machines`);
  for (const [vm, kvm] of kvms.entries()) {
    const [pins, users] = [kvm.pinned.peek(0), usersOf(vm)];
    if (pins !== users) leak('pin', `The VMID of ${kvm.name} is pinned ${pins} times for ${users} domains`);
    if (contract.hasPage(vm, 'unmapping')) leak('page', `A page of ${kvm.name} is unmapped, and was not freed`);
    if (!isLive(vm) && contract.hasPage(vm, 'mapped')) leak('page', `${kvm.name} is gone, and a page of it is mapped`);
  }
}

function bitsIn(bits: number): number {
  let count = 0;
  for (let left = bits; left !== 0; left &= left - 1) count++;
  return count;
}
