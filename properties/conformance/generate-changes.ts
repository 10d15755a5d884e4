/** Chooses changes to translation tables and configuration structures. */
import { leafAllowed } from '../../model/architecture/arm/layout/index.ts';
import { percent, pick, weighted } from './choices.ts';
import type { Choices } from './choices.ts';
import type { ConformanceConfiguration, Tree } from './configuration.ts';
import type { Feature, Features } from './features.ts';
import type { CdForm, EntryPlace, Operation, SteForm, StreamTableForm } from './operation.ts';
import { isBridged, rootLevel } from './world.ts';

/** What the generator of one program works with. */
export interface Generation {
  readonly choices: Choices;
  readonly features: Features;
  readonly configuration: ConformanceConfiguration;
}

const weightIf = (features: Features, feature: Feature, weight: number): number => (features.has(feature) ? weight : 0);

/** A leaf for a page at a level (3, or a block). */
export const chooseLeaf = (generation: Generation, place: EntryPlace): Operation => {
  const { choices, features } = generation;
  const readOnly = features.has('permissions') && percent(choices, 40);
  const privileged = features.has('privileged') && percent(choices, 40);
  return {
    kind: 'leaf',
    place,
    target: features.has('address-size') && percent(choices, 10) ? 'out-of-range' : chooseTarget(generation, place),
    ap: (readOnly ? 2 : 0) | (privileged ? 0 : 1),
    global: features.has('globals') && percent(choices, 60),
    accessFlag: !(features.has('access-flag') && percent(choices, 25)),
    contiguous: features.has('contiguous') && place.level === 3,
  };
};

/** The frames of a guest are few, since stage 2 has to map them. */
const chooseTarget = ({ choices, features, configuration }: Generation, place: EntryPlace): number | 'absent' => {
  if (configuration.trees[place.tree]?.guest !== true) return choices.below(8);
  return features.has('external-abort') && percent(choices, 8) ? 'absent' : choices.below(2);
};

/** A table descriptor for the table below. */
export const chooseTable = (generation: Generation, place: EntryPlace, to?: 0 | 1): Operation => {
  const { choices, features } = generation;
  const readOnly = features.has('ap-table') && features.has('permissions') && percent(choices, 35);
  const privileged = features.has('ap-table') && features.has('privileged') && percent(choices, 25);
  return {
    kind: 'table',
    place,
    to:
      to ??
      weighted<number | 'absent' | 'out-of-range'>(choices, [
        [4, 0],
        [4, 1],
        [weightIf(features, 'external-abort', 2), 'absent'],
        [weightIf(features, 'address-size', 1), 'out-of-range'],
      ]),
    apTable: (readOnly ? 2 : 0) | (privileged ? 1 : 0),
  };
};

/** Levels at which a leaf may be written for a tree: 3, and the block levels if the program uses blocks. */
const leafLevels = ({ features }: Generation, tree: Tree): number[] =>
  [0, 1, 2, 3].filter((level) => {
    if (level < rootLevel(tree)) return false;
    if (level === 3) return true;
    return features.has(leafAllowed(tree.granule, level) ? 'blocks' : 'reserved-blocks');
  });

/** A change of one table entry on the walk of a page. Copies other than 0 exist only where upper levels are changed. */
export const chooseTableChange = (generation: Generation, tree: number, page: number): Operation => {
  const { choices, features, configuration } = generation;
  const shape = configuration.trees[tree] as Tree;
  const copy = features.has('upper-levels') && percent(choices, 30) ? 1 : 0;
  // Blocks over smaller pages of stage 2 are cached in pieces, so changes of blocks are worth more there.
  const small = shape.guest === true && features.has('blocks') ? 30 : 60;
  const level = pick(choices, percent(choices, small) ? [3] : leafLevels(generation, shape));
  const twin = shape.guest === true && features.has('twins') && percent(choices, 25);
  const place = (at: number): EntryPlace => ({
    tree,
    page,
    level: at,
    copy: at === rootLevel(shape) ? 0 : copy,
    ...(twin ? { twin } : {}),
  });
  const upper = rootLevel(shape) + choices.below(3 - rootLevel(shape));
  const contiguous = features.has('contiguous') && level === 3;
  return weighted<() => Operation>(choices, [
    [5, () => chooseLeaf(generation, place(level))],
    [3, () => ({ kind: 'clear', place: place(level), garbage: percent(choices, 20), contiguous })],
    [weightIf(features, 'upper-levels', 4), () => chooseTable(generation, place(upper))],
    [weightIf(features, 'ap-table', 3), () => chooseTable(generation, place(upper), 0)],
    [
      weightIf(features, 'upper-levels', 1),
      () => ({ kind: 'clear', place: place(upper), garbage: false, contiguous: false }),
    ],
    [weightIf(features, 'blocks', 2), () => chooseTable(generation, place(Math.max(2, rootLevel(shape))), 0)],
  ])();
};

const illegalSte: SteForm[] = [
  'not-valid',
  'stall-disable',
  'context-out-of-range',
  'context-absent',
  'reserved-config',
];
const illegalStage2: SteForm[] = [
  's2-stall',
  's2-hardware-access-flag',
  's2-big-endian',
  's2-granule-reserved',
  's2-start-level',
  's2-input-too-small',
  's2-input-too-large',
  's2-table-out-of-range',
];
const illegalCd: CdForm[] = [
  'not-valid',
  'aarch32',
  'stall',
  'hardware-access-flag',
  'big-endian',
  'table-out-of-range',
  'input-too-small',
  'input-too-large',
  'granule-reserved',
  'abort-not-set',
];

const streamTableForms: StreamTableForm[] = [
  'valid',
  'valid',
  'unaligned',
  'not-valid',
  'short',
  'span-too-large',
  'reserved-span',
];

/** Legal, but rare. */
const unusualSte: SteForm[] = ['substreams-ignored', 'stream-world-ignored', 'ats-ignored'];
const unusualCd: CdForm[] = ['no-privileged-access', 'no-write-execute', 'private-asid'];

/** An STE by which a stream translates: by both stages, or stage 2 only, if the context has a guest. */
export const chooseAttachment = (generation: Generation, stream: number, context: number, form: SteForm): Operation => {
  const { choices, features, configuration } = generation;
  const guest = configuration.contexts[context]?.guest !== undefined;
  const stage1Off = guest && features.has('stage2-only') && percent(choices, 40);
  return { kind: 'ste', stream, context, form, ...(stage1Off ? { stage1Off } : {}) };
};

/** A change of a stream table entry, a context descriptor or the stream table's first level. */
export const chooseStructureChange = (generation: Generation): Operation => {
  const { choices, features, configuration } = generation;
  const stream = choices.below(configuration.devices.length);
  const context = choices.below(configuration.contexts.length);
  const guest = configuration.contexts[context]?.guest !== undefined;
  const illegal = guest ? [...illegalSte, ...illegalStage2] : illegalSte;
  const twin = guest && features.has('twins') && percent(choices, 25) ? { twin: true } : {};
  return weighted<() => Operation>(choices, [
    [5, () => chooseAttachment(generation, stream, context, 'translate')],
    [guest ? 1 : 0, () => chooseAttachment(generation, stream, context, 's2-no-record')],
    [2, () => ({ kind: 'ste', stream, context, form: 'abort' })],
    [weightIf(features, 'bypass', 3), () => ({ kind: 'ste', stream, context, form: 'bypass' })],
    [
      weightIf(features, 'illegal-structures', 4),
      () => chooseAttachment(generation, stream, context, pick(choices, illegal)),
    ],
    [3, () => ({ kind: 'cd', context, form: 'valid', copy: 0, ...twin })],
    [weightIf(features, 'upper-levels', 3), () => ({ kind: 'cd', context, form: 'valid', copy: 1, ...twin })],
    [2, () => ({ kind: 'cd', context, form: pick(choices, ['no-record', 'disabled-low'] as const), copy: 0 })],
    [1, () => ({ kind: 'cd', context, form: pick(choices, unusualCd), copy: 0 })],
    [weightIf(features, 'reserved-values', 1), () => ({ kind: 'cd', context, form: 'address-size-reserved', copy: 0 })],
    [weightIf(features, 'reserved-values', 1), () => ({ kind: 'ste', stream, context, form: 'stage2-aarch32' })],
    [1, () => chooseAttachment(generation, stream, context, pick(choices, unusualSte))],
    [
      weightIf(features, 'illegal-structures', 4),
      () => ({ kind: 'cd', context, form: pick(choices, illegalCd), copy: 0 }),
    ],
    [
      configuration.twoLevelStreams ? 2 : 0,
      () => ({
        kind: 'stream-table',
        form: pick(choices, streamTableForms),
        ...(isBridged(configuration.devices[stream] as number) ? { stream } : {}),
      }),
    ],
  ])();
};
