/** What kernel software and devices stand on: physical memory, its page allocator, and the port of an SMMU. */
export * from './cpu-memory.ts';
export * from './memory.ts';
export * from './page-allocator.ts';
export * from './smmu-port.ts';
