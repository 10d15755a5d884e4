import { Cell } from '../../../engine/cell.ts';
import { step, type Step, type Task } from '../../../engine/step.ts';
import type { IoasidKernel } from './kernel.ts';

/** `given` of a number that no custom allocator has given. */
export const DEFAULT = -1;
/** IOMMUs that can have a virtual command interface. */
export const ALLOCATORS = 2;
/** Numbers from here on are the guest's to ask for; the hypervisor uses those below itself. */
const FIRST_FOR_GUESTS = 2;

/**
 * `ioasid_register_allocator()`: under a hypervisor, numbers are asked for by a virtual command of the IOMMU (VT-d VCMD,
 * `intel_vcmd_ioasid_alloc()`), since they are the hypervisor's. Allocators of two IOMMUs with the same operations share
 * their numbers. With the last one that goes the default comes back.
 *
 * A change between the default and a custom allocator is refused while numbers are out: the other one does not know them.
 */
export class IoasidAllocators {
  protected readonly kernel: IoasidKernel;
  /** Bit set of the IOMMUs whose allocator is registered. */
  protected readonly registered: Cell | undefined;
  /** Bit set of the numbers that the hypervisor has given to this guest. */
  readonly #granted: Cell | undefined;

  constructor(kernel: IoasidKernel) {
    this.kernel = kernel;
    if (kernel.layout.custom !== true) return;
    const format = (_at: number, set: number): string =>
      `{${[0, 1].filter((at) => (set & (1 << at)) !== 0).join(', ')}}`;
    this.registered = new Cell(kernel.machine, 'allocators_list', { format });
    this.#granted = new Cell(kernel.machine, 'PASIDs of the guest', {
      format: (_at, set) =>
        `{${kernel.numbers.flatMap((_cell, id) => ((set & (1 << id)) === 0 ? [] : [id])).join(', ')}}`,
    });
  }

  /** Bit set of what the hypervisor has given; 0 without one. */
  get granted(): number {
    return this.#granted?.value ?? 0;
  }

  /** Registers the allocator of an IOMMU. False if it is registered, numbers are out, or there is no memory. */
  *register(iommu: number): Task<boolean> {
    return (yield* this.kernel.ioasid.locked(() => this.#registerLocked(iommu))) !== 0;
  }

  *#registerLocked(iommu: number): Task<number> {
    return yield* step(`ioasid_register_allocator(${iommu})`, () => {
      const before = this.#list().value;
      if ((before & (1 << iommu)) !== 0 || this.kernel.failNth.shouldFail()) return 0;
      if (before === 0 && !this.maySwitch(before | (1 << iommu))) return 0;
      this.change(before | (1 << iommu));
      return 1;
    });
  }

  /** Unregisters the allocator of an IOMMU. False if it is not registered, or the last one and numbers are out. */
  *unregister(iommu: number): Task<boolean> {
    return (yield* this.kernel.ioasid.locked(() => this.#unregisterLocked(iommu))) !== 0;
  }

  *#unregisterLocked(iommu: number): Task<number> {
    return yield* step(`ioasid_unregister_allocator(${iommu})`, () => {
      const before = this.#list().value;
      if ((before & (1 << iommu)) === 0) return 0;
      const after = this.without(before, iommu);
      if (!this.isCustom(after) && !this.maySwitch(after)) return 0;
      this.change(after);
      return 1;
    });
  }

  /** Who is left; inside a step. */
  protected without(registered: number, iommu: number): number {
    return registered & ~(1 << iommu);
  }

  /** Whether what is registered makes a custom allocator the active one; inside a step. */
  protected isCustom(registered: number): boolean {
    return registered !== 0;
  }

  /** Whether the default and a custom allocator may take turns, of which `after` is then registered; inside a step. */
  protected maySwitch(_after: number): boolean {
    const none = this.kernel.numbers.every((cell) => cell.value === 0);
    if (!none) this.kernel.note('allocator kept by its numbers');
    return none;
  }

  protected change(registered: number): void {
    this.#list().value = registered;
    this.kernel.emit({ type: 'pasid.allocator', custom: registered !== 0 });
  }

  /** The number of a custom allocator, which has `DEFAULT` if none is active, and 0 if the hypervisor has none. Locked. */
  *alloc(): Task<number> {
    const { registered } = this;
    if (registered === undefined) return DEFAULT;
    const custom = yield* step('active_allocator?', () => registered.value !== 0);
    return custom ? yield* this.virtualCommand() : DEFAULT;
  }

  /** `vcmd_alloc_pasid()`, which does not sleep: it polls for the response. */
  protected virtualCommand(): Step<number> {
    return step('VCMD: allocate a PASID', () => {
      const id = this.kernel.failNth.shouldFail() ? 0 : this.grant();
      if (id === 0) this.kernel.note('virtual command refused');
      return id;
    });
  }

  /** What the hypervisor gives: the highest number that is left; 0: none. Inside a step. */
  protected grant(): number {
    const { pasids } = this.kernel.layout;
    for (let id = pasids; id >= FIRST_FOR_GUESTS; id--) {
      if ((this.granted & (1 << id)) !== 0) continue;
      this.setGranted(id, true);
      this.kernel.note('number of the hypervisor');
      return id;
    }
    return 0;
  }

  /** There was no place for a number that was given; inside a step. */
  notTaken(id: number): void {
    this.free(id);
  }

  /** `vcmd_free_pasid()`, if the hypervisor has given it; inside a step. */
  free(id: number): void {
    if ((this.granted & (1 << id)) !== 0) this.setGranted(id, false);
  }

  protected setGranted(id: number, on: boolean): void {
    const cell = this.#granted;
    if (cell === undefined) return;
    cell.value = on ? cell.value | (1 << id) : cell.value & ~(1 << id);
    this.kernel.emit({ type: 'pasid.granted', pasid: id, on });
  }

  #list(): Cell {
    if (this.registered === undefined) throw new RangeError('there is no virtual command interface');
    return this.registered;
  }
}
