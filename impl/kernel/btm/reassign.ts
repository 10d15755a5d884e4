import type { Task } from '../../../engine/step.ts';
import type { Domain } from '../objects.ts';
import { BlockingSva } from '../reassign.ts';
import { BtmSva } from './sva.ts';

/** Devices are refused while their domain makes room for a process (`BlockingSva`). */
export class BlockingBtmSva extends BtmSva {
  readonly #way = new BlockingSva(this.kernel);

  override *arm_smmu_share_asid(domain: Domain, old: number): Task<boolean> {
    return yield* this.#way.arm_smmu_share_asid(domain, old);
  }
}
