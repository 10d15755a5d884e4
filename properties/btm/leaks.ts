import type { Failure } from '../../engine/failure.ts';
import { vmidOf } from '../../impl/kernel/kvm/index.ts';
import { LeakCheck as DomainLeakCheck } from '../smmu/leaks.ts';
import type { Platform } from './platform.ts';
import { CHURN } from './machines.ts';

/** What must not be left over when nothing runs any more. */
export class LeakCheck {
  readonly #platform: Platform;
  readonly #domains: DomainLeakCheck;

  /** To be made when page tables are the only pages that come and go from now on. */
  constructor(platform: Platform) {
    this.#platform = platform;
    this.#domains = new DomainLeakCheck(platform.kernel);
  }

  /** The first thing that is left over, when every agent has ended. */
  find(): Failure | undefined {
    return this.#domains.find() ?? this.#machineLeak();
  }

  /** References to virtual machines, and pins of their VMIDs, have somebody who knows of them. */
  #machineLeak(): Failure | undefined {
    const { kernel, machines } = this.#platform;
    const { side } = machines;
    for (let machine = 0; machine <= CHURN; machine++) {
      const domains = kernel.paging
        .live()
        .filter((handle) => kernel.kvmOf(kernel.paging.at(handle)).value === machine + 1);
      const { pinned } = side.kvm(machine);
      const known = domains.length + (side.isOpen(machine) ? 1 : 0) + machines.operations.running(machine);
      const users = side.users[machine]?.value ?? 0;
      if (users > known)
        return leak('kvm', `${users} reference(s) to ${side.nameOf(machine)} are left; ${known} are known.`);
      if (pinned.value > domains.length)
        return leak(
          'pin',
          `The VMID of ${side.nameOf(machine)} is pinned ${pinned.value} time(s) for ${domains.length} domain(s).`,
        );
    }
    return this.#pinLeak();
  }

  /** KVM's allocator counts the VMIDs of the machines that are pinned, and no others. */
  #pinLeak(): Failure | undefined {
    const { side, vmid } = this.#platform.machines;
    const pinned = Array.from({ length: CHURN + 1 }, (_, machine) => side.kvm(machine)).filter(
      (kvm) => kvm.pinned.value > 0,
    );
    const due = pinned.reduce((bits, { id }) => bits | (1 << vmidOf(id.value)), 0);
    const { count, bits } = vmid.pinnedVmids;
    if (count === pinned.length && bits === due) return undefined;
    return leak('pin', `KVM counts ${count} VMIDs as pinned, but those of ${pinned.length} machines are.`);
  }
}

function leak(kind: string, message: string): Failure {
  return { monitor: 'safety', rule: 'leak', message, data: { kind } };
}
