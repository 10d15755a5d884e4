import { Cell } from '../../../../engine/cell.ts';
import { step, type Step } from '../../../../engine/step.ts';
import type { IopfKernel } from '../kernel.ts';
import type { MmStruct } from './objects.ts';

/**
 * PASIDs of processes (`iommu_global_pasid_ida`): the lowest free number. A process has one from its first bind until its
 * `mm_struct` goes.
 */
export class GlobalPasids {
  protected readonly kernel: IopfKernel;
  /** By number: who has it, as handle of the `mm`; 0: it is free. */
  readonly #owners: readonly Cell[];
  /** By number: who had it last. */
  readonly #before: readonly Cell[];

  constructor(kernel: IopfKernel) {
    this.kernel = kernel;
    const { machine, layout } = kernel;
    const row = (name: string, internal: boolean): Cell[] =>
      Array.from(
        { length: layout.pasids + 1 },
        (_, pasid) =>
          new Cell(machine, `${name}[${pasid}]`, {
            format: (_at, handle) => (handle === 0 ? 'free' : `mm${handle - 1}`),
            ...(internal ? { internal: true } : {}),
          }),
      );
    this.#owners = row('iommu_global_pasid_ida', false);
    this.#before = row('PASID before', true);
  }

  /** `iommu_alloc_mm_data()`, under `iommu_sva_lock`: the PASID of a process; 0 if there is none, or no memory. */
  iommu_alloc_mm_data(mm: MmStruct): Step<number> {
    return step(`iommu_alloc_mm_data(${mm.name})`, () => {
      if (mm.pasid.value !== 0) return mm.pasid.value;
      if (this.kernel.failNth.shouldFail()) return 0;
      const free = this.#owners.findIndex((owner, pasid) => pasid > 0 && owner.value === 0);
      if (free < 0) return 0;
      this.#give(free, mm.handle);
      mm.pasid.value = free;
      this.kernel.emit({ type: 'pasid.alloc', pasid: free, owner: mm.space });
      return free;
    });
  }

  /** `mm_pasid_drop()`. */
  mm_pasid_drop(mm: MmStruct): Step<undefined> {
    return step(`mm_pasid_drop(${mm.name})`, () => {
      const pasid = mm.pasid.value;
      if (pasid === 0) return undefined;
      const [owner] = this.#owners.slice(pasid, pasid + 1);
      if (owner?.value === mm.handle) owner.value = 0;
      mm.pasid.value = 0;
      this.kernel.emit({ type: 'pasid.reclaim', pasid });
      return undefined;
    });
  }

  #give(pasid: number, mm: number): void {
    const [owner, before] = [this.#owners[pasid] as Cell, this.#before[pasid] as Cell];
    if (before.value !== 0 && before.value !== mm) this.kernel.note('PASID reused');
    owner.value = mm;
    before.value = mm;
  }
}
