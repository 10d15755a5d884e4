import { address, bits, layout } from '../../arm/layout/layout.ts';

/** Types of invalidation descriptors (VT-d §6.5.2; Linux `QI_*_TYPE`): the ones that are needed for PASID entries. */
export const DESCRIPTOR_TYPE = {
  IOTLB: 0x2,
  DEVICE_TLB: 0x3,
  WAIT: 0x5,
  PASID_IOTLB: 0x6,
  PASID_CACHE: 0x7,
  PASID_DEVICE_TLB: 0x8,
} as const;

/** What every descriptor has. Descriptors are of 256 bits in scalable mode; the upper half of these is reserved. */
export const DESCRIPTOR = layout('invalidation descriptor', 4, { Type: bits(3, 0) });

/** Values of `G` of a PASID-cache invalidation. */
export const PASID_CACHE_GRANULARITY = { DOMAIN: 0, PASID: 1, GLOBAL: 3 } as const;

/** PASID-cache Invalidate Descriptor (§6.5.2.2). */
export const PASID_CACHE_INVALIDATE = layout('PASID-cache invalidate', 4, {
  ...DESCRIPTOR.fields,
  G: bits(5, 4),
  DID: bits(31, 16),
  PASID: bits(51, 32),
});

/** Values of `G` of an IOTLB invalidation. */
export const IOTLB_GRANULARITY = { GLOBAL: 1, DOMAIN: 2, PAGE: 3 } as const;

/** IOTLB Invalidate Descriptor (§6.5.2.3): 2^AM pages. */
export const IOTLB_INVALIDATE = layout('IOTLB invalidate', 4, {
  ...DESCRIPTOR.fields,
  G: bits(5, 4),
  DW: bits(6),
  DR: bits(7),
  DID: bits(31, 16),
  AM: bits(69, 64),
  IH: bits(70),
  Address: address(127, 76),
});

/** Values of `G` of a PASID-based IOTLB invalidation. */
export const PASID_IOTLB_GRANULARITY = { PASID: 2, PAGE: 3 } as const;

/** PASID-based IOTLB Invalidate Descriptor (§6.5.2.4): 2^AM pages. */
export const PASID_IOTLB_INVALIDATE = layout('PASID-based IOTLB invalidate', 4, {
  ...DESCRIPTOR.fields,
  G: bits(5, 4),
  DID: bits(31, 16),
  PASID: bits(51, 32),
  AM: bits(69, 64),
  IH: bits(70),
  Address: address(127, 76),
});

/** Device-TLB Invalidate Descriptor (§6.5.2.5): for translations of requests without PASID. */
export const DEVICE_TLB_INVALIDATE = layout('device-TLB invalidate', 4, {
  ...DESCRIPTOR.fields,
  SID: bits(47, 32),
  S: bits(64),
  Address: address(127, 76),
});

/** PASID-based Device-TLB Invalidate Descriptor (§6.5.2.6). With `S`, the lowest 0 of `Address` tells the size. */
export const PASID_DEVICE_TLB_INVALIDATE = layout('PASID-based device-TLB invalidate', 4, {
  ...DESCRIPTOR.fields,
  QDEP: bits(8, 4),
  SID: bits(31, 16),
  PASID: bits(51, 32),
  G: bits(64),
  S: bits(75),
  Address: address(127, 76),
});

/** Invalidation Wait Descriptor (§6.5.2.8): with `SW`, `StatusData` is written when all before it has been completed. Addresses have 54 bits. */
export const WAIT = layout('invalidation wait', 4, {
  ...DESCRIPTOR.fields,
  IF: bits(4),
  SW: bits(5),
  FN: bits(6),
  PD: bits(7),
  StatusData: bits(63, 32),
  StatusAddress: address(117, 66),
});
