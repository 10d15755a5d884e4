import type { Task } from '../../../engine/step.ts';
import { ArmLpaeIoPgtable } from '../../../impl/kernel/index.ts';
import type { AsidHazard } from './hazard.ts';

/** Links a table whose zeros may still be in the store buffer. */
class UnorderedLinkPgtable extends ArmLpaeIoPgtable {
  protected override storeTable(ptep: number, table: number): void {
    this.linkTable(ptep, table);
  }
}

/** Returns from map while the entries may still be in the store buffer. */
class UnorderedMapPgtable extends ArmLpaeIoPgtable {
  protected override *synchronisePtes(): Task {
    // Nothing is waited for.
  }
}

/** A table is linked before it is empty. */
export const pgtableInstallNoWmb: AsidHazard = {
  id: 'pgtable-install-no-wmb',
  title: 'a new table is linked without a barrier after it was cleared',
  citation:
    'arm_lpae_install_table(), Linux 4.13 to 6.x: "Ensure the table itself is visible before its PTE can be", dma_wmb() before cmpxchg64_relaxed()',
  story:
    'The zeros of a new page table are still in the store buffer when the table is linked. The SMMU walks what was in the page before: descriptors of an address space that gave it back.',
  expected: [
    { monitor: 'translation', rule: 'unknown-translation' },
    { monitor: 'translation', rule: 'stale-translation' },
    { monitor: 'translation', rule: 'wrong-address-space' },
    { monitor: 'translation', rule: 'tlb-conflict' },
    { monitor: 'translation', rule: 'spurious-fault' },
    { monitor: 'tables', rule: 'table-free-in-use' },
  ],
  parts: { pgtable: UnorderedLinkPgtable },
};

/** map returns too soon. */
export const pgtableMapNoWmb: AsidHazard = {
  id: 'pgtable-map-no-wmb',
  title: 'map returns while the new entry is still in the store buffer',
  citation:
    'arm_lpae_map_pages(), Linux 6.1: "Synchronise all PTE updates for the new mapping before there\'s a chance for anything to kick off a table walk", wmb()',
  story:
    'map tells its caller that the page is mapped, and the caller starts a DMA. The entry is not in memory yet, and the DMA is refused.',
  expected: [
    { monitor: 'translation', rule: 'spurious-fault' },
    { monitor: 'translation', rule: 'stale-translation' },
    { monitor: 'translation', rule: 'unknown-translation' },
    { monitor: 'translation', rule: 'tlb-conflict' },
  ],
  parts: { pgtable: UnorderedMapPgtable },
};
