/**
 * What a program names: the accesses that it may make. The model keeps what hardware may hold for these and no others.
 */
export interface Slot {
  readonly streamId: number;
  /** SubstreamID of the transaction, or -1 for a transaction without one. */
  readonly substream: number;
  /** Input address, a multiple of 4 KiB, as an unsigned number over all 64 bits (exact, since 52 bits carry it). */
  readonly va: number;
  /**
   * The device uses ATS for this access: it may send translation requests whenever it likes, keep what it is given, and
   * use that. Ignored where ATS is not implemented.
   */
  readonly ats?: true;
}

/** The accesses of a program. */
export interface Universe {
  readonly slots: readonly Slot[];
}

/** A distinct input address of the universe. Addresses are counted in units of 4 KiB ("pages") below. */
export interface InputAddress {
  readonly index: number;
  readonly va: number;
  /** `va` / 4096. */
  readonly page: number;
  /** The page after the top byte is replaced by copies of bit 55, as TBI has it (§3.4.1). */
  readonly canonicalPage: number;
  /** Bit 55: 0 selects TTB0, 1 selects TTB1 (§3.4.1). */
  readonly region: 0 | 1;
  /** Slots that have this address. */
  readonly slots: readonly number[];
}

/** A distinct (StreamID, SubstreamID) pair of the universe. */
export interface StreamContext {
  readonly index: number;
  readonly streamId: number;
  readonly substream: number;
  readonly slots: readonly number[];
}

/** The universe with its distinct addresses and contexts. */
export interface IndexedUniverse {
  readonly slots: readonly Slot[];
  readonly addresses: readonly InputAddress[];
  readonly contexts: readonly StreamContext[];
  readonly streamIds: readonly number[];
  readonly addressOf: readonly InputAddress[];
  readonly contextOf: readonly StreamContext[];
}

/** Bytes of the unit in which the model counts addresses. */
export const PAGE_BYTES = 4096;
/** Number of such units in 2^64 bytes. */
export const ADDRESS_PAGES = 2 ** 52;

/** An address with its top byte replaced by copies of bit 55, in pages. */
export function canonicalPage(page: number): number {
  const low = page % 2 ** 44;
  return low >= 2 ** 43 ? low + (ADDRESS_PAGES - 2 ** 44) : low;
}

/**
 * Finds the distinct addresses and contexts of a universe.
 *
 * @throws RangeError if an address is not a multiple of 4 KiB below 2^64.
 */
export function indexUniverse({ slots }: Universe): IndexedUniverse {
  const addresses: (InputAddress & { slots: number[] })[] = [];
  const contexts: (StreamContext & { slots: number[] })[] = [];
  const addressOf: InputAddress[] = [];
  const contextOf: StreamContext[] = [];
  for (const [index, { streamId, substream, va }] of slots.entries()) {
    const page = va / PAGE_BYTES;
    if (!Number.isInteger(page) || page < 0 || page >= ADDRESS_PAGES)
      throw new RangeError(`input address ${va} of slot ${index} is not a multiple of 4 KiB below 2^64`);
    let address = addresses.find((candidate) => candidate.va === va);
    if (address === undefined) {
      const canonical = canonicalPage(page);
      const region = canonical >= ADDRESS_PAGES / 2 ? 1 : 0;
      address = { index: addresses.length, va, page, canonicalPage: canonical, region, slots: [] };
      addresses.push(address);
    }
    let context = contexts.find((candidate) => candidate.streamId === streamId && candidate.substream === substream);
    if (context === undefined) {
      context = { index: contexts.length, streamId, substream, slots: [] };
      contexts.push(context);
    }
    address.slots.push(index);
    context.slots.push(index);
    addressOf.push(address);
    contextOf.push(context);
  }
  const streamIds = [...new Set(slots.map((slot) => slot.streamId))];
  return { slots, addresses, contexts, streamIds, addressOf, contextOf };
}
