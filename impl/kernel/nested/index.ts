/** Kernel software for stage 2, nested translation and ATS: what programs of family smmu run, and what hazards override. */
export * from './ats.ts';
export * from './attach.ts';
export * from './config.ts';
export * from './domains.ts';
export * from './encoder.ts';
export * from './guest.ts';
export * from './invalidation.ts';
export * from './invs.ts';
export * from './kernel.ts';
export * from './objects.ts';
export * from './operations.ts';
export * from './stage2-pgtable.ts';
export * from './ste.ts';
export * from './viommu.ts';
export * from './vmid-xa.ts';
