/** xorshift128 with 32-bit output (Marsaglia, "Xorshift RNGs", 2003): fast, seedable, the same everywhere. */
export class Random {
  #a = 0;
  #b = 0;
  #c = 0;
  #d = 0;

  constructor(seed: number) {
    this.seed(seed);
  }

  /** Starts again from a seed (any integer). */
  seed(seed: number): void {
    let z = seed | 0;
    const next = (): number => {
      z = (z + 0x9e3779b9) | 0;
      let t = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
      t = Math.imul(t ^ (t >>> 15), 0x735a2d97);
      return t ^ (t >>> 15);
    };
    this.#a = next();
    this.#b = next();
    this.#c = next();
    this.#d = next() | 1;
    this.#advance();
  }

  /** Next 32 bits, unsigned. */
  next(): number {
    const drawn = this.#a >>> 0;
    this.#advance();
    return drawn;
  }

  /** A number from 0 to n-1. `n` up to 2¹⁶ is as good as uniform. */
  below(n: number): number {
    const drawn = Math.imul(this.#a >>> 16, n) >>> 16;
    this.#advance();
    return drawn;
  }

  /** The bits that are drawn next are always ready: who waits for a draw does not wait for this. */
  #advance(): void {
    let t = this.#d;
    const s = this.#a;
    this.#d = this.#c;
    this.#c = this.#b;
    this.#b = s;
    t ^= t << 11;
    t ^= t >>> 8;
    this.#a = t ^ s ^ (s >>> 19);
  }
}
