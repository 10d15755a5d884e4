/** Chooses the configuration of a conformance program from its features. */
import type { SmmuFeatures } from '../../model/architecture/arm/layout/features.ts';
import type { GranuleBits } from '../../model/architecture/arm/layout/index.ts';
import { cacheSwarm } from './caches.ts';
import type { ConformanceConfiguration, Context, Guest, Tree } from './configuration.ts';
import { chooseGuests, guestPagesFor } from './generate-guest.ts';
import type { Features } from './features.ts';
import { percent, pick } from './choices.ts';
import type { Choices } from './choices.ts';

/**
 * Input addresses start here, so that an access which wrongly (or rightly) bypasses translation lands in RAM that no
 * table uses.
 */
const firstPage = 0x5800_0000;

/**
 * Pages that share tables to different depths: neighbours in one last-level table (or, with sub-pages, within one page of the
 * larger granule), a neighbour in the next contiguous group, pages in the next table of each level.
 */
const choosePages = (choices: Choices, features: Features, granule: number, vaBits: number): number[] => {
  const level2 = 2 ** (granule + (granule - 3));
  const candidates = [
    ...(features.has('sub-pages') ? [firstPage + 0x1000] : []),
    firstPage + 2 ** granule,
    firstPage + 17 * 2 ** granule,
    firstPage + level2,
    firstPage + level2 + 2 ** granule,
    firstPage + 2 ** 30,
    ...(vaBits > 39 ? [firstPage + 2 ** 39] : []),
  ].filter((page) => page < 2 ** vaBits && page % 2 ** 39 < 0xc000_0000);
  const pages = [firstPage];
  const pagesMax = features.has('guests') ? 3 : 5;
  for (const candidate of candidates)
    if (pages.length < pagesMax && !pages.includes(candidate) && percent(choices, 50)) pages.push(candidate);
  return pages;
};

const chooseTree = (choices: Choices, features: Features, half: 0 | 1, guest: boolean): Tree => ({
  granule: features.has('granules') ? pick(choices, [12, 14, 16] as const satisfies GranuleBits[]) : 12,
  inputBits: pick(choices, [32, 36, 39, 42, 47, 48]),
  half,
  ...(guest ? { guest } : {}),
});

/** The address spaces of a program, and the trees that they use, which are made as they are needed. */
class Contexts {
  readonly trees: Tree[] = [];
  readonly #choices: Choices;
  readonly #features: Features;
  readonly #device: SmmuFeatures;
  readonly #guests: readonly Guest[];
  readonly #shared = new Map<boolean, { readonly low: number; readonly high: number | undefined }>();
  readonly #taken = new Set<string>();

  constructor(choices: Choices, features: Features, device: SmmuFeatures, guests: readonly Guest[]) {
    this.#choices = choices;
    this.#features = features;
    this.#device = device;
    this.#guests = guests;
  }

  choose(): Context[] {
    const many = this.#features.has('asids') || this.#features.has('vmids') || this.#guests.length > 1;
    const count = 1 + (many ? 1 + this.#choices.below(2) : 0);
    return Array.from({ length: count }, (_, index) => this.#context(index));
  }

  #tree(half: 0 | 1, guest: boolean): number {
    return this.trees.push(chooseTree(this.#choices, this.#features, half, guest)) - 1;
  }

  #sharedTrees(guest: boolean): { readonly low: number; readonly high: number | undefined } {
    const known = this.#shared.get(guest);
    if (known !== undefined) return known;
    const high = this.#features.has('high-half') && (!guest || percent(this.#choices, 40));
    const made = { low: this.#tree(0, guest), high: high ? this.#tree(1, guest) : undefined };
    this.#shared.set(guest, made);
    return made;
  }

  /** The guest of a context: none, where stage 1 alone is used beside. */
  #guestOf(index: number): number | undefined {
    if (this.#guests.length === 0) return undefined;
    if (index > 0 && this.#features.has('stage1-beside') && percent(this.#choices, 50)) return undefined;
    return index < this.#guests.length ? index : this.#choices.below(this.#guests.length);
  }

  #vmids(): number[] {
    const taken = new Set(this.#guests.map(({ vmid }) => vmid));
    const possible = this.#features.has('vmids')
      ? [1, 2, 0x101]
      : [this.#features.has('asids') && this.#device.stage2 ? this.#choices.below(2) : 0];
    const free = possible.filter((vmid) => !taken.has(vmid));
    return free.length === 0 ? [7] : free;
  }

  #context(index: number): Context {
    const choices = this.#choices;
    const features = this.#features;
    const guest = this.#guestOf(index);
    const vmid = guest === undefined ? pick(choices, this.#vmids()) : (this.#guests[guest] as Guest).vmid;
    const shared = this.#sharedTrees(guest !== undefined);
    // A global entry serves every ASID of its VMID (IHI 0070 §3.17.1), so where there are globals all address spaces
    // must agree on them: they share their tables.
    const own = index > 0 && !features.has('globals') && this.trees.length < 4 && percent(choices, 60);
    let asid = pick(choices, features.has('asids') || features.has('vmids') ? [1, 2, 3, 0x101] : [1]);
    while (this.#taken.has(`${vmid}:${asid}`)) asid++;
    this.#taken.add(`${vmid}:${asid}`);
    const high = own ? undefined : shared.high;
    return {
      vmid,
      ...(guest === undefined ? {} : { guest }),
      asid,
      low: own ? this.#tree(0, guest !== undefined) : shared.low,
      ...(high === undefined ? {} : { high }),
      topByteIgnore: features.has('tags') ? 3 : 0,
      hierarchyDisabled: features.has('disable-hierarchy') && percent(choices, 50),
      accessFlagFaultDisabled: features.has('access-flag') && percent(choices, 30),
      addressSize: features.has('address-size') ? pick(choices, [0, 1, 2, 4, 5]) : 5,
    };
  }
}

const chooseDevices = (choices: Choices, features: Features, contexts: readonly Context[]): number[] => {
  const candidates = [
    ...(features.has('edu') ? [[2], [0, 2], [2, 3]] : [[0], [0, 1]]),
    ...(features.has('bridges') ? [[4], [0, 4], [4, 5], [2, 5]] : []),
  ];
  return pick(choices, contexts.length > 1 ? candidates.filter((list) => list.length > 1) : candidates);
};

/** A configuration; its pages are inside the input range of every tree. */
export const chooseConfiguration = (
  choices: Choices,
  features: Features,
  device: SmmuFeatures,
): ConformanceConfiguration => {
  const guests = chooseGuests(choices, features, device);
  const making = new Contexts(choices, features, device, guests);
  const contexts = making.choose();
  const { trees } = making;
  const vaBits = Math.min(...trees.map((tree) => tree.inputBits));
  const granule = Math.max(...trees.map((tree) => tree.granule), ...guests.map((guest) => guest.granule));
  const configuration: ConformanceConfiguration = {
    twoLevelStreams: features.has('two-level-streams'),
    shortStreamTable: features.has('short-stream-table'),
    recordBadStreamId: !features.has('silent-bad-streams'),
    pages: choosePages(choices, features, granule, vaBits),
    vaBits,
    trees,
    contexts,
    devices: chooseDevices(choices, features, contexts),
    caches: choices.below(cacheSwarm.length),
  };
  if (guests.length === 0) return configuration;
  return { ...configuration, guests, guestPages: guestPagesFor(features, { ...configuration, guests }) };
};
