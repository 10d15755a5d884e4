/** A requester: it has a PASID directory, to which its context entry leads. */
export interface VtdDevice {
  /** Source-id: bus, device and function. */
  readonly sourceId: number;
  /** Byte address of its PASID directory. */
  readonly directory: number;
  /** It has a device-TLB, and translation requests are permitted. */
  readonly ats: boolean;
}

/** What tables lead to: whoever reaches one of these reaches what belongs to one owner. */
export interface VtdSpace {
  /** What reports call it. */
  readonly name: string;
  /** Byte address of its first-stage table; 0: none. */
  readonly firstStage: number;
  /** Byte address of its second-stage table; 0: none. */
  readonly secondStage: number;
}

/**
 * What a program names. The model keeps what hardware may hold for these and no others. It does not walk tables: the
 * pointer to a table stands for the space that the table gives access to.
 */
export interface VtdUniverse {
  readonly devices: readonly VtdDevice[];
  /** PASIDs of requests; 0 is for requests without PASID (RID2PASID). */
  readonly pasids: readonly number[];
  /** Domain-ids; an entry with another one is taken for torn. */
  readonly dids: readonly number[];
  readonly spaces: readonly VtdSpace[];
  /** Input addresses of requests, in units of 4 KiB. */
  readonly pages: readonly number[];
}

/** What reports call a space; the number of spaces stands for all of memory. */
export function nameOfSpace({ spaces }: VtdUniverse, space: number): string {
  return spaces[space]?.name ?? 'all of memory';
}

/** @throws RangeError if it is too large for the sets of bits in which the model keeps what is held. */
export function checkUniverse({ spaces, pages }: VtdUniverse): void {
  if ((spaces.length + 1) * pages.length > 16)
    throw new RangeError(`${spaces.length} spaces and ${pages.length} pages are more than the model has room for`);
}
