import { extract, read, type Lanes } from '../arm/layout/layout.ts';
import {
  DESCRIPTOR,
  DESCRIPTOR_TYPE,
  IOTLB_GRANULARITY,
  IOTLB_INVALIDATE,
  PASID_CACHE_GRANULARITY,
  PASID_CACHE_INVALIDATE,
  PASID_DEVICE_TLB_INVALIDATE,
  PASID_IOTLB_GRANULARITY,
  PASID_IOTLB_INVALIDATE,
} from './layout/descriptor.ts';

/** Pages, in units of 4 KiB: `count` of them from `first`, which is a multiple of that. */
export interface PageRange {
  readonly first: number;
  readonly count: number;
}

/** -1 where every domain-id or PASID is covered. */
export interface PasidCacheInvalidation {
  readonly kind: 'pasid-cache';
  readonly did: number;
  readonly pasid: number;
}

/** By domain-id alone (`pasid` -1), or by PASID. Without `pages`: all of them. */
export interface IotlbInvalidation {
  readonly kind: 'iotlb' | 'pasid-iotlb';
  readonly did: number;
  readonly pasid: number;
  readonly pages: PageRange | undefined;
}

/** `pasid` -1: of every PASID. */
export interface DeviceTlbInvalidation {
  readonly kind: 'device-tlb';
  readonly sourceId: number;
  readonly pasid: number;
  readonly pages: PageRange;
}

/** What a descriptor asks for; `none`: nothing that concerns requests with PASID, or it is no descriptor at all. */
export type Invalidation =
  | PasidCacheInvalidation
  | IotlbInvalidation
  | DeviceTlbInvalidation
  | { readonly kind: 'wait' }
  | { readonly kind: 'none' };

const NONE: Invalidation = { kind: 'none' };
const PAGE_BYTES = 4096;

/** Decodes an invalidation descriptor, given as lanes (VT-d §6.5.2). */
export function decodeInvalidation(lanes: Lanes): Invalidation {
  switch (read(DESCRIPTOR.fields.Type, lanes)) {
    case DESCRIPTOR_TYPE.PASID_CACHE:
      return pasidCache(lanes);
    case DESCRIPTOR_TYPE.IOTLB:
      return iotlb(lanes);
    case DESCRIPTOR_TYPE.PASID_IOTLB:
      return pasidIotlb(lanes);
    case DESCRIPTOR_TYPE.PASID_DEVICE_TLB:
      return deviceTlb(lanes);
    case DESCRIPTOR_TYPE.WAIT:
      return { kind: 'wait' };
    default:
      return NONE;
  }
}

function pasidCache(lanes: Lanes): Invalidation {
  const { G, DID, PASID } = PASID_CACHE_INVALIDATE.fields;
  const did = read(DID, lanes);
  switch (read(G, lanes)) {
    case PASID_CACHE_GRANULARITY.GLOBAL:
      return { kind: 'pasid-cache', did: -1, pasid: -1 };
    case PASID_CACHE_GRANULARITY.DOMAIN:
      return { kind: 'pasid-cache', did, pasid: -1 };
    case PASID_CACHE_GRANULARITY.PASID:
      return { kind: 'pasid-cache', did, pasid: read(PASID, lanes) };
    default:
      return NONE;
  }
}

function iotlb(lanes: Lanes): Invalidation {
  const { G, DID, AM, Address } = IOTLB_INVALIDATE.fields;
  const did = read(DID, lanes);
  switch (read(G, lanes)) {
    case IOTLB_GRANULARITY.GLOBAL:
      return { kind: 'iotlb', did: -1, pasid: -1, pages: undefined };
    case IOTLB_GRANULARITY.DOMAIN:
      return { kind: 'iotlb', did, pasid: -1, pages: undefined };
    case IOTLB_GRANULARITY.PAGE:
      return { kind: 'iotlb', did, pasid: -1, pages: masked(read(Address, lanes), read(AM, lanes)) };
    default:
      return NONE;
  }
}

function pasidIotlb(lanes: Lanes): Invalidation {
  const { G, DID, PASID, AM, Address } = PASID_IOTLB_INVALIDATE.fields;
  const tag = { kind: 'pasid-iotlb', did: read(DID, lanes), pasid: read(PASID, lanes) } as const;
  switch (read(G, lanes)) {
    case PASID_IOTLB_GRANULARITY.PASID:
      return { ...tag, pages: undefined };
    case PASID_IOTLB_GRANULARITY.PAGE:
      return { ...tag, pages: masked(read(Address, lanes), read(AM, lanes)) };
    default:
      return NONE;
  }
}

function deviceTlb(lanes: Lanes): Invalidation {
  const { SID, PASID, G, S, Address } = PASID_DEVICE_TLB_INVALIDATE.fields;
  const order = read(S, lanes) === 0 ? 0 : 1 + trailingOnes(lanes[2] as number, lanes[3] as number);
  return {
    kind: 'device-tlb',
    sourceId: read(SID, lanes),
    pasid: read(G, lanes) === 1 ? -1 : read(PASID, lanes),
    pages: masked(read(Address, lanes), order),
  };
}

/** 2^order pages around an address. */
function masked(address: number, order: number): PageRange {
  const count = 2 ** order;
  return { first: Math.floor(address / PAGE_BYTES / count) * count, count };
}

/** Number of bits from bit 12 upwards that are 1: the size of an ATS invalidation (PCIe, "Invalidate Request"). */
function trailingOnes(low: number, high: number): number {
  let ones = 0;
  while (ones < 52 && extract({ word: 0, lsb: 12 + ones, width: 1, scale: 0 }, low, high) === 1) ones++;
  return ones;
}
