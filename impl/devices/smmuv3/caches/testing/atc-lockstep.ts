import { Atc, atcFill } from '../atc.ts';
import { Random } from './random.ts';
import { liveSerials } from './translation-lockstep.ts';

interface Held {
  readonly serial: number;
  readonly substream: number;
  readonly page: number;
  readonly pages: number;
}

const SUBSTREAMS = [-1, 0, 1, 9];
const SHIFTS = [12, 14, 16, 21, 30];

/** Random operations on an ATC, in lockstep with a `Map` that loses nothing. */
export class AtcLockstep {
  readonly atc: Atc;
  readonly counts = { fills: 0, hits: 0, lost: 0, dropped: 0 };
  readonly #held = new Map<string, Held>();
  readonly #random: Random;
  readonly #fill = atcFill();
  #serial = 0;

  constructor(atc: Atc, seed: number) {
    this.atc = atc;
    this.#random = new Random(seed);
  }

  /** Makes one operation. @returns what is wrong after it, or undefined. */
  step(): string | undefined {
    const kind = this.#random.below(100);
    if (kind < 45) return this.#insert();
    if (kind < 75) return this.#lookup();
    const before = this.#held.size;
    const what = this.#invalidate();
    this.counts.dropped += before - this.#held.size;
    return this.#compare(what);
  }

  #page(): number {
    const random = this.#random;
    if (this.#held.size > 0 && random.chance(0.4)) return random.of([...this.#held.values()]).page;
    return random.of([0, 2 ** 20 - 64, 2 ** 52 - 2 ** 19]) + random.below(random.of([4, 128, 2 ** 18]));
  }

  #insert(): string | undefined {
    const random = this.#random;
    const inside = this.#page();
    const shift = random.of(SHIFTS);
    const pages = 2 ** (shift - 12);
    const held = { serial: ++this.#serial, substream: random.of(SUBSTREAMS), page: inside - (inside % pages), pages };
    const address = { addressLow: (inside % 2 ** 20) * 4096, addressHigh: Math.floor(inside / 2 ** 20) };
    const output = { outputLow: address.addressLow, outputHigh: address.addressHigh & 0xffff };
    this.atc.insert(
      Object.assign(this.#fill, { substream: held.substream, ...address, ...output, shift, extra: held.serial }),
    );
    this.#held.set(`${held.substream} ${held.page} ${pages}`, held);
    this.counts.fills++;
    const live = new Set(liveSerials(this.atc));
    if (!live.has(held.serial)) return `entry ${held.serial} is not held after its fill`;
    for (const [key, { serial }] of this.#held)
      if (!live.has(serial)) {
        this.#held.delete(key);
        this.counts.lost++;
      }
    return this.#compare('a fill');
  }

  #lookup(): string | undefined {
    const substream = this.#random.of(SUBSTREAMS);
    const page = this.#page();
    const low = ((page % 2 ** 20) * 4096) | 0x123;
    const high = Math.floor(page / 2 ** 20) | 0;
    const usable = [...this.#held.values()].filter(
      (held) => held.substream === substream && page >= held.page && page < held.page + held.pages,
    );
    const entry = this.atc.lookup(substream, low, high);
    if (entry < 0) return usable.length === 0 ? undefined : `a lookup misses entry ${usable[0]?.serial}`;
    this.counts.hits++;
    const serial = this.atc.extra(entry);
    if (!usable.some((held) => held.serial === serial)) return `a lookup finds entry ${serial}, which it may not use`;
    const expected = (high & 0xffff) * 2 ** 32 + (low >>> 0);
    return this.atc.output(entry, low, high) === expected ? undefined : `entry ${serial} leads to a wrong address`;
  }

  #invalidate(): string {
    const random = this.#random;
    if (random.chance(0.05)) {
      this.atc.reset();
      this.#held.clear();
      return 'a reset';
    }
    const substream = random.of(SUBSTREAMS);
    const global = random.chance(0.2);
    const pages = 2 ** random.of([0, 0, 0, 1, 4, 9, 18, 52]);
    const page = this.#page();
    const firstPage = page - (page % pages);
    this.atc.invalidate(substream, global, firstPage, pages);
    for (const [key, held] of this.#held) {
      const meant = substream < 0 || (global ? held.substream >= 0 : held.substream === substream);
      if (meant && held.page < firstPage + pages && firstPage < held.page + held.pages) this.#held.delete(key);
    }
    return `ATC_INV ${substream} ${global} ${firstPage} + ${pages}`;
  }

  #compare(after: string): string | undefined {
    const held = liveSerials(this.atc).sort((a, b) => a - b);
    const expected = [...this.#held.values()].map(({ serial }) => serial).sort((a, b) => a - b);
    if (held.join() === expected.join()) return undefined;
    return `after ${after}: held ${held.join(' ')}; should be ${expected.join(' ')}`;
  }
}
