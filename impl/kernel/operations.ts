import type { Cell } from '../../engine/cell.ts';
import { HarnessError } from '../../engine/failure.ts';
import { releaseOrder } from '../../engine/memory-order/barriers.ts';
import { step, type Step, type Task } from '../../engine/step.ts';
import { READ, WRITE, type Permissions } from '../../model/contract/events.ts';
import { hex } from './format.ts';
import type { Kernel } from './kernel.ts';
import type { Domain, Master, Mm } from './objects.ts';

const BUSY = -1;

/**
 * What a program can do, each a task: callers of the IOMMU API, of SVA and of the DMA API, and processes. Its result is
 * false if the operation does not apply (it is *rejected*, and has changed nothing).
 *
 * The first step of an operation is the caller's own: it claims what the caller must own (its pages, its domain, a
 * user reference of the process). The last one gives the promise.
 */
export class Operations {
  protected readonly kernel: Kernel;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
  }

  /** Allocates a domain in an empty place. */
  *domainAlloc(slot: number): Task<boolean> {
    const { kernel } = this;
    const place = this.#slot(slot);
    const handle = yield* step(`domain_alloc(${slot})`, () => this.#allocDomain(slot));
    if (handle === 0) return false;
    const domain = kernel.domains.at(handle);
    const finalised = yield* kernel.driver.arm_smmu_domain_finalise_s1(domain);
    yield* step(finalised ? 'return' : `kfree(${domain.name})`, () => {
      // However the caller passes the domain on to another CPU: what is in it goes first.
      releaseOrder(kernel.machine);
      place.value = finalised ? handle : 0;
      if (finalised) return undefined;
      kernel.driver.abandonDomain(domain);
      return undefined;
    });
    return finalised;
  }

  /** Frees the domain in a place, if no device is attached to it and nobody uses it. What it maps is gone with it. */
  *domainFree(slot: number): Task<boolean> {
    const { kernel } = this;
    const place = this.#slot(slot);
    const handle = yield* step(`domain_free(domain${slot})`, () => {
      const found = place.value;
      if (found <= 0 || this.#users(slot).value > 0 || kernel.domains.at(found).devices.value !== 0) return 0;
      if (slot === kernel.config.dmaDomain && kernel.buffers.some((buffer) => buffer.value !== 0)) return 0;
      place.value = BUSY;
      this.#forgetMappings(kernel.spaceOfSlot(slot));
      return found;
    });
    if (handle === 0) return false;
    yield* kernel.driver.arm_smmu_domain_free(kernel.domains.at(handle));
    yield* step('return', () => {
      place.value = 0;
      return undefined;
    });
    return true;
  }

  /** Takes an ASID and gives it back: a short-lived domain, so that numbers are reused. */
  *asidPressure(): Task<boolean> {
    const { spareSlot } = this.kernel;
    if (!(yield* this.domainAlloc(spareSlot))) return false;
    return yield* this.domainFree(spareSlot);
  }

  /** Attaches a device to a domain; a device attached elsewhere changes over. */
  *attach(slot: number, device: number): Task<boolean> {
    const master = this.#master(device);
    const handle = yield* this.#claimDomain(`attach(domain${slot}, ${master.name})`, slot);
    if (handle === 0) return false;
    const done = yield* this.kernel.driver.arm_smmu_attach_dev(this.kernel.domains.at(handle), master);
    yield* this.#release(slot);
    return done;
  }

  /** Detaches a device from its domain. */
  *detach(device: number): Task<boolean> {
    return yield* this.kernel.driver.arm_smmu_detach_dev(this.#master(device));
  }

  /** Maps `size` bytes of a domain, pages or one block, to the memory at `pa`. */
  *map(slot: number, iova: number, size: number, pa: number, permissions: Permissions = READ | WRITE): Task<boolean> {
    const { kernel } = this;
    const space = kernel.spaceOfSlot(slot);
    const handle = yield* this.#claimDomain(`map(domain${slot}, ${extent(kernel, iova, size)})`, slot, () =>
      kernel.ownership.claimMap(space, iova, size),
    );
    if (handle === 0) return false;
    const domain = kernel.domains.at(handle);
    const mapped = yield* kernel.pgtable.arm_lpae_map_pages(domain, iova, pa, size, permissions);
    yield* this.#release(slot, () => {
      kernel.ownership.settle(space, iova, size, mapped);
      if (mapped) kernel.emit({ type: 'map.end', space, iova, size });
    });
    return mapped;
  }

  /** Unmaps `size` bytes: pages, a block, or all pages of one block together with their table. Waits for the SMMU. */
  *unmap(slot: number, iova: number, size: number): Task<boolean> {
    const { kernel } = this;
    const space = kernel.spaceOfSlot(slot);
    const handle = yield* this.#claimDomain(
      `unmap(domain${slot}, ${extent(kernel, iova, size)})`,
      slot,
      () => kernel.ownership.claimUnmap(space, iova, size) !== 'none',
    );
    if (handle === 0) return false;
    const domain = kernel.domains.at(handle);
    const gather = yield* kernel.pgtable.arm_lpae_unmap_pages(domain, iova, size);
    if (gather !== undefined) yield* this.arm_smmu_iotlb_sync(domain, iova, gather.size, gather.granule);
    yield* this.#release(slot, () => {
      kernel.ownership.settle(space, iova, size, false);
      kernel.emit({ type: 'unmap.end', space, iova, size, lazy: false });
    });
    return true;
  }

  /** Splits a mapped block into pages that map the same memory. Nobody may be using it meanwhile. */
  *split(slot: number, iova: number): Task<boolean> {
    const { kernel } = this;
    const space = kernel.spaceOfSlot(slot);
    const handle = yield* this.#claimDomain(`split(domain${slot}, ${hex(iova)})`, slot, () =>
      kernel.ownership.claimBlock(space, iova),
    );
    if (handle === 0) return false;
    const split = yield* kernel.pgtable.split_block(kernel.domains.at(handle), iova);
    yield* this.#release(slot, () => {
      const size = kernel.pgtable.blockBytes;
      if (split) kernel.ownership.settleSplit(space, iova);
      else kernel.ownership.settle(space, iova, size, false);
      if (split) kernel.emit({ type: 'map.end', space, iova, size });
      else kernel.emit({ type: 'unmap.end', space, iova, size, lazy: false });
    });
    return split;
  }

  /** Binds a process to a device. */
  *bind(process: number, device: number): Task<boolean> {
    const master = this.#master(device);
    const mm = this.#mm(process);
    if (!(yield* this.#mmget(`bind(${mm.name}, ${master.name})`, mm))) return false;
    const bound = yield* this.kernel.sva.arm_smmu_sva_bind(mm, master);
    yield* this.kernel.mm.mmput(mm);
    return bound;
  }

  /** Unbinds a process from a device. */
  *unbind(process: number, device: number): Task<boolean> {
    return yield* this.kernel.sva.arm_smmu_sva_unbind(this.#mm(process), this.#master(device));
  }

  /** A process gets a page of memory. */
  *mmMap(process: number, va: number, pa: number, permissions: Permissions = READ | WRITE): Task<boolean> {
    const { kernel } = this;
    const mm = this.#mm(process);
    const space = kernel.spaceOfProcess(process);
    const size = kernel.pgtable.pageBytes;
    const claimed = yield* this.#mmget(`mmap(${mm.name}, ${hex(va)})`, mm, () =>
      kernel.ownership.claimMap(space, va, size),
    );
    if (!claimed) return false;
    const mapped = yield* kernel.mm.handle_mm_fault(mm, va, pa, permissions);
    yield* step('return', () => {
      kernel.ownership.settle(space, va, size, mapped);
      if (mapped) kernel.emit({ type: 'map.end', space, iova: va, size });
      return undefined;
    });
    yield* kernel.mm.mmput(mm);
    return mapped;
  }

  /** A process gives a page of memory back; devices it is bound to lose it too. */
  *munmap(process: number, va: number): Task<boolean> {
    const { kernel } = this;
    const mm = this.#mm(process);
    const space = kernel.spaceOfProcess(process);
    const size = kernel.pgtable.pageBytes;
    const claim = yield* step(`munmap(${mm.name}, ${hex(va)})`, () => {
      if (!this.#isAlive(mm)) return 'none';
      const found = kernel.ownership.claimLastPage(space, va);
      if (found !== 'none') mm.mm_users.increment();
      return found;
    });
    if (claim === 'none') return false;
    const unmapped = yield* kernel.mm.unmap_region(mm, va, claim === 'table');
    yield* step('return', () => {
      kernel.ownership.settle(space, va, size, false);
      if (unmapped) kernel.emit({ type: 'unmap.end', space, iova: va, size, lazy: false });
      return undefined;
    });
    yield* kernel.mm.mmput(mm);
    return unmapped;
  }

  /** A process exits; the last operation that still uses its address space tears it down. */
  *processExit(process: number): Task<boolean> {
    const mm = this.#mm(process);
    const first = yield* step(`exit(${mm.name})`, () => {
      if (!this.#isAlive(mm)) return false;
      this.#alive(mm).value = 0;
      return true;
    });
    if (!first) return false;
    yield* this.kernel.mm.mmput(mm);
    return true;
  }

  /** Maps a page for DMA, at an address that the DMA API chooses, and remembers it in an empty buffer. */
  *dmaMap(buffer: number, pa: number, permissions: Permissions = READ | WRITE): Task<boolean> {
    const { kernel } = this;
    const slot = kernel.config.dmaDomain;
    const cell = this.#buffer(buffer);
    const handle = yield* this.#claimDomain(`dma_map(buffer ${buffer})`, slot, () => {
      if (cell.value !== 0) return false;
      cell.value = BUSY;
      return true;
    });
    if (handle === 0) return false;
    const iova = yield* kernel.dma.iommu_dma_map(kernel.domains.at(handle), pa, permissions);
    yield* this.#release(slot, () => {
      cell.value = iova + 1;
      const size = kernel.pgtable.pageBytes;
      if (iova >= 0) kernel.emit({ type: 'map.end', space: kernel.spaceOfSlot(slot), iova, size });
    });
    return iova >= 0;
  }

  /** Unmaps what a buffer remembers, lazily: devices may see the page until the next flush. */
  *dmaUnmap(buffer: number): Task<boolean> {
    const { kernel } = this;
    const slot = kernel.config.dmaDomain;
    const cell = this.#buffer(buffer);
    const mapped = yield* step(`dma_unmap(buffer ${buffer})`, () => {
      const found = cell.value;
      if (found <= 0) return 0;
      this.#users(slot).value += 1;
      cell.value = BUSY;
      return found;
    });
    if (mapped === 0) return false;
    const iova = mapped - 1;
    const handle = yield* step('load domain', () => this.#slot(slot).value);
    yield* kernel.dma.iommu_dma_unmap(kernel.domains.at(handle), iova);
    yield* this.#release(slot, () => {
      cell.value = 0;
      const size = kernel.pgtable.pageBytes;
      kernel.emit({ type: 'unmap.end', space: kernel.spaceOfSlot(slot), iova, size, lazy: true });
    });
    return true;
  }

  /** The flush queue's timer. */
  *dmaFlush(): Task<boolean> {
    const slot = this.kernel.config.dmaDomain;
    const handle = yield* this.#claimDomain('fq_flush_timeout', slot);
    if (handle === 0) return false;
    yield* this.kernel.dma.fq_flush_timeout(this.kernel.domains.at(handle));
    yield* this.#release(slot);
    return true;
  }

  /** The caller's `nth` allocation from now on fails. */
  *failAllocation(nth: number): Task<boolean> {
    yield* this.kernel.failNth.arm(nth);
    return true;
  }

  /** `arm_smmu_iotlb_sync()`: invalidates the leaves that an unmap has gathered. */
  *arm_smmu_iotlb_sync(domain: Domain, iova: number, size: number, granule: number): Task {
    yield* this.kernel.tlb.arm_smmu_tlb_inv_range_domain(domain, { iova, size, granule, leaf: true });
  }

  /** The caller's first step: handle of the domain in a place, which stays until `release`; 0 if rejected. */
  #claimDomain(label: string, slot: number, claim?: () => boolean): Step<number> {
    const place = this.#slot(slot);
    const users = this.#users(slot);
    return step(label, () => {
      const handle = place.value;
      if (handle <= 0 || (claim !== undefined && !claim())) return 0;
      users.value += 1;
      return handle;
    });
  }

  #release(slot: number, promise?: () => void): Step<undefined> {
    const users = this.#users(slot);
    return step('return', () => {
      users.value -= 1;
      promise?.();
      return undefined;
    });
  }

  #mmget(label: string, mm: Mm, claim?: () => boolean): Step<boolean> {
    return step(label, () => {
      if (!this.#isAlive(mm) || (claim !== undefined && !claim())) return false;
      mm.mm_users.increment();
      return true;
    });
  }

  #allocDomain(slot: number): number {
    const { kernel } = this;
    const place = this.#slot(slot);
    if (place.value !== 0) return 0;
    const handle = kernel.kzalloc(kernel.domains);
    if (handle === 0) return 0;
    const pgd = kernel.pgtable.allocPage();
    if (pgd === 0) {
      kernel.domains.free(handle);
      return 0;
    }
    const domain = kernel.domains.at(handle);
    domain.id.value = kernel.spaceOfSlot(slot);
    domain.pgd.value = pgd;
    place.value = BUSY;
    return handle;
  }

  #forgetMappings(space: number): void {
    const size = 2 ** (64 - this.kernel.config.t0sz);
    this.kernel.emit({ type: 'unmap.begin', space, iova: 0, size });
    this.kernel.emit({ type: 'unmap.end', space, iova: 0, size, lazy: false });
    this.kernel.ownership.reset(space);
  }

  #slot(slot: number): Cell {
    return at(this.kernel.domainSlots, slot, 'domain');
  }

  #users(slot: number): Cell {
    return at(this.kernel.domainUsers, slot, 'domain');
  }

  #buffer(buffer: number): Cell {
    return at(this.kernel.buffers, buffer, 'buffer');
  }

  #master(device: number): Master {
    return at(this.kernel.masters, device, 'device');
  }

  #mm(process: number): Mm {
    return this.kernel.mms.at(process + 1);
  }

  #alive(mm: Mm): Cell {
    return at(this.kernel.alive, mm.index, 'process');
  }

  #isAlive(mm: Mm): boolean {
    return this.#alive(mm).value === 1;
  }
}

function at<T>(list: readonly T[], index: number, what: string): T {
  const found = list[index];
  if (found === undefined) throw new HarnessError(`this world has no ${what} ${index}`);
  return found;
}

function extent(kernel: Kernel, iova: number, size: number): string {
  return size === kernel.pgtable.pageBytes ? hex(iova) : `${hex(iova)}+${hex(size)}`;
}
