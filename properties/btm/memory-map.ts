/** Virtual address that the guest maps; its devices use it. */
export const VIRTUAL = 0x8000;
/** Intermediate physical addresses that stage 2 of KVM and of the SMMU map, by index. */
export const IPAS = [0x1000, 0x2000] as const;
/** Every address that a device may access. */
export const ADDRESSES: readonly number[] = [...IPAS, VIRTUAL];
export const PAGE_BYTES = 0x1000;
export const BLOCK_BYTES = 0x20_0000;
