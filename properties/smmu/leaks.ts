import type { Failure } from '../../engine/failure.ts';
import { attachedOf, STAGE, type NestedKernel } from '../../impl/kernel/nested/index.ts';
import { isLeaf, LEAF_LEVEL } from '../../impl/kernel/index.ts';

/** Entries of a table page. */
const ENTRIES = 512;

/** What must not be left over when nothing runs any more: everything that is allocated has somebody who knows of it. */
export class LeakCheck {
  readonly #kernel: NestedKernel;
  /** Pages that are no page tables: structures and queues. */
  readonly #pagesFixed: number;

  /** To be made when page tables are the only pages that come and go from now on. */
  constructor(kernel: NestedKernel) {
    this.#kernel = kernel;
    this.#pagesFixed = kernel.pages.allocated - this.#reachableTables();
  }

  /** The first thing that is left over, when every agent has ended. */
  find(): Failure | undefined {
    const pages = this.#kernel.pages.allocated - this.#pagesFixed - this.#reachableTables();
    if (pages !== 0) return leak('page table', `${pages} page(s) of page tables are allocated that no domain reaches.`);
    return this.#domainLeak() ?? this.#nestedLeak() ?? this.#vmidLeak();
  }

  #reachableTables(): number {
    const { paging, stage1, stage2 } = this.#kernel;
    let tables = 0;
    for (const handle of paging.live()) {
      const { stage, pgd } = paging.at(handle);
      const isFirst = stage.value === STAGE.S1;
      const of = isFirst ? stage1 : stage2;
      const roots = isFirst ? 1 : stage2.concatenated;
      tables += roots;
      for (const block of this.#blocks()) {
        if (block >= ENTRIES * roots) continue;
        const entry = of.decode((pgd.value >>> 0) + 8 * block, LEAF_LEVEL - 1);
        if (entry !== 0 && !isLeaf(entry)) tables++;
      }
    }
    return tables;
  }

  /** Entries of a start level that a program may use; guest memory is a block. */
  #blocks(): number[] {
    const { config, stage1 } = this.#kernel;
    return [...new Set(config.pages.map((page) => Math.floor(page / stage1.blockBytes)))];
  }

  #domainLeak(): Failure | undefined {
    const { paging, places } = this.#kernel;
    for (const handle of paging.live())
      if (places.every((place) => place.value !== handle))
        return leak('domain', `domain${handle - 1} is allocated, and no caller has it.`);
    return undefined;
  }

  #nestedLeak(): Failure | undefined {
    const { nested, devices } = this.#kernel;
    const attached = devices.map((device) => attachedOf(device.attached.value));
    for (const handle of nested.live())
      if (!attached.some((to) => to.kind === 'nested' && to.handle === handle))
        return leak('nested', `nested${handle - 1} is allocated, and no device is attached to it.`);
    return undefined;
  }

  #vmidLeak(): Failure | undefined {
    const { vmids, paging } = this.#kernel;
    for (let vmid = 1; vmid <= vmids.max; vmid++) {
      const owner = vmids.owner(vmid);
      if (owner !== 0 && (!paging.isLive(owner) || paging.at(owner).vmid.value !== vmid))
        return leak('vmid', `VMID ${vmid} is taken, and its owner does not have it.`);
    }
    return undefined;
  }
}

function leak(kind: string, message: string): Failure {
  return { monitor: 'safety', rule: 'leak', message, data: { kind } };
}
