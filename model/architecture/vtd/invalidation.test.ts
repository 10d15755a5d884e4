import { expect, test } from 'vitest';
import { decodeInvalidation } from './invalidation.ts';
import {
  DESCRIPTOR_TYPE,
  DEVICE_TLB_INVALIDATE,
  encode,
  IOTLB_GRANULARITY,
  IOTLB_INVALIDATE,
  PASID_CACHE_INVALIDATE,
  PASID_DEVICE_TLB_INVALIDATE,
  PASID_ENTRY,
  PASID_IOTLB_GRANULARITY,
  PASID_IOTLB_INVALIDATE,
  WAIT,
} from './layout/index.ts';

const { IOTLB, PASID_IOTLB, PASID_CACHE, PASID_DEVICE_TLB } = DESCRIPTOR_TYPE;

/** Lanes as the headers of Linux's driver have them: shifts from bit 0 of the descriptor. */
test.each([
  ['PASID-cache', encode(PASID_CACHE_INVALIDATE, { Type: 7, G: 1, DID: 5, PASID: 9 }), [7 | (1 << 4) | (5 << 16), 9]],
  [
    'IOTLB',
    encode(IOTLB_INVALIDATE, { Type: 2, G: 2, DW: 1, DR: 1, DID: 5 }),
    [2 | (2 << 4) | (1 << 6) | (1 << 7) | (5 << 16), 0],
  ],
  [
    'PASID-based IOTLB',
    encode(PASID_IOTLB_INVALIDATE, { Type: 6, G: 3, DID: 5, PASID: 9, AM: 2, IH: 1, Address: 0x1_2345_6000 }),
    [6 | (3 << 4) | (5 << 16), 9, 0x2345_6000 | 2 | (1 << 6), 1],
  ],
  ['device-TLB', encode(DEVICE_TLB_INVALIDATE, { Type: 3, SID: 8, S: 1, Address: 0x7000 }), [3, 8, 0x7000 | 1, 0]],
  [
    'PASID-based device-TLB',
    encode(PASID_DEVICE_TLB_INVALIDATE, { Type: 8, QDEP: 3, SID: 8, PASID: 9, S: 1, Address: 0x7000 }),
    [8 | (3 << 4) | (8 << 16), 9, 0x7000 | (1 << 11), 0],
  ],
  ['wait', encode(WAIT, { Type: 5, SW: 1, FN: 1, StatusData: 2 }), [5 | (1 << 5) | (1 << 6), 2]],
  [
    'PASID entry',
    encode(PASID_ENTRY, { P: 1, AW: 2, PGTT: 1, DID: 5, PWSNP: 1, WPE: 1, NXE: 1, FLPTPTR: 0x1_2345_6000 }),
    [1 | (2 << 2) | (1 << 6), 0, 5 | (1 << 23), 0, 0x2345_6000 | (1 << 4) | (1 << 5), 1],
  ],
])('%s', (_name, lanes, expected) => {
  expect(lanes.slice(0, expected.length)).toEqual(expected);
  expect(lanes.slice(expected.length).every((lane) => lane === 0)).toBe(true);
});

test.each([
  [
    'by pages of a domain',
    encode(IOTLB_INVALIDATE, { Type: IOTLB, G: IOTLB_GRANULARITY.PAGE, DID: 5, AM: 2, Address: 0x7000 }),
    { kind: 'iotlb', did: 5, pasid: -1, pages: { first: 4, count: 4 } },
  ],
  [
    'globally',
    encode(IOTLB_INVALIDATE, { Type: IOTLB, G: IOTLB_GRANULARITY.GLOBAL, DID: 5 }),
    { kind: 'iotlb', did: -1, pasid: -1, pages: undefined },
  ],
  ['with a reserved granularity', encode(IOTLB_INVALIDATE, { Type: IOTLB, G: 0, DID: 5 }), { kind: 'none' }],
  [
    'by pages of a PASID',
    encode(PASID_IOTLB_INVALIDATE, {
      Type: PASID_IOTLB,
      G: PASID_IOTLB_GRANULARITY.PAGE,
      DID: 5,
      PASID: 9,
      Address: 0x7000,
    }),
    { kind: 'pasid-iotlb', did: 5, pasid: 9, pages: { first: 7, count: 1 } },
  ],
  ['of a PASID, with a reserved granularity', encode(PASID_IOTLB_INVALIDATE, { Type: PASID_IOTLB }), { kind: 'none' }],
  [
    'of entries, with a reserved granularity',
    encode(PASID_CACHE_INVALIDATE, { Type: PASID_CACHE, G: 2 }),
    { kind: 'none' },
  ],
  [
    'of one page of a device',
    encode(PASID_DEVICE_TLB_INVALIDATE, { Type: PASID_DEVICE_TLB, SID: 8, PASID: 9, Address: 0x7000 }),
    { kind: 'device-tlb', sourceId: 8, pasid: 9, pages: { first: 7, count: 1 } },
  ],
  [
    'of sixteen pages of a device, whatever the PASID',
    encode(PASID_DEVICE_TLB_INVALIDATE, { Type: PASID_DEVICE_TLB, SID: 8, PASID: 9, G: 1, S: 1, Address: 0x1_7000 }),
    { kind: 'device-tlb', sourceId: 8, pasid: -1, pages: { first: 0x10, count: 16 } },
  ],
  [
    'of two pages of a device',
    encode(PASID_DEVICE_TLB_INVALIDATE, { Type: PASID_DEVICE_TLB, SID: 8, PASID: 9, S: 1, Address: 0x6000 }),
    { kind: 'device-tlb', sourceId: 8, pasid: 9, pages: { first: 6, count: 2 } },
  ],
  ['of a device without PASID', encode(DEVICE_TLB_INVALIDATE, { Type: 3, SID: 8, S: 1 }), { kind: 'none' }],
  ['nothing: a wait', encode(WAIT, { Type: 5 }), { kind: 'wait' }],
])('what is invalidated: %s', (_what, lanes, expected) => {
  expect(decodeInvalidation(lanes)).toEqual(expected);
});
