/** Chooses invalidation commands: one that covers a change just made, or any. */
import { levelShift } from '../../model/architecture/arm/layout/index.ts';
import { match } from 'ts-pattern';
import { percent, pick, weighted } from './choices.ts';
import type { ConformanceConfiguration, Context, Guest, Tree } from './configuration.ts';
import type { Generation } from './generate-changes.ts';
import { guestPageIpa, guestPagesOf, guestsOf } from './guest.ts';
import { illegalOpcodes } from './operation.ts';
import type { CommandOperation, GuestPlace, Operation, RangeHint } from './operation.ts';
import { rootLevel, treeOffset } from './world.ts';

type ByAddress = Extract<CommandOperation, { opcode: 'TLBI_NH_VA' | 'TLBI_NH_VAA' }>;

/** Contexts that use a tree. */
const usersOf = ({ configuration }: Generation, tree: number): number[] =>
  configuration.contexts.flatMap(({ low, high }, index) => (low === tree || high === tree ? [index] : []));

/**
 * Range and level fields for an invalidation of a page whose leaf is at `level`, and the alignment they need: an address
 * that is not aligned to the level given by TTL makes the range UNPREDICTABLE (IHI 0070 §4.4.1.1), as does one that
 * is not aligned to a granule. A range often ends with the page, or has it in its midst: what is rounded or counted
 * wrongly shows at the ends of ranges.
 *
 * @param offset how far the address can be moved down, bytes.
 */
const chooseRange = (
  { choices, features }: Generation,
  tree: Pick<Tree, 'granule'>,
  level: number,
  offset: number,
  stage: 1 | 2 = 1,
): { range: RangeHint; alignBits: number } | undefined => {
  const ranges = features.has(stage === 1 ? 'ranges' : 's2-ranges') && percent(choices, 60);
  const hint = features.has(stage === 1 ? 'level-hint' : 's2-level-hint') && percent(choices, 60);
  if (!ranges && !hint) return undefined;
  // TTL 1 is reserved with the 16 KiB granule, and TTL 0 means no hint.
  const ttl = hint && level > 0 && !(tree.granule === 14 && level === 1) ? level : 0;
  const num = ranges ? pick(choices, [0, 0, 1, 3, 16, 31]) : 0;
  const scale = ranges ? pick(choices, [0, 0, 1, 3, 9, 20, 31]) : 0;
  if (num === 0 && scale === 0 && ttl === 0) return undefined;
  const alignBits = ttl === 0 ? tree.granule : levelShift(tree.granule, ttl);
  // Units before the one of the page with which the range still reaches into it.
  const units = Math.ceil(((num + 1) * 2 ** scale * 2 ** tree.granule) / 2 ** alignBits);
  const most = Math.min(units - 1, Math.floor(offset / 2 ** alignBits));
  const before = weighted<() => number>(choices, [
    [3, () => 0],
    [4, () => most],
    [2, () => Math.floor((most * choices.below(16)) / 16)],
  ])();
  const granule = ((tree.granule - 10) / 2) as 1 | 2 | 3;
  return { range: { granule, num, scale, level: ttl, ...(before === 0 ? {} : { before }) }, alignBits };
};

/** Pages below the same entry of a level: an invalidation of a block may name any address in it. */
const sharing = (configuration: ConformanceConfiguration, tree: Tree, page: number, level: number): number[] => {
  const entry = (at: number): number =>
    Math.floor(treeOffset(configuration, tree, at) / 2 ** levelShift(tree.granule, level));
  return [...configuration.pages.keys()].filter((other) => entry(other) === entry(page));
};

const byAddress = (generation: Generation, tree: number, page: number, level: number): ByAddress => {
  const { choices, features, configuration } = generation;
  const users = usersOf(generation, tree);
  const context = users.length === 0 ? 0 : pick(choices, users);
  const shape = configuration.trees[tree] as Tree;
  const named = level < 3 ? pick(choices, sharing(configuration, shape, page, level)) : page;
  const ranged = chooseRange(generation, shape, level, configuration.pages[named] as number);
  return {
    opcode: percent(choices, 65) ? 'TLBI_NH_VA' : 'TLBI_NH_VAA',
    vmidOf: context,
    asidOf: context,
    page: named,
    half: shape.half,
    alignBits: ranged?.alignBits ?? 12,
    leaf: features.has('leaf-hint') && percent(choices, 50),
    ...(ranged === undefined ? {} : { range: ranged.range }),
  };
};

const byIpa = (generation: Generation, guest: number, ipa: number, level: number): CommandOperation => {
  const { choices, features, configuration } = generation;
  const offset = guestPageIpa(configuration, ipa);
  const ranged = chooseRange(generation, guestsOf(configuration)[guest] as Guest, level, offset, 2);
  return {
    opcode: 'TLBI_S2_IPA',
    guest,
    ipa,
    alignBits: ranged?.alignBits ?? 12,
    leaf: features.has('leaf-hint') && percent(choices, 50),
    ...(ranged === undefined ? {} : { range: ranged.range }),
  };
};

/**
 * What covers a change of stage 2: an invalidation by IPA, which leaves what was combined with stage 1 behind, so that often
 * one of stage 1 follows; or, for the page of a CD, one of that.
 */
const coverGuest = (generation: Generation, { guest, page, level }: GuestPlace): CommandOperation[] => {
  const { choices, features, configuration } = generation;
  const context = configuration.contexts.findIndex((one) => one.guest === guest);
  const first = byIpa(generation, guest, page, level);
  if (context < 0) return [first];
  if (features.has('flush-all') && percent(choices, 30))
    return [
      pick<CommandOperation>(choices, [{ opcode: 'TLBI_S12_VMALL', vmidOf: context }, { opcode: 'TLBI_NSNH_ALL' }]),
    ];
  const what = guestPagesOf(configuration)[page];
  if (what?.of === 'cd' && percent(choices, 50))
    return [first, { opcode: 'CFGI_CD_ALL', stream: choices.below(configuration.devices.length) }];
  if (percent(choices, 35)) return [first];
  if (percent(choices, 50) && what !== undefined && 'tree' in what)
    return [first, byAddress(generation, what.tree, what.page, 3)];
  return [first, { opcode: 'TLBI_NH_ALL', vmidOf: context }];
};

/** Full flushes only where the program has them on: they hide what a narrow command leaves behind. */
const wide = (generation: Generation, context: number): CommandOperation =>
  generation.features.has('flush-all')
    ? pick<CommandOperation>(generation.choices, [
        { opcode: 'TLBI_NH_ALL', vmidOf: context },
        { opcode: 'TLBI_NSNH_ALL' },
        { opcode: 'TLBI_S12_VMALL', vmidOf: context },
      ])
    : { opcode: 'TLBI_NH_ASID', vmidOf: context, asidOf: context };

const coverStructure = (generation: Generation, operation: Operation): CommandOperation => {
  const { choices, features, configuration } = generation;
  const stream = operation.kind === 'ste' ? operation.stream : choices.below(configuration.devices.length);
  const leaf = features.has('leaf-hint') && operation.kind !== 'stream-table' && percent(choices, 50);
  const forCd: CommandOperation[] = [
    { opcode: 'CFGI_CD', stream, leaf },
    { opcode: 'CFGI_CD_ALL', stream },
  ];
  const forSte: CommandOperation[] = [
    { opcode: 'CFGI_STE', stream, leaf },
    { opcode: 'CFGI_STE_RANGE', stream, range: pick(choices, [0, 3, 5]) },
  ];
  if (features.has('flush-all')) forSte.push({ opcode: 'CFGI_ALL' });
  return pick(choices, operation.kind === 'cd' && percent(choices, 75) ? forCd : forSte);
};

/** A command that makes a change visible, as software would choose it (it may still cover only part of it). */
export const coverChange = (generation: Generation, operation: Operation): CommandOperation[] => {
  const { choices } = generation;
  return match(operation)
    .returnType<CommandOperation[]>()
    .with({ kind: 'ste' }, { kind: 'cd' }, { kind: 'stream-table' }, (structure) => [
      coverStructure(generation, structure),
    ])
    .with({ kind: 's2-leaf' }, { kind: 's2-table' }, { kind: 's2-clear' }, ({ place }) => coverGuest(generation, place))
    .with({ kind: 'table' }, { kind: 'leaf' }, { kind: 'clear' }, ({ place }) => {
      const users = usersOf(generation, place.tree);
      if (users.length === 0) return [];
      // What leads to pages is often invalidated by them.
      const level = percent(choices, 30) ? 3 : place.level;
      if (percent(choices, 70)) return [byAddress(generation, place.tree, place.page, level)];
      return [wide(generation, pick(choices, users))];
    })
    .with(
      { kind: 'command' },
      { kind: 'enable' },
      { kind: 'stream-format' },
      { kind: 'overflow' },
      { kind: 'access' },
      () => [],
    )
    .exhaustive();
};

/** Any command. */
export const chooseCommand = (generation: Generation): CommandOperation => {
  const { choices, features, configuration } = generation;
  const context = choices.below(configuration.contexts.length);
  const other = choices.below(configuration.contexts.length);
  const tree = choices.below(configuration.trees.length);
  const page = choices.below(configuration.pages.length);
  const { low } = configuration.contexts[context] as Context;
  const guests = guestsOf(configuration).length;
  const structure = {
    kind: 'ste',
    stream: choices.below(configuration.devices.length),
    context,
    form: 'abort',
  } as const;
  return weighted<() => CommandOperation>(choices, [
    [4, () => ({ ...byAddress(generation, tree, page, 3), asidOf: other })],
    [2, () => byAddress(generation, low, page, Math.max(2, rootLevel(configuration.trees[low] as Tree)))],
    [2, () => ({ opcode: 'TLBI_NH_ASID', vmidOf: context, asidOf: other })],
    [1, () => wide(generation, context)],
    [
      guests === 0 ? 0 : 3,
      () => byIpa(generation, choices.below(guests), choices.below(guestPagesOf(configuration).length), 3),
    ],
    [features.has('structures') ? 3 : 1, () => coverStructure(generation, structure)],
    [features.has('illegal-commands') ? 1 : 0, () => chooseIllegal(generation)],
    [1, () => ({ opcode: 'PREFETCH_CONFIG', stream: choices.below(configuration.devices.length) })],
  ])();
};

/** A command that must stop the queue with CERROR_ILL (§4.1.3, §4.4.1.1, §4.4.2.7). */
const chooseIllegal = (generation: Generation): CommandOperation => {
  const { choices, configuration } = generation;
  if (percent(choices, 60)) return { opcode: pick(choices, illegalOpcodes) };
  const page = choices.below(configuration.pages.length);
  const range: RangeHint = { granule: 1, num: 0, scale: 0, level: 0 };
  return { opcode: 'TLBI_NH_VA', vmidOf: 0, asidOf: 0, page, half: 0, alignBits: 12, leaf: false, range };
};
