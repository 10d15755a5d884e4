/** No tag: what a space has that never ran, and a CPU on which a roll-over has been noted. */
export const NO_TAG = 0;

/**
 * How a tag (an ASID or a VMID with its generation) is kept in one word, as in the kernel: the number in the low part, the
 * generation above it. Generations count from 1, and number 0 is never given out, so 0 is no tag.
 */
export class TagFormat {
  /** How many numbers there are, 0 included. */
  readonly count: number;

  /** @param count 2 … 31, so that a set of numbers is one cell. */
  constructor(count: number) {
    if (count < 2 || count > 31) throw new RangeError(`${count} tags: 2 to 31 fit into a set`);
    this.count = count;
  }

  make(generation: number, number: number): number {
    return generation * this.count + number;
  }

  /** What the hardware sees. */
  number(tag: number): number {
    return tag % this.count;
  }

  generation(tag: number): number {
    return Math.floor(tag / this.count);
  }

  /** "3/g2": number and generation. */
  show(tag: number): string {
    return tag === NO_TAG ? 'none' : `${this.number(tag)}/g${this.generation(tag)}`;
  }
}
