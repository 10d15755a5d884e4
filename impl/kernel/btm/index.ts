/** The kernel of processes that CPUs and devices share, with broadcast TLB maintenance that the SMMU hears. */
export * from './ats.ts';
export * from './config.ts';
export * from './context.ts';
export * from './driver.ts';
export * from './kernel.ts';
export * from './mm.ts';
export * from './operations.ts';
export * from './reassign.ts';
export * from './sva.ts';
