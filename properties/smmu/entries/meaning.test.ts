import { describe, expect, it } from 'vitest';
import { decodeContextDescriptor } from '../../../model/architecture/arm/configuration/context-descriptor.ts';
import { decodeStreamEntry } from '../../../model/architecture/arm/configuration/stream-entry.ts';
import { FULL_FEATURES } from '../../../model/architecture/arm/layout/features.ts';
import { CD, patch, read, STE, type Layout } from '../../../model/architecture/arm/layout/index.ts';
import { CDS, STES } from './configurations.ts';
import { descriptorMeaning, REFUSED, streamMeaning } from './meaning.ts';

const FEATURES = { ...FULL_FEATURES, ats: true, fwb: true };
const WORDS = 4;
type Lanes = readonly number[];

/** Every mix of words of two contents, for all pairs of contents. */
function mixes(contents: readonly { readonly lanes: Lanes }[]): Lanes[] {
  const found = new Map<string, Lanes>();
  for (const { lanes: a } of contents)
    for (const { lanes: b } of contents)
      for (let mix = 0; mix < 2 ** WORDS; mix++) {
        const lanes = a.map((lane, at) => (((mix >>> Math.floor(at / 2)) & 1) === 1 ? (b[at] as number) : lane));
        found.set(lanes.join(), lanes);
      }
  return [...found.values()];
}

/** An entry with one field as in another one, for every field and every other entry. */
function* withOneField(layout: Layout, lanes: Lanes, others: readonly { readonly lanes: Lanes }[]): Generator<Lanes> {
  for (const [name, field] of Object.entries(layout.fields))
    for (const other of others) yield patch(layout, lanes, { [name]: read(field, other.lanes) });
}

function decodedStream(lanes: Lanes): string {
  const decoded = decodeStreamEntry(FEATURES, lanes);
  if (decoded.kind === 'illegal') return REFUSED;
  // Decoded as it stands, and looked at only with substreams in use.
  if (decoded.kind === 'stage1' && decoded.cdMax === 0) return JSON.stringify({ ...decoded, s1dss: 0 });
  return JSON.stringify(decoded);
}

describe('streamMeaning', () => {
  const all = mixes(STES);

  it('tells apart whatever the architecture’s model tells apart, and refuses what it refuses', () => {
    const decoded = new Map<string, string>();
    for (const lanes of all) {
      const meaning = streamMeaning(lanes);
      const known = decoded.get(meaning) ?? decodedStream(lanes);
      decoded.set(meaning, known);
      expect(decodedStream(lanes)).toBe(known);
      expect(meaning === REFUSED).toBe(decodedStream(lanes) === REFUSED);
    }
    expect(decoded.size).toBeGreaterThan(100);
  });

  it('does not change with a field that it ignores: nor does what the model makes of it', () => {
    let ignored = 0;
    for (const { lanes } of STES)
      for (const changed of withOneField(STE, lanes, STES)) {
        if (streamMeaning(changed) !== streamMeaning(lanes)) continue;
        expect(decodedStream(changed)).toBe(decodedStream(lanes));
        if (changed.join() !== lanes.join()) ignored++;
      }
    expect(ignored).toBeGreaterThan(100);
  });
});

describe('descriptorMeaning', () => {
  const entry = decodeStreamEntry(FEATURES, STES.find(({ name }) => name === 's1')?.lanes ?? []);
  if (entry.kind !== 'stage1') throw new Error('"s1" is a stage 1 entry');
  const decode = (lanes: Lanes): string => {
    const decoded = decodeContextDescriptor(FEATURES, entry, lanes);
    return decoded === undefined ? REFUSED : JSON.stringify(decoded);
  };

  it('tells apart whatever the architecture’s model tells apart', () => {
    const decoded = new Map<string, string>();
    for (const lanes of mixes(CDS)) {
      const meaning = descriptorMeaning(lanes);
      const known = decoded.get(meaning) ?? decode(lanes);
      decoded.set(meaning, known);
      expect(decode(lanes)).toBe(known);
      if (meaning === REFUSED) expect(decode(lanes)).toBe(REFUSED);
    }
  });

  it('does not change with a field that it ignores: nor does what the model makes of it', () => {
    for (const { lanes } of CDS)
      for (const changed of withOneField(CD, lanes, CDS))
        if (descriptorMeaning(changed) === descriptorMeaning(lanes)) expect(decode(changed)).toBe(decode(lanes));
  });
});
