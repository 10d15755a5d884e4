/**
 * Operations of a conformance program: plain data with symbolic references into its configuration (`stream` indexes
 * `devices`; `context`, `tree` and `page` index the lists of those names).
 */

/**
 * How a stream table entry is written (IHI 0070 §5.2). `stage2-aarch32` asks for tables that a device with IDR0.TTF = 2 does
 * not have, so it is ILLEGAL. The forms `…-ignored` set a field that a device without that feature
 * ignores. The forms `s2-…` are for contexts of guests; all of them but `s2-no-record` are ILLEGAL.
 */
export type SteForm =
  | 'translate'
  | 'bypass'
  | 'abort'
  | 'not-valid'
  | 'stall-disable'
  | 'substreams-ignored'
  | 'stream-world-ignored'
  | 'ats-ignored'
  | 'stage2-aarch32'
  | 'context-out-of-range'
  | 'context-absent'
  | 'reserved-config'
  | 's2-no-record'
  | 's2-stall'
  | 's2-hardware-access-flag'
  | 's2-big-endian'
  | 's2-granule-reserved'
  | 's2-start-level'
  | 's2-input-too-small'
  | 's2-input-too-large'
  | 's2-table-out-of-range';

/** How a context descriptor is written (§5.4): legal, or with one thing that makes it ILLEGAL. */
export type CdForm =
  | 'valid'
  | 'no-record'
  | 'disabled-low'
  | 'address-size-reserved'
  | 'no-privileged-access'
  | 'no-write-execute'
  | 'private-asid'
  | 'not-valid'
  | 'aarch32'
  | 'stall'
  | 'hardware-access-flag'
  | 'big-endian'
  | 'table-out-of-range'
  | 'input-too-small'
  | 'input-too-large'
  | 'granule-reserved'
  | 'abort-not-set';

/**
 * How the level 1 stream table descriptor is written (§5.1): `unaligned` has low address bits set that the SMMU treats as 0;
 * the last four give C_BAD_STREAMID.
 */
export type StreamTableForm = 'valid' | 'unaligned' | 'not-valid' | 'short' | 'span-too-large' | 'reserved-span';

/** An entry of a table: the walk of `page` through `tree`, at `level`, in copy `copy` of the table of that level. */
export interface EntryPlace {
  readonly tree: number;
  readonly page: number;
  readonly level: number;
  readonly copy: number;
  /** For a tree of a guest: write to the memory that stage 2 maps the table to as `twin`, not as `home`. */
  readonly twin?: boolean;
}

/** An entry of a stage 2 table: the walk of a guest page through the tables of a guest. */
export interface GuestPlace {
  readonly guest: number;
  /** Index of the guest page. */
  readonly page: number;
  readonly level: number;
  readonly copy: number;
}

/** Where a stage 2 leaf leads: one of two places for each IPA, an address with nothing, one beyond the output size. */
export type GuestTarget = 'home' | 'twin' | 'absent' | 'out-of-range';

/** Range form of an invalidation by address: TG, NUM, SCALE, TTL as encoded (§4.4.1). */
export interface RangeHint {
  readonly granule: 1 | 2 | 3;
  readonly num: number;
  readonly scale: number;
  readonly level: number;
  /** The address lies so many units of its alignment before the page or the IPA that the command names. */
  readonly before?: number;
}

/** A command; contexts and streams stand for their VMID, ASID and StreamID. */
export type CommandOperation =
  | { readonly opcode: 'CFGI_STE'; readonly stream: number; readonly leaf: boolean }
  | { readonly opcode: 'CFGI_STE_RANGE'; readonly stream: number; readonly range: number }
  | { readonly opcode: 'CFGI_ALL' }
  | { readonly opcode: 'CFGI_CD'; readonly stream: number; readonly leaf: boolean }
  | { readonly opcode: 'CFGI_CD_ALL'; readonly stream: number }
  | { readonly opcode: 'TLBI_NH_ALL'; readonly vmidOf: number }
  | { readonly opcode: 'TLBI_NH_ASID'; readonly vmidOf: number; readonly asidOf: number }
  | {
      readonly opcode: 'TLBI_NH_VA' | 'TLBI_NH_VAA';
      readonly vmidOf: number;
      readonly asidOf: number;
      readonly page: number;
      readonly half: 0 | 1;
      /** Bits of the address below this one are cleared; 12 or more. */
      readonly alignBits: number;
      readonly leaf: boolean;
      readonly range?: RangeHint;
    }
  | { readonly opcode: 'TLBI_S12_VMALL'; readonly vmidOf: number }
  | {
      readonly opcode: 'TLBI_S2_IPA';
      readonly guest: number;
      /** Index of the guest page. */
      readonly ipa: number;
      /** Bits of the IPA below this one are cleared; 12 or more. */
      readonly alignBits: number;
      readonly leaf: boolean;
      readonly range?: RangeHint;
    }
  | { readonly opcode: 'TLBI_NSNH_ALL' }
  | { readonly opcode: 'PREFETCH_CONFIG'; readonly stream: number }
  | { readonly opcode: IllegalOpcode };

/** Commands that are illegal on a device without EL2, ATS, PRI and stalls; `RESERVED` has no meaning on any. */
export const illegalOpcodes = [
  'TLBI_EL2_ALL',
  'TLBI_EL2_ASID',
  'TLBI_EL2_VA',
  'TLBI_EL2_VAA',
  'ATC_INV',
  'PRI_RESP',
  'RESUME',
  'STALL_TERM',
  'RESERVED',
] as const;

/** One of them. */
export type IllegalOpcode = (typeof illegalOpcodes)[number];

/** What a device does: rocker writes or swaps (reads, then writes back), edu reads or writes. */
export type AccessKind = 'read' | 'write' | 'swap';

/** One operation. */
export type Operation =
  | {
      readonly kind: 'ste';
      readonly stream: number;
      readonly context: number;
      readonly form: SteForm;
      /** Stage 2 only; for contexts of guests. */
      readonly stage1Off?: boolean;
    }
  | {
      readonly kind: 'cd';
      readonly context: number;
      readonly form: CdForm;
      readonly copy: number;
      /** As in `EntryPlace`. */
      readonly twin?: boolean;
    }
  /** The level 1 descriptor that covers a stream; without one, the first. */
  | { readonly kind: 'stream-table'; readonly form: StreamTableForm; readonly stream?: number }
  | {
      readonly kind: 'table';
      readonly place: EntryPlace;
      /** Copy of the next table, or a place outside memory, or an address beyond the output size. */
      readonly to: number | 'absent' | 'out-of-range';
      /** APTable: bit 0 forbids unprivileged access, bit 1 forbids writes. */
      readonly apTable: number;
    }
  | {
      readonly kind: 'leaf';
      readonly place: EntryPlace;
      /** `absent`: inside every output size, but nothing is there (or, for a guest, nothing is mapped there). */
      readonly target: number | 'absent' | 'out-of-range';
      /** AP[2:1]. */
      readonly ap: number;
      readonly global: boolean;
      readonly accessFlag: boolean;
      /** Write the whole contiguous group that the entry belongs to, with the Contiguous bit set (Arm ARM D8.6.1). */
      readonly contiguous: boolean;
    }
  | { readonly kind: 'clear'; readonly place: EntryPlace; readonly garbage: boolean; readonly contiguous: boolean }
  | {
      readonly kind: 's2-table';
      readonly place: GuestPlace;
      readonly to: number | 'absent' | 'out-of-range';
    }
  | {
      readonly kind: 's2-leaf';
      readonly place: GuestPlace;
      readonly target: GuestTarget;
      /** S2AP: bit 0 permits reads, bit 1 writes. */
      readonly s2ap: number;
      readonly accessFlag: boolean;
      readonly contiguous: boolean;
      /** Device memory instead of Normal. */
      readonly device?: boolean;
    }
  | {
      readonly kind: 's2-clear';
      readonly place: GuestPlace;
      readonly garbage: boolean;
      readonly contiguous: boolean;
    }
  | { readonly kind: 'command'; readonly command: CommandOperation; readonly sync: boolean }
  /** Translation on or off; while it is off, transactions bypass or (with `abort`) are aborted (GBPA.ABORT). */
  | { readonly kind: 'enable'; readonly on: boolean; readonly abort?: boolean }
  /**
   * Points the SMMU at the other format of stream table, with the steps software must take: translation off, registers
   * written, every cached structure invalidated, translation on (IHI 0070 §6.3.24).
   */
  | { readonly kind: 'stream-format'; readonly twoLevel: boolean }
  /**
   * Fills a short event queue by writes with a bad StreamID until one record is lost, looks at the registers, and goes back
   * to the queue and the stream table of before (with every cached structure invalidated).
   */
  | { readonly kind: 'overflow'; readonly stream: number }
  | {
      readonly kind: 'access';
      readonly stream: number;
      readonly access: AccessKind;
      readonly page: number;
      readonly half: 0 | 1;
      /** Top byte of the address; undefined: the sign extension. */
      readonly tag?: number;
      /** The address lies just beyond the input range. */
      readonly beyond?: boolean;
    };

/** Names of the kinds of operations. */
export type OperationKind = Operation['kind'];
