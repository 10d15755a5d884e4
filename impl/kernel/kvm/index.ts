/** KVM on arm64: VMIDs, vCPUs, and stage 2 tables with their invalidation. */
export * from './hyp.ts';
export * from './kvm.ts';
export * from './mmu.ts';
export * from './port.ts';
export * from './vcpu.ts';
export * from './vhe.ts';
export * from './vmid.ts';
export * from './vmid-id.ts';
