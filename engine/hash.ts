/**
 * Fingerprints: two lanes of 32 bits, mixed from the inputs by multiplication and xor-shift (the finalisers of
 * MurmurHash3 and of "lowbias32"). With n states the probability of a collision is about n² / 2⁶⁵.
 */

/** Lane 0 of the mix of two 32-bit words. */
export function mixLow(a: number, b: number): number {
  let h = Math.imul(a ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(b, 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 16), 0x21f0aaad);
  h = Math.imul(h ^ (h >>> 15) ^ a, 0x735a2d97);
  return h ^ (h >>> 15);
}

/** Lane 1 of the mix of two 32-bit words. */
export function mixHigh(a: number, b: number): number {
  let h = Math.imul(b ^ 0x7f4a7c15, 0xcc9e2d51) ^ Math.imul(a, 0x1b873593);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  h = Math.imul(h ^ (h >>> 13) ^ b, 0x297a2d39);
  return h ^ (h >>> 16);
}

/** Another word for each word, evenly spread whatever the words are (the finaliser of "lowbias32", which is one to one). */
export function scatter(word: number): number {
  let h = Math.imul(word ^ (word >>> 16), 0x21f0aaad);
  h = Math.imul(h ^ (h >>> 15), 0x735a2d97);
  return h ^ (h >>> 15);
}

const float = new Float64Array(1);
const words = new Int32Array(float.buffer);

/**
 * One word that stands for a step's result: injective on 32-bit integers, which nearly all results are.
 *
 * @param seed for texts: another one gives an independent word.
 */
export function hashResult(result: unknown, seed?: number): number {
  if (typeof result === 'number') {
    if ((result | 0) === result) return result;
    float[0] = result;
    return mixLow(words[0] as number, words[1] as number);
  }
  if (typeof result === 'boolean') return result ? 0x3c6ef372 : 0x1f83d9ab;
  if (result === undefined) return 0x5be0cd19;
  return hashText(String(result), seed);
}

/** A fingerprint, or a part of one. */
export interface Lanes {
  readonly low: number;
  readonly high: number;
}

/** Fingerprint of a text; the lanes have nothing in common. */
export function printOfText(text: string): Lanes {
  let low = text.length;
  let high = text.length;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    low = mixLow(low, code);
    high = mixHigh(high, code);
  }
  return { low, high };
}

/** One word for a text (FNV-1a); another seed gives an independent word. */
export function hashText(text: string, seed = 0x811c9dc5): number {
  let h = seed;
  for (let at = 0; at < text.length; at++) h = Math.imul(h ^ text.charCodeAt(at), 0x01000193);
  return h;
}
