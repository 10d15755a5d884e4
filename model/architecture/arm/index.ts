/**
 * The architecture of SMMUv3 (stage 1, Non-secure EL1): everything that hardware is permitted to do.
 *
 *     const smmu = new SmmuV3(store, memory, features, { slots: [{ streamId: 1, substream: -1, va: 0x1000 }] });
 *     smmu.writeRegister(REGISTER.CR0, …);        // what software does: registers,
 *     smmu.memoryWritten(pa);                     // memory,
 *     smmu.completeCommands(prod);                // and what it has seen of the command queue
 *     smmu.outcomes(0);                           // what may happen to an access of slot 0 now
 */
export type { Access, AccessResult } from './event-record.ts';
export { featuresFromRegisters, FULL_FEATURES, type SmmuFeatures } from './features.ts';
export type { HeldDescription, OutcomeSource } from './held-queries.ts';
export type { PhysicalMemory } from './memory.ts';
export { FAULT_MODE, PERMISSION, type FaultMode, type Outcome } from './outcome.ts';
export { SmmuV3, type SmmuCapacity } from './smmuv3.ts';
export type { Slot, Universe } from './universe.ts';
