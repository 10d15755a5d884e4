/**
 * Translation as one would write it down in an afternoon: two nested walks over memory, without caches, permissions or
 * address sizes. It knows nothing of the architecture model, so that both can be held against each other.
 */
import { extract, STE, STE_CONFIG } from '../../../model/architecture/arm/layout/index.ts';
import { CD, TG0 } from '../../../model/architecture/arm/layout/index.ts';
import type { SparseMemory } from '../memory.ts';

const stage2Granules: Readonly<Record<number, number>> = { 0: 12, 1: 16, 2: 14 };
const stage1Granules: Readonly<Record<number, number>> = {
  [TG0.GRANULE_4K]: 12,
  [TG0.GRANULE_64K]: 16,
  [TG0.GRANULE_16K]: 14,
};

/** Reads a descriptor, given as a number without its upper 16 bits; undefined: not valid, or not there. */
type Read = (address: number) => { low: number; address: number } | undefined;

const walk = (read: Read, root: number, granule: number, level: number, input: number): number | undefined => {
  let table = root;
  for (let at = level; at <= 3; at++) {
    const shift = granule + (3 - at) * (granule - 3);
    const index = at === level ? Math.floor(input / 2 ** shift) : Math.floor(input / 2 ** shift) % 2 ** (granule - 3);
    const descriptor = read(table + index * 8);
    if (descriptor === undefined || (descriptor.low & 1) === 0) return undefined;
    const isTable = (descriptor.low & 2) !== 0;
    const output = Math.floor(descriptor.address / 2 ** granule) * 2 ** granule;
    if (at === 3) return isTable ? output + (input % 2 ** granule) : undefined;
    if (!isTable) return Math.floor(output / 2 ** shift) * 2 ** shift + (input % 2 ** shift);
    table = output;
  }
  return undefined;
};

/** The physical address of a low input address by the STE at an address; undefined: it is not translated. */
export const plainWalk = (memory: SparseMemory, ste: number, input: number): number | undefined => {
  const physical: Read = (pa) =>
    memory.present(pa)
      ? { low: memory.low(pa), address: (memory.high(pa) & 0xffff) * 2 ** 32 + ((memory.low(pa) & ~0xfff) >>> 0) }
      : undefined;
  const field = (name: keyof typeof STE.fields): number => {
    const word = ste + STE.fields[name].word * 8;
    return extract(STE.fields[name], memory.low(word), memory.high(word));
  };
  const config = field('Config');
  const stage2 = (ipa: number): number | undefined => {
    if (config === STE_CONFIG.STAGE1) return ipa;
    const granule = stage2Granules[field('S2TG')] as number;
    const level = (granule === 12 ? 2 : 3) - field('S2SL0');
    return ipa >= 2 ** (64 - field('S2T0SZ')) ? undefined : walk(physical, field('S2TTB'), granule, level, ipa);
  };
  if (config === STE_CONFIG.STAGE2) return stage2(input);
  const cd = stage2(field('S1ContextPtr'));
  if (cd === undefined) return undefined;
  const ofCd = (name: keyof typeof CD.fields): number => {
    const word = cd + CD.fields[name].word * 8;
    return extract(CD.fields[name], memory.low(word), memory.high(word));
  };
  const granule = stage1Granules[ofCd('TG0')] as number;
  const bits = 64 - ofCd('T0SZ');
  if (input >= 2 ** bits) return undefined;
  const level = 4 - Math.ceil((bits - granule) / (granule - 3));
  const nested: Read = (ipa) => {
    const pa = stage2(ipa);
    return pa === undefined ? undefined : physical(pa);
  };
  const output = walk(nested, ofCd('TTB0'), granule, level, input);
  return output === undefined ? undefined : stage2(output);
};
