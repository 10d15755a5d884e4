import type { Failure } from '../../engine/failure.ts';
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
    return undefined;
  }
}

function leak(kind: string, message: string): Failure {
  return { monitor: 'safety', rule: 'leak', message, data: { kind } };
}
