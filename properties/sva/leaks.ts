import type { Failure } from '../../engine/failure.ts';
import { ctxid2asid } from '../../impl/kernel/arm64/index.ts';
import type { BtmKernel } from '../../impl/kernel/btm/index.ts';
import { LeakCheck as SharingLeakCheck } from '../asid/leaks.ts';

/** What must not be left over when nothing runs any more: of sharing, and pins in the CPUs' ASID allocator. */
export class LeakCheck {
  readonly #kernel: BtmKernel;
  readonly #sharing: SharingLeakCheck;

  /** To be made when page tables are the only pages that come and go from now on. */
  constructor(kernel: BtmKernel) {
    this.#kernel = kernel;
    this.#sharing = new SharingLeakCheck(kernel);
  }

  /** The first thing that is left over, when every agent has ended. */
  find(): Failure | undefined {
    return this.#sharing.find() ?? this.#pinLeak();
  }

  /** Each reference that a device has to a process is one to its ASID, and no other ASID counts as pinned. */
  #pinLeak(): Failure | undefined {
    const { mms, asidAllocator } = this.#kernel;
    let [pinned, due] = [0, 0];
    for (const handle of mms.live()) {
      const mm = mms.at(handle);
      const { pinned: pins, id } = this.#kernel.contextOf(mm);
      if (pins.peek(0) !== mm.pinned.peek(0))
        return leak(`The ASID of ${mm.name} is pinned ${pins.peek(0)} times for ${mm.pinned.peek(0)} devices.`);
      if (pins.peek(0) === 0) continue;
      pinned++;
      due |= 1 << ctxid2asid(id.peek(0));
    }
    const { count, bits } = asidAllocator.pinnedAsids;
    if (count !== pinned) return leak(`${count} ASIDs count as pinned, but devices use ${pinned} processes.`);
    return bits === due ? undefined : leak('pinned_asid_map has other ASIDs than those that devices use.');
  }
}

function leak(message: string): Failure {
  return { monitor: 'safety', rule: 'leak', message, data: { kind: 'pin' } };
}
