import { EVENT, EVENT_RECORD } from '../layout/event.ts';
import { encode, read } from '../layout/layout.ts';

/** A mask with all bits of some fields. */
function ones(...names: readonly (keyof typeof EVENT_RECORD.fields)[]): number[] {
  const values = names.map((name) => {
    const { width, scale } = EVENT_RECORD.fields[name];
    return [name, (2 ** width - 1) * 2 ** scale] as const;
  });
  return encode(EVENT_RECORD, Object.fromEntries(values));
}

const ALWAYS = ones('Event', 'StreamID');
const SUBSTREAM = ones('SSV', 'SubstreamID');
const FETCH = ones('FetchAddr');
const ACCESS = ones('RnW', 'PnU', 'InD');
const INPUT = ones('InputAddrLow', 'InputAddrHigh');
const STAGE = ones('S2', 'CLASS');
const STALL = ones('Stall');
/** Bits [11:0] of an input address: this model counts accesses in pages. */
const PAGE_OFFSET = 0xfff;

/** The fields of each event that have a defined value (IHI 0070 §7.3), for those events that have more than their number. */
const DEFINED = new Map<number, readonly (readonly number[])[]>([
  [EVENT.C_BAD_STREAMID, [SUBSTREAM]],
  [EVENT.F_STE_FETCH, [SUBSTREAM, FETCH]],
  [EVENT.C_BAD_STE, [SUBSTREAM]],
  // The places of what the request asked for are not known to this model.
  [EVENT.F_BAD_ATS_TREQ, [SUBSTREAM]],
  [EVENT.F_TRANSL_FORBIDDEN, [INPUT, ones('RnW')]],
  [EVENT.C_BAD_SUBSTREAMID, [ones('SubstreamID')]],
  [EVENT.F_CD_FETCH, [SUBSTREAM, FETCH]],
  [EVENT.C_BAD_CD, [SUBSTREAM]],
  [EVENT.F_WALK_EABT, [SUBSTREAM, ACCESS, INPUT, STAGE, FETCH]],
  [EVENT.F_TRANSLATION, [SUBSTREAM, ACCESS, INPUT, STAGE, STALL]],
  [EVENT.F_ADDR_SIZE, [SUBSTREAM, ACCESS, INPUT, STAGE, STALL]],
  [EVENT.F_ACCESS, [SUBSTREAM, ACCESS, INPUT, STAGE, STALL]],
  [EVENT.F_PERMISSION, [SUBSTREAM, ACCESS, INPUT, STAGE, STALL]],
  [EVENT.F_TLB_CONFLICT, [SUBSTREAM, ACCESS, INPUT]],
]);

/**
 * Whether a record read from the event queue can be the one that the model expects: fields that are UNKNOWN or
 * IMPLEMENTATION DEFINED (STAG, Reason), the SubstreamID of a record without one, and the offset within a page do not
 * count. The IPA of a stage 2 fault is compared with its page.
 */
export function sameRecord(observed: readonly number[], expected: readonly number[]): boolean {
  const mask = ALWAYS.slice();
  const { fields } = EVENT_RECORD;
  for (const part of DEFINED.get(read(fields.Event, expected)) ?? [])
    for (const [lane, bits] of part.entries()) mask[lane] = (mask[lane] as number) | bits;
  mask[4] = (mask[4] as number) & ~PAGE_OFFSET;
  if (read(fields.SSV, expected) === 0 && read(fields.Event, expected) !== EVENT.C_BAD_SUBSTREAMID)
    mask[0] = (mask[0] as number) & ~(0xf_ffff << 12);
  // A stage 2 fault has an IPA where other events have the address of a fetch (§7.3.13).
  if (read(fields.S2, expected) === 1) {
    mask[6] = ~PAGE_OFFSET;
    mask[7] = 0x00ff_ffff;
  }
  return mask.every((bits, lane) => (((observed[lane] ?? 0) ^ (expected[lane] ?? 0)) & bits) === 0);
}
