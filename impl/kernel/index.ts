/** Correct kernel software for the SMMUv3, following Linux: what programs run, and what hazards override. */
export * from './asid-xa.ts';
export * from './cmdq.ts';
export * from './config.ts';
export * from './config-entry.ts';
export * from './config-writer.ts';
export * from './context.ts';
export * from './dma-iommu.ts';
export * from './driver.ts';
export * from './format.ts';
export * from './io-pgtable.ts';
export * from './kernel.ts';
export * from './mm.ts';
export * from './objects.ts';
export * from './operations.ts';
export * from './ownership.ts';
export * from './sva.ts';
export * from './tlb.ts';
