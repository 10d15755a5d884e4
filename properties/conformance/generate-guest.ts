/** Chooses guests and what stage 2 maps for them. */
import type { SmmuFeatures } from '../../model/architecture/arm/layout/features.ts';
import { leafAllowed } from '../../model/architecture/arm/layout/index.ts';
import type { GranuleBits } from '../../model/architecture/arm/layout/index.ts';
import { percent, pick, weighted } from './choices.ts';
import type { Choices } from './choices.ts';
import type { ConformanceConfiguration, Guest, GuestPage } from './configuration.ts';
import type { Features } from './features.ts';
import type { Generation } from './generate-changes.ts';
import { guestEntryAddress, guestPageIpa, guestPagesMax, guestPagesOf, guestsOf, startLevels } from './guest.ts';
import type { GuestPlace, GuestTarget, Operation } from './operation.ts';
import { rootLevel } from './world.ts';

type GuestOperation = Extract<Operation, { kind: 's2-leaf' | 's2-table' | 's2-clear' }>;

const chooseGuest = (choices: Choices, features: Features, device: SmmuFeatures, vmid: number): Guest => {
  const granule = features.has('s2-granules') ? pick(choices, [12, 14, 16] as const satisfies GranuleBits[]) : 12;
  const inputBits = pick(
    choices,
    [32, 33, 34, 36, 39, 40, 42, 43, 44].filter((bits) => bits <= device.oas),
  );
  return {
    vmid,
    granule,
    inputBits,
    startLevel: pick(choices, startLevels(granule, inputBits)),
    addressSize: features.has('s2-address-size') ? pick(choices, [0, 1, 2, 4, 5]) : 5,
    accessFlagFaultDisabled: features.has('s2-access-flag') && percent(choices, 30),
    protectedWalk: features.has('s2-device-memory') && percent(choices, 50),
  };
};

/** The guests of a program: none, one or two, with VMIDs of their own. */
export const chooseGuests = (choices: Choices, features: Features, device: SmmuFeatures): Guest[] => {
  if (!features.has('guests')) return [];
  const vmids = features.has('two-guests')
    ? pick(choices, [
        [1, 2],
        [3, 0x103],
        [0, 1],
      ])
    : [pick(choices, [0, 1, 0x101])];
  return vmids.map((vmid) => chooseGuest(choices, features, device, vmid));
};

/** What stage 2 should map for the contexts of guests: CDs, tables, outputs, each 4 KiB page once, the essential first. */
export const guestPagesFor = (features: Features, configuration: ConformanceConfiguration): GuestPage[] => {
  const { contexts, trees, pages } = configuration;
  const wanted: GuestPage[] = contexts.flatMap(({ guest }, context) =>
    guest === undefined ? [] : [{ of: 'cd', context }],
  );
  const copies = features.has('upper-levels') ? [0, 1] : [0];
  const each = (add: (tree: number, page: number) => void): void => {
    for (const [tree, { guest }] of trees.entries())
      if (guest === true) for (const page of pages.keys()) add(tree, page);
  };
  for (const copy of copies)
    each((tree, page) => {
      const shape = trees[tree];
      if (shape === undefined) return;
      for (let level = rootLevel(shape); level <= 3; level++) wanted.push({ of: 'table', tree, page, level, copy });
    });
  if (features.has('stage2-only')) for (const page of pages.keys()) wanted.push({ of: 'input', page });
  for (const target of [0, 1])
    each((tree, page) => {
      const shape = trees[tree];
      if (shape === undefined) return;
      const contiguous = features.has('contiguous');
      wanted.push({ of: 'frame', tree, page, level: 3, target, contiguous });
      if (features.has('blocks') && rootLevel(shape) <= 2)
        wanted.push({ of: 'frame', tree, page, level: 2, target, contiguous: false });
    });
  const seen = new Set<number>();
  return wanted
    .filter((page) => {
      const ipa = guestPageIpa({ ...configuration, guestPages: [page] }, 0);
      const number = Math.floor(ipa / 4096);
      if (ipa >= 2 ** 32 || seen.has(number)) return false;
      seen.add(number);
      return true;
    })
    .slice(0, guestPagesMax);
};

const isData = (page: GuestPage | undefined): boolean => page?.of === 'frame' || page?.of === 'input';

/** A stage 2 leaf for a guest page. */
export const chooseGuestLeaf = (generation: Generation, place: GuestPlace, target: GuestTarget): GuestOperation => {
  const { choices, features, configuration } = generation;
  const data = isData(guestPagesOf(configuration)[place.page]);
  const limited = features.has('s2-permissions') && percent(choices, data ? 40 : 10);
  const device = features.has('s2-device-memory') && percent(choices, 25);
  return {
    kind: 's2-leaf',
    place,
    target,
    s2ap: limited ? pick(choices, [0, 1, 1, 2]) : 3,
    accessFlag: !(features.has('s2-access-flag') && percent(choices, data ? 25 : 8)),
    contiguous: features.has('s2-contiguous') && place.level === 3,
    ...(device ? { device } : {}),
  };
};

const blockHere = ({ features }: Generation, { granule }: Guest, level: number): boolean =>
  features.has('s2-blocks') && level < 3 && leafAllowed(granule, level);

/** Stage 2 for every guest page of a guest: pages, or blocks where the program has them on. */
export function* mapGuest(generation: Generation, guest: number): Generator<GuestOperation> {
  const { choices, features, configuration } = generation;
  const shape = guestsOf(configuration)[guest] as Guest;
  const written = new Map<number, 'table' | 'leaf'>();
  for (const [page, what] of guestPagesOf(configuration).entries()) {
    if (isData(what) && percent(choices, 10)) continue;
    const twin = features.has('twins') && isData(what) && percent(choices, 30);
    for (let level = shape.startLevel; level <= 3; level++) {
      const place = { guest, page, level, copy: 0 };
      const address = guestEntryAddress(configuration, place);
      const known = written.get(address);
      if (known === 'leaf') break;
      if (known === 'table') continue;
      if (level === 3 || (blockHere(generation, shape, level) && percent(choices, 50))) {
        yield chooseGuestLeaf(generation, place, twin ? 'twin' : 'home');
        written.set(address, 'leaf');
        break;
      }
      yield { kind: 's2-table', place, to: 0 };
      written.set(address, 'table');
    }
  }
}

/** A change of stage 2 on the way of a page: of its outputs, or of the structures that lead there. */
export const chooseGuestChange = (generation: Generation, guest: number, near: number | undefined): GuestOperation => {
  const { choices, features, configuration } = generation;
  const { granule, startLevel } = guestsOf(configuration)[guest] as Guest;
  const pages = guestPagesOf(configuration);
  const structures = features.has('guest-structures') && percent(choices, 40);
  const candidates = [...pages.entries()].filter(([, page]) => {
    if (isData(page) === structures) return false;
    return near === undefined || !('page' in page) || page.page === near;
  });
  const [page] = candidates.length === 0 ? [choices.below(pages.length)] : pick(choices, candidates);
  const copy = features.has('s2-upper-levels') && percent(choices, 30) ? 1 : 0;
  const place = (level: number): GuestPlace => ({ guest, page, level, copy: level === startLevel ? 0 : copy });
  const levels = [startLevel, 1, 2, 3].filter(
    (level) => level >= startLevel && (level === 3 || blockHere(generation, { granule } as Guest, level)),
  );
  const level = pick(choices, percent(choices, 60) ? [3] : levels);
  const upper = startLevel + choices.below(Math.max(1, 3 - startLevel));
  const target = weighted<GuestTarget>(choices, [
    [4, 'home'],
    [features.has('twins') ? 5 : 1, 'twin'],
    [features.has('external-abort') ? 1 : 0, 'absent'],
    [features.has('s2-address-size') ? 1 : 0, 'out-of-range'],
  ]);
  const contiguous = features.has('s2-contiguous') && level === 3;
  const upperIf = (feature: 's2-upper-levels' | 's2-blocks', weight: number): number =>
    features.has(feature) && startLevel < 3 ? weight : 0;
  return weighted<() => GuestOperation>(choices, [
    [6, () => chooseGuestLeaf(generation, place(level), target)],
    [3, () => ({ kind: 's2-clear', place: place(level), garbage: percent(choices, 20), contiguous })],
    [
      upperIf('s2-upper-levels', 4),
      () => ({ kind: 's2-table', place: place(upper), to: chooseGuestTable(generation) }),
    ],
    [
      upperIf('s2-upper-levels', 1),
      () => ({ kind: 's2-clear', place: place(upper), garbage: false, contiguous: false }),
    ],
    [upperIf('s2-blocks', 2), () => ({ kind: 's2-table', place: place(Math.max(2, startLevel)), to: 0 })],
  ])();
};

const chooseGuestTable = ({ choices, features }: Generation): number | 'absent' | 'out-of-range' =>
  weighted<number | 'absent' | 'out-of-range'>(choices, [
    [4, 0],
    [4, 1],
    [features.has('external-abort') ? 2 : 0, 'absent'],
    [features.has('s2-address-size') ? 1 : 0, 'out-of-range'],
  ]);
