import { step, type Step, type Task } from '../../../engine/step.ts';
import { DmaIommu, type Domain } from '../../../impl/kernel/index.ts';
import type { AsidHazard } from './hazard.ts';

/** Frees an address when it should be queued. */
class NoQueueDma extends DmaIommu {
  protected override fq_ring_add(iova: number): void {
    this.free_iova(iova);
  }
}

/** Notes the flushes finished, not those started. */
class FinishStampDma extends DmaIommu {
  protected override stamp(): number {
    return this.fq_flush_finish_cnt.value;
  }
}

/** Takes a flush that had started before for one that started after. */
class OffByOneDma extends DmaIommu {
  protected override isFlushed(counter: number, finished: number): boolean {
    return counter <= finished;
  }
}

/** Counts a flush as finished before it is issued. */
class EarlyFinishDma extends DmaIommu {
  override *fq_flush_iotlb(domain: Domain): Task {
    yield* this.countStart(domain);
    yield* step('fq_flush_finish_cnt++', () => {
      this.fq_flush_finish_cnt.value += 1;
      return undefined;
    });
    yield* this.kernel.tlb.arm_smmu_tlb_inv_context(domain);
    yield* step('flush is complete', () => {
      this.kernel.emit({ type: 'flush.end', space: domain.id.value });
      return undefined;
    });
  }
}

/** Queues an address while its cleared entry may still be in the store buffer. */
class UnorderedQueueDma extends DmaIommu {
  protected override lockQueue(): Step<undefined> {
    return this.lock.lock();
  }
}

const REUSED = [
  { monitor: 'translation', rule: 'tlb-conflict' },
  { monitor: 'translation', rule: 'stale-translation' },
] as const;

/** No queue. */
export const fqIovaReuse: AsidHazard = {
  id: 'fq-iova-reuse',
  title: 'lazy unmap gives the IOVA back at once',
  citation: 'queue_iova() and fq_ring_free(), dma-iommu.c, Linux 6.1',
  story:
    'In lazy mode the device may see a page for a while after unmap; but here the IOVA is given out again before the flush, and the new mapping is answered from what was cached of the old one.',
  expected: REUSED,
  parts: { dma: NoQueueDma },
};

/** Wrong counter in the entry. */
export const fqFinishStamp: AsidHazard = {
  id: 'fq-finish-stamp',
  title: 'a queued IOVA is stamped with the number of finished flushes',
  citation: 'queue_iova(), dma-iommu.c, Linux 6.1: fq_flush_start_cnt is the stamp',
  story:
    'An IOVA that is queued while a flush is under way counts as flushed when that flush ends, although the flush may have begun before the entry was cleared.',
  expected: REUSED,
  parts: { dma: FinishStampDma },
};

/** Wrong comparison. */
export const fqCounterCompare: AsidHazard = {
  id: 'fq-counter-compare',
  title: 'a queued IOVA is freed when as many flushes have finished as had started',
  citation: 'fq_ring_free(), dma-iommu.c, Linux 6.1: entries with counter >= finish_cnt stay',
  story: 'The comparison is off by one: flushes that had started, or even ended, before the unmap count as its flush.',
  expected: REUSED,
  parts: { dma: OffByOneDma },
};

/** Finished before it began. */
export const fqFinishEarly: AsidHazard = {
  id: 'fq-finish-early',
  title: 'a flush counts as finished before it is issued',
  citation: 'fq_flush_iotlb(), dma-iommu.c, Linux 6.1: fq_flush_finish_cnt is incremented after flush_iotlb_all()',
  story:
    'Between the increment and the end of the flush another CPU frees the addresses that the flush is for, and gives them out again.',
  expected: REUSED,
  parts: { dma: EarlyFinishDma },
};

/** The flush comes before what it is for. */
export const fqQueueNoBarrier: AsidHazard = {
  id: 'fq-queue-no-barrier',
  title: 'an IOVA is queued without a barrier after its entry was cleared',
  citation:
    'queue_iova(), dma-iommu.c, Linux 6.1: smp_mb(), "Order against the IOMMU driver\'s pagetable update from unmapping @pte"',
  story:
    'The cleared entry waits in the store buffer of one CPU while the flush queue’s timer flushes on another. The SMMU walks the old entry again, and the flush counts for an IOVA that is still reachable.',
  expected: REUSED,
  parts: { dma: UnorderedQueueDma },
};
