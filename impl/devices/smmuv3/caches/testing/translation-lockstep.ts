import { Iotlb, iotlbFill, STAGES } from '../iotlb.ts';
import { ENTRY_WORDS, WORD, type AddressRange } from '../entry.ts';
import type { TaggedCache } from '../tagged-cache.ts';
import type { CacheSize } from '../tagged-sets.ts';
import type { Tags } from '../tags.ts';
import { TranslationTags, type TranslationTagsOptions } from '../translation-tags.ts';
import { WalkCache, walkFill } from '../walk-cache.ts';
import { Random } from './random.ts';
import { ReferenceTranslations, type ReferenceEntry } from './reference-translations.ts';

/** What is compared with the reference. */
export interface TranslationCaches {
  readonly tags: TranslationTags;
  readonly iotlb: Iotlb;
  readonly walks: WalkCache;
}

/** Caches of some size, as a device has them. */
export function translationCaches(tags: TranslationTagsOptions, size: CacheSize): TranslationCaches {
  const table = new TranslationTags(tags);
  return { tags: table, iotlb: new Iotlb(table, size), walks: new WalkCache(table, size) };
}

/** Serial numbers, kept in `extra`, of what may still be found. */
export function liveSerials(cache: TaggedCache<Tags>): number[] {
  const serials: number[] = [];
  for (let at = 0; at < cache.words.length; at += ENTRY_WORDS)
    if (cache.tags.isLive(cache.words[at] as number)) serials.push(cache.words[at + WORD.EXTRA] as number);
  return serials;
}

type TagOfEntry = Pick<ReferenceEntry, 'table' | 'stage2' | 'world' | 'vmid' | 'asid' | 'aset'>;

const WORLDS = [0, 0, 0, 1, 2];
const VMIDS = [0, 1, 7];
const ASIDS = [0, 1, 5, 0x101];
/** Bases of the neighbourhoods of addresses in play: one at 0, one across 2^32 bytes, one at the top of the top half. */
const BASES = [0, 2 ** 20 - 2 ** 9, 2 ** 52 - 2 ** 19];
const LEAVES = [
  { granule: 12, level: 3, shift: 12 },
  { granule: 12, level: 3, shift: 16 },
  { granule: 12, level: 2, shift: 21 },
  { granule: 12, level: 1, shift: 30 },
  { granule: 14, level: 3, shift: 14 },
  { granule: 14, level: 2, shift: 25 },
  { granule: 16, level: 3, shift: 16 },
  { granule: 16, level: 2, shift: 29 },
] as const;
const TABLES = [
  { granule: 12, level: 2, shift: 21 },
  { granule: 12, level: 1, shift: 30 },
  { granule: 12, level: 0, shift: 39 },
  { granule: 14, level: 2, shift: 25 },
  { granule: 14, level: 1, shift: 36 },
  { granule: 14, level: 0, shift: 47 },
  { granule: 16, level: 2, shift: 29 },
  { granule: 16, level: 1, shift: 42 },
] as const;

/** Output addresses are the low 52 bits of the input address but for bit 47, so that a lookup can check them. */
function outputHigh(high: number): number {
  return (high ^ 0x8000) & 0xfffff;
}

/**
 * Random operations on a TLB and a walk cache with common tags, in lockstep with a reference that loses nothing. After
 * each invalidation and lookup exactly the same must be held; only a fill may lose something, and only to replacement.
 */
export class TranslationLockstep {
  readonly caches: TranslationCaches;
  readonly reference = new ReferenceTranslations();
  /** Fills, hits, lost to replacement, dropped by an invalidation: a run without some of them shows nothing. */
  readonly counts = { fills: 0, hits: 0, lost: 0, dropped: 0 };
  readonly #random: Random;
  readonly #fill = iotlbFill();
  readonly #walkFill = walkFill();
  #serial = 0;

  constructor(caches: TranslationCaches, seed: number) {
    this.caches = caches;
    this.#random = new Random(seed);
  }

  /** Makes one operation. @returns what is wrong after it, or undefined. */
  step(): string | undefined {
    const kind = this.#random.below(100);
    if (kind < 45) return this.#insert();
    if (kind < 75) return this.#lookup();
    const before = this.reference.entries.size;
    const what = kind < 92 ? this.#dropRange() : this.#dropTag(kind);
    this.counts.dropped += before - this.reference.entries.size;
    return this.#compare(what);
  }

  /** Half of the time what has an entry, so that small caches are hit too. */
  #target(): { tag: TagOfEntry; page: number } {
    const held = [...this.reference.entries.values()];
    if (held.length === 0 || this.#random.chance(0.5)) return { tag: this.#tag(), page: this.#page() };
    const { table, stage2, world, vmid, asid, aset, page, sourcePages } = this.#random.of(held);
    const first = page - (page % sourcePages);
    const inside = this.#random.chance(0.7) ? page : first + this.#random.below(sourcePages);
    return { tag: { table, stage2, world, vmid, asid, aset }, page: inside };
  }

  #page(): number {
    const near = this.#random.of([4, 64, 1024, 2 ** 18]);
    return this.#random.of(BASES) + this.#random.below(near);
  }

  #tag(): TagOfEntry {
    const random = this.#random;
    const table = random.chance(0.3);
    if (random.chance(0.15)) return { table, stage2: true, world: 0, vmid: random.of(VMIDS), asid: 0, aset: 0 };
    const world = random.of(WORLDS);
    const tag = { world, asid: random.of(ASIDS), aset: random.below(2) };
    return { table, stage2: false, vmid: world === 0 ? random.of(VMIDS) : 0, ...tag };
  }

  #insert(): string | undefined {
    const random = this.#random;
    const tag = this.#tag();
    const place = random.of<(typeof LEAVES)[number] | (typeof TABLES)[number]>(tag.table ? TABLES : LEAVES);
    const splintered = !tag.table && !tag.stage2 && place.shift > 12 && random.chance(0.4);
    const shift = splintered ? random.of([12, 14, 16].filter((size) => size < place.shift)) : place.shift;
    const inside = this.#page();
    const pages = 2 ** (shift - 12);
    const entry: ReferenceEntry = {
      serial: ++this.#serial,
      ...tag,
      global: !tag.table && !tag.stage2 && random.chance(0.25),
      page: inside - (inside % pages),
      pages,
      sourcePages: 2 ** (place.shift - 12),
      level: place.level,
      granule: place.granule,
    };
    const address = { addressLow: (inside % 2 ** 20) * 4096, addressHigh: Math.floor(inside / 2 ** 20) };
    const output = { outputLow: address.addressLow, outputHigh: outputHigh(address.addressHigh) };
    const common = { ...tag, ...address, level: place.level, granule: place.granule, extra: entry.serial };
    const stages = tag.stage2 ? STAGES.STAGE2 : splintered ? STAGES.COMBINED : STAGES.STAGE1;
    const { global } = entry;
    if (tag.table) this.caches.walks.insert(Object.assign(this.#walkFill, { ...common, shift }));
    else
      this.caches.iotlb.insert(
        Object.assign(this.#fill, { ...common, ...output, global, stages, shift, sourceShift: place.shift }),
      );
    this.counts.fills++;
    this.reference.insert(entry);
    const live = this.#live();
    if (!live.has(entry.serial)) return `entry ${entry.serial} is not held after its fill`;
    const before = this.reference.entries.size;
    this.reference.keepOnly(live);
    this.counts.lost += before - this.reference.entries.size;
    return this.#compare('a fill');
  }

  #lookup(): string | undefined {
    const { tag, page } = this.#target();
    const low = ((page % 2 ** 20) * 4096) | 0xabc;
    const high = Math.floor(page / 2 ** 20) | 0;
    const cache = tag.table ? this.caches.walks : this.caches.iotlb;
    const entry = tag.stage2
      ? cache.lookupStage2(tag.vmid, low, high)
      : cache.lookup(tag.world, tag.vmid, tag.asid, tag.aset, low, high);
    const usable = this.reference.usable({ ...tag, page });
    if (entry < 0) return usable.length > 0 ? `a lookup misses entry ${usable[0]?.serial}` : this.#compare('a lookup');
    this.counts.hits++;
    const serial = cache.extra(entry);
    const found = usable.find((candidate) => candidate.serial === serial);
    if (found === undefined) return `a lookup finds entry ${serial}, which it may not use`;
    if (tag.table && usable.some(({ pages }) => pages < found.pages)) return `a lookup passes over a deeper table`;
    if (!tag.table && this.caches.iotlb.output(entry, low, high) !== outputHigh(high) * 2 ** 32 + (low >>> 0))
      return `entry ${serial} leads to a wrong address`;
    return this.#compare('a lookup');
  }

  #dropTag(kind: number): string {
    const { tags } = this.caches;
    const { world, vmid, asid } = this.#target().tag;
    if (kind < 96) {
      tags.dropAsid(world, vmid, asid);
      this.reference.drop({ world, vmid, asid, stage2: false });
      return `dropping ASID ${asid}`;
    }
    if (kind < 98) {
      tags.dropStage1(world, vmid);
      this.reference.drop({ world, vmid, stage2: false });
      return `dropping stage 1 of VMID ${vmid}`;
    }
    if (kind < 99) {
      tags.dropVmid(vmid);
      this.reference.drop({ world: 0, vmid });
      return `dropping VMID ${vmid}`;
    }
    tags.dropWorld(world);
    this.reference.drop({ world });
    return `dropping world ${world}`;
  }

  #dropRange(): string {
    const { iotlb, walks } = this.caches;
    const random = this.#random;
    const { tag, page } = this.#target();
    const { world, vmid, asid } = tag;
    const range = this.#range(page);
    const caches = [iotlb, walks];
    const kind = random.below(10);
    if (kind < 2) {
      for (const cache of caches) cache.dropIpa(vmid, range);
      this.reference.dropRange({ world: 0, vmid, stage2: true }, range);
    } else if (kind < 7) {
      for (const cache of caches) cache.dropVa(world, vmid, asid, range);
      this.reference.dropRange({ world, vmid, asid, stage2: false }, range);
    } else {
      for (const cache of caches) cache.dropVaAllAsids(world, vmid, range);
      this.reference.dropRange({ world, vmid, stage2: false }, range);
    }
    return `dropping ${JSON.stringify(range)} (kind ${kind}) of VMID ${vmid}, ASID ${asid}`;
  }

  #range(firstPage: number): AddressRange {
    const random = this.#random;
    const leaf = random.chance(0.5);
    if (random.chance(0.5)) return { firstPage, pages: 1, leaf, granule: 0, level: 0 };
    const granule = random.of([12, 14, 16]);
    const unit = 2 ** (granule - 12);
    const first = Math.max(0, firstPage - random.of([0, 0, 1, 3, 31]) * unit);
    const pages = (1 + random.below(32)) * 2 ** random.of([0, 0, 1, 4, 9, 31]) * unit;
    return { firstPage: first - (first % unit), pages, leaf, granule, level: random.of([0, 0, 1, 2, 3]) };
  }

  #live(): Set<number> {
    return new Set([...liveSerials(this.caches.iotlb), ...liveSerials(this.caches.walks)]);
  }

  #compare(after: string): string | undefined {
    const held = [...liveSerials(this.caches.iotlb), ...liveSerials(this.caches.walks)].sort((a, b) => a - b);
    const expected = [...this.reference.serials()].sort((a, b) => a - b);
    if (held.length === expected.length && held.every((serial, at) => serial === expected[at])) return undefined;
    return `after ${after}: held ${held.join(' ')}; should be ${expected.join(' ')}`;
  }
}
