import type { SmmuFeatures } from '../layout/features.ts';
import { COMMAND_ATC_INV } from '../layout/command.ts';
import { read } from '../layout/layout.ts';
import { ADDRESS_PAGES, PAGE_BYTES } from '../universe.ts';

/** CMD_ATC_INV: which entries of which device's address translation cache it covers (IHI 0070 §4.5.1). */
export interface AtcInvalidation {
  readonly kind: 'atc';
  readonly streamId: number;
  /** PASID of the invalidation request; -1 without one, which covers entries of every PASID. */
  readonly substream: number;
  /** First page of 4 KiB, and number of them. */
  readonly page: number;
  readonly pages: number;
}

/** Something that an ATC may hold. */
export interface AtcTarget {
  readonly streamId: number;
  /** PASID of the translation request that brought it; -1 without one. */
  readonly substream: number;
  /** Page of 4 KiB, tag bits included: the ATC knows nothing of TBI (§3.9.1). */
  readonly page: number;
}

/** `Size` that covers all 2^64 bytes (§4.5.1). */
const SIZE_ALL = 52;
const f = COMMAND_ATC_INV.fields;

/**
 * Decodes a CMD_ATC_INV that is not ILLEGAL; undefined if nothing is sure to be invalidated: an unknown StreamID
 * (§4.1.7), a SubstreamID where there are none, a span beyond the address space or below the smallest translation unit,
 * which is the smallest granule (§4.5.1, §3.9.1).
 */
export function decodeAtcInvalidation(features: SmmuFeatures, lanes: ArrayLike<number>): AtcInvalidation | undefined {
  const streamId = read(f.StreamID, lanes);
  const size = read(f.Size, lanes);
  const ssv = read(f.SSV, lanes) === 1;
  const substream = ssv ? read(f.SubstreamID, lanes) : -1;
  if (streamId >= 2 ** features.sidSize) return undefined;
  if (ssv && (features.ssidSize === 0 || substream >= 2 ** features.ssidSize)) return undefined;
  if (size > SIZE_ALL || size + 12 < Math.min(...features.granules)) return undefined;
  const pages = Math.min(2 ** size, ADDRESS_PAGES);
  const page = Math.floor(read(f.Address, lanes) / PAGE_BYTES / pages) * pages;
  return { kind: 'atc', streamId, substream, page, pages };
}

/**
 * Whether a CMD_ATC_INV is required to drop an entry. Without a PASID it covers the range whatever the PASID; with the
 * Global flag it is only required to cover entries of its own PASID, since the SMMU never grants global ones (§3.9.1).
 */
export function coversAtc(command: AtcInvalidation, target: AtcTarget): boolean {
  if (command.streamId !== target.streamId) return false;
  if (command.substream !== -1 && command.substream !== target.substream) return false;
  return target.page >= command.page && target.page < command.page + command.pages;
}
