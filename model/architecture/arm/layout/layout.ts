/**
 * Structures in memory as data: a layout is a table of fields, and encoding and decoding follow from the table.
 *
 * A 64-bit word is kept as two 32-bit lanes (low, high), so that no reader of a structure needs BigInt. The value of a
 * field is a plain unsigned number. A field that holds an address has a `scale`: its value is the whole byte address,
 * of which only the bits from `scale` upwards are stored. An address aligned to 4 KiB is exact as a number over the
 * whole 64-bit range, because only its top 52 bits carry information.
 */
export interface Field {
  /** Index of the 64-bit word within the structure. */
  readonly word: number;
  /** Lowest bit within the word, 0 to 63. */
  readonly lsb: number;
  /** Width in bits, 1 to 52. */
  readonly width: number;
  /** The stored bits are those of the value from this bit upwards; 0 for a plain number. */
  readonly scale: number;
}

/** A structure of `words` 64-bit words with named fields. */
export interface Layout<Name extends string = string> {
  readonly name: string;
  readonly words: number;
  readonly fields: Readonly<Record<Name, Field>>;
}

/** Names of the fields of a layout. */
export type FieldName<L> = L extends Layout<infer Name> ? Name : never;

/** Values of some fields; a field that is not named is 0. */
export type FieldValues<L> = { readonly [Name in FieldName<L>]?: number };

/** Lanes of a structure: low and high lane of word 0, of word 1, ... */
export type Lanes = ArrayLike<number>;

/**
 * A field given by the bit positions that the architecture prints, counted from bit 0 of the whole structure.
 *
 * @param scale see `Field.scale`.
 */
export function bits(msb: number, lsb: number = msb, scale = 0): Field {
  return { word: Math.floor(lsb / 64), lsb: lsb % 64, width: msb - lsb + 1, scale };
}

/** A field that holds bits [msb:lsb] of an address at these same positions of its word: its value is the address. */
export function address(msb: number, lsb: number): Field {
  return bits(msb, lsb, lsb % 64);
}

/** Makes a layout; the names are inferred from the fields. */
export function layout<Name extends string>(
  name: string,
  words: number,
  fields: Readonly<Record<Name, Field>>,
): Layout<Name> {
  return { name, words, fields };
}

/** 2^n for n from 0 to 63: extraction is on hot paths, and `**` is slow there. */
const POWERS: readonly number[] = Array.from({ length: 64 }, (_, exponent) => 2 ** exponent);

/** Value of a field, given the two lanes of the word that it lies in. */
export function extract(field: Field, low: number, high: number): number {
  const { lsb, width } = field;
  let raw: number;
  if (lsb + width <= 32) raw = width === 32 ? low >>> 0 : (low >>> lsb) & ((1 << width) - 1);
  else if (lsb >= 32) raw = width === 32 ? high >>> 0 : (high >>> (lsb - 32)) & ((1 << width) - 1);
  else {
    const top = lsb + width - 32;
    raw = (low >>> lsb) + (top === 32 ? high >>> 0 : high & ((1 << top) - 1)) * (POWERS[32 - lsb] as number);
  }
  return field.scale === 0 ? raw : raw * (POWERS[field.scale] as number);
}

/** Value of a field of the structure whose lanes start at `lanes[at]`. */
export function read(field: Field, lanes: Lanes, at = 0): number {
  const index = at + 2 * field.word;
  return extract(field, lanes[index] as number, lanes[index + 1] as number);
}

/**
 * Writes a field into the lanes of a structure (signed 32-bit numbers), leaving the other fields as they are.
 *
 * @throws RangeError if the value does not fit the field, or is an address that is not aligned to it.
 */
export function write(field: Field, lanes: number[] | Int32Array, value: number, at = 0): void {
  const { lsb, width } = field;
  const raw = value / 2 ** field.scale;
  if (!Number.isInteger(raw) || raw < 0 || raw >= 2 ** width)
    throw new RangeError(`value ${value} does not fit a field of ${width} bits scaled by ${field.scale}`);
  const index = at + 2 * field.word;
  const lowWidth = Math.max(0, Math.min(width, 32 - lsb));
  if (lowWidth > 0) {
    const mask = lowWidth === 32 ? -1 : ((1 << lowWidth) - 1) << lsb;
    lanes[index] = ((lanes[index] as number) & ~mask) | ((Math.floor(raw % 2 ** lowWidth) << lsb) & mask);
  }
  if (width > lowWidth) {
    const shift = Math.max(0, lsb - 32);
    const highWidth = width - lowWidth;
    const mask = highWidth === 32 ? -1 : ((1 << highWidth) - 1) << shift;
    const part = Math.floor(raw / 2 ** lowWidth);
    lanes[index + 1] = ((lanes[index + 1] as number) & ~mask) | ((part << shift) & mask);
  }
}

/**
 * The lanes of a structure: two signed 32-bit numbers for each word.
 *
 * @throws RangeError as `write` does.
 */
export function encode<Name extends string>(
  of: Layout<Name>,
  values: { readonly [N in NoInfer<Name>]?: number },
): number[] {
  return patch(
    of,
    Array.from({ length: 2 * of.words }, () => 0),
    values,
  );
}

/** A copy of the lanes of a structure in which some fields have new values. */
export function patch<Name extends string>(
  of: Layout<Name>,
  lanes: Lanes,
  values: { readonly [N in NoInfer<Name>]?: number },
): number[] {
  const result = Array.from(lanes);
  for (const name of Object.keys(values) as Name[]) {
    const value = values[name];
    if (value !== undefined) write(of.fields[name], result, value);
  }
  return result;
}

/** All fields of the structure whose lanes start at `lanes[at]`. */
export function decode<Name extends string>(of: Layout<Name>, lanes: Lanes, at = 0): Record<Name, number> {
  const values = {} as Record<Name, number>;
  for (const name of Object.keys(of.fields) as Name[]) values[name] = read(of.fields[name], lanes, at);
  return values;
}
