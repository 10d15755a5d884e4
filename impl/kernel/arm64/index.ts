/** Of arm64's CPU side: context switches with the ASID allocator, page table entries and their invalidation. */
export * from './asid-map.ts';
export * from './context-id.ts';
export * from './context.ts';
export * from './mm.ts';
export * from './pgtable.ts';
export * from './port.ts';
export * from './sched.ts';
export * from './tlbflush.ts';
