import { ConfigCache, type ConfigCacheOptions } from '../config-cache.ts';
import type { ConfigSets } from '../config-sets.ts';
import { Random } from './random.ts';

const KINDS = ['ste', 'l1std', 'cd', 'l1cd'] as const;

/** A structure that is held. */
interface Held {
  readonly kind: (typeof KINDS)[number];
  readonly serial: number;
  /** First StreamID and number of them; first CD and number of them. */
  readonly streamId: number;
  readonly streams: number;
  readonly substream: number;
  readonly substreams: number;
}

const STREAM_IDS = [0, 1, 5, 63, 64, 255, 256, 0x1_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];
const SUBSTREAMS = [0, 1, 63, 64, 1023, 1024, 0xf_ffff];
const SPLITS = [6, 8, 10];

/** Random operations on a configuration cache, in lockstep with a `Map` that loses nothing. */
export class ConfigLockstep {
  readonly cache: ConfigCache;
  readonly counts = { fills: 0, hits: 0, lost: 0, dropped: 0 };
  readonly #held = new Map<string, Held>();
  readonly #random: Random;
  #serial = 0;

  constructor(cache: ConfigCache, seed: number) {
    this.cache = cache;
    this.#random = new Random(seed);
  }

  /** Makes one operation. @returns what is wrong after it, or undefined. */
  step(): string | undefined {
    const kind = this.#random.below(100);
    if (kind < 45) return this.#fill();
    if (kind < 75) return this.#find();
    const before = this.#held.size;
    const what = this.#invalidate();
    this.counts.dropped += before - this.#held.size;
    return this.#compare(what);
  }

  #place(): Omit<Held, 'serial'> & { readonly split: number } {
    const random = this.#random;
    if (this.#held.size > 0 && random.chance(0.4)) {
      const held = random.of([...this.#held.values()]);
      return { ...held, split: Math.log2(held.kind === 'l1std' ? held.streams : held.substreams) };
    }
    const kind = random.of(KINDS);
    const split = kind === 'l1std' || kind === 'l1cd' ? random.of(SPLITS) : 0;
    const streams = kind === 'l1std' ? 2 ** split : 1;
    const substreams = kind === 'l1cd' ? 2 ** split : 1;
    const streamId = first(random.of(STREAM_IDS), streams);
    const substream = kind === 'cd' || kind === 'l1cd' ? first(random.of(SUBSTREAMS), substreams) : 0;
    return { kind, streamId, streams, substream, substreams, split };
  }

  #fill(): string | undefined {
    const { split, ...place } = this.#place();
    const { kind, streamId, substream, streams, substreams } = place;
    const held = { ...place, serial: ++this.#serial };
    const inStreams = streamId + this.#random.below(streams);
    const inSubstreams = substream + this.#random.below(substreams);
    const { cache } = this;
    let entry: number;
    if (kind === 'ste') entry = cache.takeSte(streamId);
    else if (kind === 'l1std') entry = cache.takeL1std(inStreams, split);
    else if (kind === 'cd') entry = cache.takeCd(streamId, substream);
    else entry = cache.takeL1cd(streamId, inSubstreams, split);
    const sets = cache[kind];
    sets.copies[entry * sets.lanes] = held.serial;
    this.#held.set(keyOf(held), held);
    this.counts.fills++;
    const live = new Set(this.#live());
    if (!live.has(held.serial)) return `${keyOf(held)} is not held after its fill`;
    for (const [key, { serial }] of this.#held)
      if (!live.has(serial)) {
        this.#held.delete(key);
        this.counts.lost++;
      }
    return this.#compare('a fill');
  }

  #find(): string | undefined {
    const { split, ...place } = this.#place();
    const { kind, streamId, substream, streams, substreams } = place;
    const { cache } = this;
    let entry: number;
    if (kind === 'ste') entry = cache.findSte(streamId);
    else if (kind === 'l1std') entry = cache.findL1std(streamId + this.#random.below(streams), split);
    else if (kind === 'cd') entry = cache.findCd(streamId, substream);
    else entry = cache.findL1cd(streamId, substream + this.#random.below(substreams), split);
    const sets = cache[kind];
    const expected = this.#held.get(keyOf({ ...place, serial: 0 }))?.serial ?? -1;
    const found = entry < 0 ? -1 : (sets.copies[entry * sets.lanes] as number);
    if (found >= 0) this.counts.hits++;
    return found === expected ? undefined : `${keyOf({ ...place, serial: 0 })}: found ${found}, not ${expected}`;
  }

  #invalidate(): string {
    const { cache } = this;
    const random = this.#random;
    const place = this.#place();
    const streamId = place.streamId + random.below(place.streams);
    const substream = place.substream + random.below(place.substreams);
    const leaf = random.chance(0.5);
    const ofStream = (held: Held): boolean => has(held.streamId, held.streams, streamId);
    const ofCd = (held: Held): boolean => ofStream(held) && has(held.substream, held.substreams, substream);
    switch (random.of(['ste', 'ste', 'range', 'cd', 'cd', 'cd', 'cd all', 'all'])) {
      case 'ste':
        cache.invalidateSte(streamId, leaf);
        this.#drop((held) => ofStream(held) && !(held.kind === 'l1std' && leaf));
        return `CFGI_STE ${streamId}`;
      case 'range': {
        const count = 2 ** (1 + random.of([0, 3, 8, 20, 31]));
        const from = first(streamId, count);
        cache.invalidateSteRange(from, count);
        this.#drop((held) => held.streamId < from + count && from < held.streamId + held.streams);
        return `CFGI_STE_RANGE ${from} + ${count}`;
      }
      case 'cd':
        cache.invalidateCd(streamId, substream, leaf);
        this.#drop((held) => (held.kind === 'cd' || (held.kind === 'l1cd' && !leaf)) && ofCd(held));
        return `CFGI_CD ${streamId} ${substream}`;
      case 'cd all':
        cache.invalidateCdAll(streamId);
        this.#drop((held) => (held.kind === 'cd' || held.kind === 'l1cd') && ofStream(held));
        return `CFGI_CD_ALL ${streamId}`;
      default:
        cache.invalidateAll();
        this.#drop(() => true);
        return 'CFGI_ALL';
    }
  }

  #drop(covered: (held: Held) => boolean): void {
    for (const [key, held] of this.#held) if (covered(held)) this.#held.delete(key);
  }

  #live(): number[] {
    return KINDS.flatMap((kind) => liveOf(this.cache[kind]));
  }

  #compare(after: string): string | undefined {
    const held = this.#live().sort((a, b) => a - b);
    const expected = [...this.#held.values()].map(({ serial }) => serial).sort((a, b) => a - b);
    if (held.join() === expected.join()) return undefined;
    return `after ${after}: held ${held.join(' ')}; should be ${expected.join(' ')}`;
  }
}

/** A configuration cache of one size for all structures. */
export function configOptions(
  sets: number,
  ways: number,
  contexts: number,
  generationBits: number,
): ConfigCacheOptions {
  const size = { sets, ways };
  return { ste: size, cd: size, l1std: size, l1cd: size, tags: { contexts, generationBits } };
}

function liveOf(sets: ConfigSets): number[] {
  const serials: number[] = [];
  for (let entry = 0; entry < sets.sets * sets.ways; entry++)
    if (sets.isLive(entry)) serials.push(sets.copies[entry * sets.lanes] as number);
  return serials;
}

function keyOf({ kind, streamId, streams, substream, substreams }: Held): string {
  return `${kind} ${streamId}+${streams} ${substream}+${substreams}`;
}

function has(from: number, count: number, index: number): boolean {
  return index >= from && index < from + count;
}

function first(index: number, count: number): number {
  return index - (index % count);
}
