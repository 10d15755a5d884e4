import { Cell } from '../../engine/cell.ts';
import { afterMb } from '../../engine/memory-order/barriers.ts';
import { step, type Step, type Task } from '../../engine/step.ts';
import { SpinLock } from '../../engine/sync/lock.ts';
import type { Permissions } from '../../model/contract/events.ts';
import { hex } from './format.ts';
import type { Kernel } from './kernel.ts';
import type { Domain } from './objects.ts';

/** An entry of the flush queue: which address, and how many flushes had been started when it was queued. */
interface FlushQueueEntry {
  readonly iova: Cell;
  readonly counter: Cell;
}

const COUNTER = { format: (_offset: number, value: number): string => String(value) };

/**
 * The DMA API in lazy mode (`dma-iommu.c`): unmap clears the entries and queues the address; one flush later serves many
 * unmaps, and only then may the allocator give the addresses out again. One queue, where the kernel has one for each
 * CPU.
 */
export class DmaIommu {
  protected readonly kernel: Kernel;
  /** Number of flushes started and finished. */
  protected readonly fq_flush_start_cnt: Cell;
  protected readonly fq_flush_finish_cnt: Cell;
  protected readonly lock: SpinLock;
  readonly #entries: readonly FlushQueueEntry[];
  readonly #head: Cell;
  readonly #tail: Cell;
  /** Bit set of the addresses given out, by index in `config.iovas`. */
  readonly #allocated: Cell;

  constructor(kernel: Kernel) {
    const { machine, config } = kernel;
    this.kernel = kernel;
    this.fq_flush_start_cnt = new Cell(machine, 'fq_flush_start_cnt', COUNTER);
    this.fq_flush_finish_cnt = new Cell(machine, 'fq_flush_finish_cnt', COUNTER);
    this.lock = new SpinLock(machine, 'fq.lock');
    this.#entries = Array.from({ length: config.flushQueueSize }, (_, at) => ({
      iova: new Cell(machine, `fq[${at}].iova`, { format: (_offset, iova) => hex(iova) }),
      counter: new Cell(machine, `fq[${at}].counter`),
    }));
    this.#head = new Cell(machine, 'fq.head');
    this.#tail = new Cell(machine, 'fq.tail');
    const format = (_offset: number, set: number): string =>
      `{${config.iovas
        .filter((_iova, at) => (set >>> at) & 1)
        .map(hex)
        .join(', ')}}`;
    this.#allocated = new Cell(machine, 'iovad', { format });
  }

  /** `__iommu_dma_map()`: maps a page at an address of the allocator's. Returns the address, -1 if there is none. */
  *iommu_dma_map(domain: Domain, pa: number, permissions: Permissions): Task<number> {
    const iova = yield* this.alloc_iova();
    if (iova < 0) return -1;
    const { pgtable } = this.kernel;
    const mapped = yield* pgtable.arm_lpae_map_pages(domain, iova, pa, pgtable.pageBytes, permissions);
    if (mapped) return iova;
    yield* step(`free_iova(${hex(iova)})`, () => {
      this.free_iova(iova);
      return undefined;
    });
    return -1;
  }

  /** `__iommu_dma_unmap()` of a lazy domain: clears the entry and leaves the flush for later. */
  *iommu_dma_unmap(domain: Domain, iova: number): Task<boolean> {
    const { pgtable } = this.kernel;
    const gather = yield* pgtable.arm_lpae_unmap_pages(domain, iova, pgtable.pageBytes);
    if (gather === undefined) return false;
    yield* this.queue_iova(domain, iova);
    return true;
  }

  /** `queue_iova()`: puts an address into the flush queue; a full queue is flushed first. */
  *queue_iova(domain: Domain, iova: number): Task {
    yield* this.lockQueue();
    const full = yield* this.fq_ring_free();
    if (full) {
      yield* this.fq_flush_iotlb(domain);
      yield* this.fq_ring_free();
    }
    yield* step(`queue_iova(${hex(iova)})`, () => {
      this.fq_ring_add(iova);
      return undefined;
    });
    yield* this.lock.unlock();
  }

  /**
   * The `smp_mb` of `queue_iova()` and its lock: "Order against the IOMMU driver's pagetable update", so that a flush of
   * another CPU which counts for this entry finds the page unmapped.
   */
  protected lockQueue(): Step<undefined> {
    return afterMb(this.kernel.machine, this.lock.lock());
  }

  /** `fq_flush_timeout()`: the timer flushes, and frees the addresses that this flush covered. */
  *fq_flush_timeout(domain: Domain): Task {
    yield* this.fq_flush_iotlb(domain);
    yield* this.lock.lock();
    yield* this.fq_ring_free();
    yield* this.lock.unlock();
  }

  /**
   * `fq_flush_iotlb()`: counts the flush as started before it starts and as finished after it is complete, so that an
   * entry is only ever freed by a flush that started after it was queued.
   */
  *fq_flush_iotlb(domain: Domain): Task {
    yield* this.countStart(domain);
    yield* this.kernel.tlb.arm_smmu_tlb_inv_context(domain);
    yield* this.countFinish(domain);
  }

  /** Counts a flush as started. */
  protected countStart(domain: Domain): Step<undefined> {
    return step('fq_flush_start_cnt++', () => {
      this.fq_flush_start_cnt.value += 1;
      this.kernel.emit({ type: 'flush.begin', space: domain.id.value });
      return undefined;
    });
  }

  /** Counts a flush as finished. */
  protected countFinish(domain: Domain): Step<undefined> {
    return step('fq_flush_finish_cnt++', () => {
      this.fq_flush_finish_cnt.value += 1;
      this.kernel.emit({ type: 'flush.end', space: domain.id.value });
      return undefined;
    });
  }

  /** `fq_ring_free()`: frees the addresses whose flush is finished. Returns true if the queue is full all the same. */
  protected fq_ring_free(): Step<boolean> {
    return step('fq_ring_free', () => {
      const finished = this.fq_flush_finish_cnt.value;
      const size = this.#entries.length;
      while (this.#head.value !== this.#tail.value) {
        const { iova, counter } = this.entry(this.#head.value);
        if (!this.isFlushed(counter.value, finished)) break;
        this.free_iova(iova.value);
        iova.value = 0;
        counter.value = 0;
        this.#head.value = (this.#head.value + 1) % size;
      }
      return (this.#tail.value + 1) % size === this.#head.value;
    });
  }

  /** Whether a flush that started after an entry was queued has finished. */
  protected isFlushed(counter: number, finished: number): boolean {
    return counter < finished;
  }

  /** Number of flushes to note in an entry that is being queued; inside a step. */
  protected stamp(): number {
    return this.fq_flush_start_cnt.value;
  }

  /** `fq_ring_add()`: inside a step. */
  protected fq_ring_add(iova: number): void {
    const tail = this.#tail.value;
    const entry = this.entry(tail);
    entry.iova.value = iova;
    entry.counter.value = this.stamp();
    this.#tail.value = (tail + 1) % this.#entries.length;
  }

  /** `alloc_iova()`: the lowest free address, -1 if there is none. */
  protected alloc_iova(): Step<number> {
    return step('alloc_iova', () => {
      const { iovas } = this.kernel.config;
      const allocated = this.#allocated.value;
      if (this.kernel.failNth.shouldFail()) return -1;
      const at = iovas.findIndex((_iova, index) => ((allocated >>> index) & 1) === 0);
      if (at < 0) return -1;
      this.#allocated.value = allocated | (1 << at);
      return iovas[at] as number;
    });
  }

  /** `free_iova()`: the address may be given out again; inside a step. */
  protected free_iova(iova: number): void {
    this.#allocated.value &= ~(1 << this.kernel.config.iovas.indexOf(iova));
  }

  /** Number of addresses given out, and how many of them only wait for their flush. */
  get iovasInUse(): { readonly allocated: number; readonly queued: number } {
    let allocated = 0;
    for (let set = this.#allocated.value; set !== 0; set &= set - 1) allocated++;
    const size = this.#entries.length;
    return { allocated, queued: (this.#tail.value - this.#head.value + size) % size };
  }

  protected entry(at: number): FlushQueueEntry {
    return this.#entries[at] as FlushQueueEntry;
  }
}
