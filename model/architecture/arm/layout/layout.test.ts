import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import * as layouts from './index.ts';
import type { Field, Layout } from './layout.ts';
import { address, bits, decode, encode, extract, layout, patch, read, write } from './layout.ts';

const all: Layout[] = Object.values(layouts).filter(
  (value): value is Layout => typeof value === 'object' && 'words' in value && 'fields' in value,
);

/** A value that fits a field. */
function valueOf(field: Field): fc.Arbitrary<number> {
  return fc.oneof(
    fc.constantFrom(0, 1, 2 ** field.width - 1).map((raw) => raw * 2 ** field.scale),
    fc.bigInt({ min: 0n, max: 2n ** BigInt(field.width) - 1n }).map((raw) => Number(raw) * 2 ** field.scale),
  );
}

function bitsOf(lanes: readonly number[]): bigint {
  return lanes.reduce((sum, lane, at) => sum | (BigInt(lane >>> 0) << BigInt(32 * at)), 0n);
}

describe.each(all.map((of) => [of.name, of] as const))('%s', (_name, of) => {
  const names = Object.keys(of.fields);
  const values = fc.record(Object.fromEntries(names.map((name) => [name, valueOf(of.fields[name] as Field)])));

  test.prop([values])('decodes what it encoded', (given) => {
    expect(decode(of, encode(of, given))).toEqual(given);
  });

  test.prop([values, fc.constantFrom(...names), fc.array(fc.integer(), { minLength: 16, maxLength: 16 })])(
    'changes only the bits of the field written',
    (given, name, noise) => {
      const field = of.fields[name] as Field;
      const before = noise.slice(0, 2 * of.words);
      const after = patch(of, before, { [name]: given[name] as number });
      const at = BigInt(64 * field.word + field.lsb);
      const mask = (2n ** BigInt(field.width) - 1n) << at;
      expect(bitsOf(after) & ~mask).toBe(bitsOf(before) & ~mask);
      const raw = BigInt(given[name] as number) >> BigInt(field.scale);
      expect((bitsOf(after) & mask) >> at).toBe(raw);
    },
  );

  it('has fields that neither overlap, cross a word, nor exceed what a number holds', () => {
    let used = 0n;
    for (const field of Object.values<Field>(of.fields)) {
      expect(field.lsb + field.width).toBeLessThanOrEqual(64);
      expect(field.width).toBeLessThanOrEqual(53);
      expect(field.word).toBeLessThan(of.words);
      const mask = (2n ** BigInt(field.width) - 1n) << BigInt(64 * field.word + field.lsb);
      expect(used & mask).toBe(0n);
      used |= mask;
    }
  });
});

describe('fields', () => {
  it('hold addresses at the positions of their word', () => {
    expect(address(47, 12)).toEqual({ word: 0, lsb: 12, width: 36, scale: 12 });
    expect(address(111, 76)).toEqual({ word: 1, lsb: 12, width: 36, scale: 12 });
    expect(read(address(111, 76), [0, 0, 0x5000, 1])).toBe(0x1_0000_5000);
  });

  it('that are not named are 0, in all lanes of the structure', () => {
    const ofEight = layout('eight', 8, { first: bits(0), last: bits(511) });
    expect(encode(ofEight, { first: 1 })).toEqual([1, ...Array.from({ length: 15 }, () => 0)]);
    expect(encode(ofEight, {})).toHaveLength(16);
  });

  it('reads lanes as unsigned', () => {
    expect(extract(bits(31, 0), -1, 0)).toBe(0xffff_ffff);
    expect(extract(bits(63, 32), 0, -1)).toBe(0xffff_ffff);
    expect(extract(bits(63, 12, 12), -1, -1)).toBe(2 ** 64 - 4096);
    expect(read(bits(95, 64), [0, 0, -2, 0])).toBe(0xffff_fffe);
    expect(read(bits(31, 0), [0, 0, 7, 0], 2)).toBe(7);
  });

  it('rejects a value that does not fit', () => {
    const lanes = [0, 0];
    expect(() => write(bits(3, 0), lanes, 16)).toThrow(RangeError);
    expect(() => write(bits(3, 0), lanes, -1)).toThrow(RangeError);
    expect(() => write(address(47, 12), lanes, 0x1001)).toThrow(RangeError);
    expect(lanes).toEqual([0, 0]);
  });

  it('agrees with values worked out by hand', () => {
    expect(encode(layouts.STE, { V: 1, Config: 5, S1ContextPtr: 0x1_2345_6000, S1CDMax: 3 }).slice(0, 2)).toEqual([
      0x2345_600b, 0x1800_0001,
    ]);
    expect(encode(layouts.COMMAND_TLBI, { Opcode: 0x12, VMID: 2, ASID: 5, Leaf: 1, TG: 1, Address: 0x1000 })).toEqual([
      0x12, 0x0005_0002, 0x1401, 0,
    ]);
    expect(encode(layouts.STAGE1_LEAF, { Valid: 1, Page: 1, AF: 1, nG: 1, Address: 0x5000_0000 })).toEqual([
      0x5000_0c03, 0,
    ]);
    expect(decode(layout('pair', 1, { a: bits(0), b: bits(63) }), [1, -2147483648])).toEqual({ a: 1, b: 1 });
  });
});
