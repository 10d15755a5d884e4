export { ProcessLife, type LifeParts } from './life.ts';
export { ProcessMm } from './mm.ts';
export { MmuNotifiers } from './mmu-notifier.ts';
export type { MmStruct, SvaDomain } from './objects.ts';
export { IommuSva } from './sva.ts';
export { SvmDomains } from './svm.ts';
