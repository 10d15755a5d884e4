/** Chooses the configuration of a conformance program from its features. */
import type { SmmuFeatures } from '../../model/architecture/arm/features.ts';
import type { GranuleBits } from '../../model/architecture/arm/layout/index.ts';
import type { ConformanceConfiguration, Context, Tree } from './configuration.ts';
import type { Features } from './features.ts';
import { percent, pick } from './choices.ts';
import type { Choices } from './choices.ts';

/**
 * Input addresses start here, so that an access which wrongly (or rightly) bypasses translation lands in RAM that no
 * table uses.
 */
const firstPage = 0x5800_0000;

/**
 * Pages that share tables to different depths: neighbours in one last-level table, a neighbour in the next contiguous
 * group, pages in the next table of each level.
 */
const choosePages = (choices: Choices, trees: readonly Tree[], vaBits: number): number[] => {
  const granule = Math.max(...trees.map((tree) => tree.granule));
  const level2 = 2 ** (granule + (granule - 3));
  const candidates = [
    firstPage + 2 ** granule,
    firstPage + 17 * 2 ** granule,
    firstPage + level2,
    firstPage + level2 + 2 ** granule,
    firstPage + 2 ** 30,
    ...(vaBits > 39 ? [firstPage + 2 ** 39] : []),
  ].filter((page) => page < 2 ** vaBits && page % 2 ** 39 < 0xc000_0000);
  const pages = [firstPage];
  for (const candidate of candidates)
    if (pages.length < 5 && !pages.includes(candidate) && percent(choices, 50)) pages.push(candidate);
  return pages;
};

const chooseTree = (choices: Choices, features: Features, half: 0 | 1): Tree => ({
  granule: features.has('granules') ? pick(choices, [12, 14, 16] as const satisfies GranuleBits[]) : 12,
  inputBits: pick(choices, [32, 36, 39, 42, 47, 48]),
  half,
});

const chooseContexts = (choices: Choices, features: Features, trees: Tree[], device: SmmuFeatures): Context[] => {
  const count = 1 + (features.has('asids') || features.has('vmids') ? 1 + choices.below(2) : 0);
  const vmids = features.has('vmids') ? [1, 2, 0x101] : [features.has('asids') && device.stage2 ? choices.below(2) : 0];
  const tree = (half: 0 | 1): number => trees.push(chooseTree(choices, features, half)) - 1;
  const shared = { low: tree(0), high: features.has('high-half') ? tree(1) : undefined };
  const taken = new Set<string>();
  const contexts: Context[] = [];
  for (let index = 0; index < count; index++) {
    const vmid = pick(choices, vmids);
    // A global entry serves every ASID of its VMID (IHI 0070 §3.17.1), so where there are globals all address spaces
    // must agree on them: they share their tables.
    const own = index > 0 && !features.has('globals') && trees.length < 4 && percent(choices, 60);
    let asid = pick(choices, features.has('asids') || features.has('vmids') ? [1, 2, 3, 0x101] : [1]);
    while (taken.has(`${vmid}:${asid}`)) asid++;
    taken.add(`${vmid}:${asid}`);
    const high = own ? undefined : shared.high;
    contexts.push({
      vmid,
      asid,
      low: own ? tree(0) : shared.low,
      ...(high === undefined ? {} : { high }),
      topByteIgnore: features.has('tags') ? 3 : 0,
      hierarchyDisabled: features.has('disable-hierarchy') && percent(choices, 50),
      accessFlagFaultDisabled: features.has('access-flag') && percent(choices, 30),
      addressSize: features.has('address-size') ? pick(choices, [0, 1, 2, 4, 5]) : 5,
    });
  }
  return contexts;
};

/** A configuration; its pages are aligned for the largest granule and inside the input range of every tree. */
export const chooseConfiguration = (
  choices: Choices,
  features: Features,
  device: SmmuFeatures,
): ConformanceConfiguration => {
  const trees: Tree[] = [];
  const contexts = chooseContexts(choices, features, trees, device);
  const vaBits = Math.min(...trees.map((tree) => tree.inputBits));
  const pages = choosePages(choices, trees, vaBits);
  const candidates = features.has('edu') ? [[2], [0, 2], [2, 3]] : [[0], [0, 1]];
  const wanted = contexts.length > 1 ? candidates.filter((list) => list.length > 1) : candidates;
  return {
    twoLevelStreams: features.has('two-level-streams'),
    shortStreamTable: features.has('short-stream-table'),
    recordBadStreamId: !features.has('silent-bad-streams'),
    pages,
    vaBits,
    trees,
    contexts,
    devices: pick(choices, wanted),
  };
};
