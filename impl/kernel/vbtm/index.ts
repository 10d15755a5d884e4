/** Kernel software for virtual machines whose VMIDs KVM and the SMMU both use: what programs of family btm run. */
export * from './config.ts';
export * from './domains.ts';
export * from './guest.ts';
export * from './iommufd.ts';
export * from './kernel.ts';
export * from './operations.ts';
export * from './port.ts';
export * from './probe.ts';
export * from './machine-operations.ts';
export * from './machines.ts';
