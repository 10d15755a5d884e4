/**
 * Simpler versions of an operation or of a configuration, simplest first, for minimising: what remains after no simpler
 * version shows the same deviation is essential to it.
 */
import { match, P } from 'ts-pattern';
import type { ConformanceConfiguration, Tree } from './configuration.ts';
import { illegalOpcodes } from './operation.ts';
import type { CommandOperation, Operation } from './operation.ts';
import type { ConformanceProgram } from './program.ts';
import { simplerByIpa, simplerGuestOperations, simplerGuests, simplerRanges } from './simplify-guest.ts';
import { rootLevel } from './world.ts';

type ByAddress = Extract<CommandOperation, { opcode: 'TLBI_NH_VA' | 'TLBI_NH_VAA' }>;

const without = <T extends object, K extends keyof T>(value: T, key: K): T => {
  const { [key]: _, ...rest } = value;
  return rest as T;
};

/** Wider commands first: the widest that still leaves the deviation says most about the device. */
const simplerCommands = (command: CommandOperation): CommandOperation[] => {
  const byAddress = (by: ByAddress): CommandOperation[] => {
    const simpler: CommandOperation[] = [
      { opcode: 'TLBI_NSNH_ALL' },
      { opcode: 'TLBI_NH_ALL', vmidOf: by.vmidOf },
      { opcode: 'TLBI_NH_ASID', vmidOf: by.vmidOf, asidOf: by.asidOf },
    ];
    if (by.range !== undefined) simpler.push({ ...without(by, 'range'), alignBits: 12 });
    if (by.range !== undefined) simpler.push(...simplerRanges(by.range).map((range) => ({ ...by, range })));
    if (by.leaf) simpler.push({ ...by, leaf: false });
    if (by.opcode === 'TLBI_NH_VAA') simpler.push({ ...by, opcode: 'TLBI_NH_VA' });
    if (by.asidOf !== by.vmidOf) simpler.push({ ...by, asidOf: by.vmidOf });
    return simpler;
  };
  return match(command)
    .returnType<CommandOperation[]>()
    .with({ opcode: 'CFGI_STE' }, ({ stream, leaf }) => [
      { opcode: 'CFGI_ALL' },
      ...(leaf ? [{ opcode: 'CFGI_STE', stream, leaf: false } as const] : []),
    ])
    .with({ opcode: 'CFGI_STE_RANGE' }, ({ stream }) => [
      { opcode: 'CFGI_ALL' },
      { opcode: 'CFGI_STE', stream, leaf: false },
    ])
    .with({ opcode: 'CFGI_CD' }, ({ stream, leaf }) => [
      { opcode: 'CFGI_ALL' },
      { opcode: 'CFGI_STE', stream, leaf: false },
      ...(leaf ? [{ opcode: 'CFGI_CD', stream, leaf: false } as const] : []),
    ])
    .with({ opcode: 'CFGI_CD_ALL' }, ({ stream }) => [
      { opcode: 'CFGI_ALL' },
      { opcode: 'CFGI_STE', stream, leaf: false },
      { opcode: 'CFGI_CD', stream, leaf: false },
    ])
    .with({ opcode: 'TLBI_NH_ASID' }, ({ vmidOf, asidOf }) => [
      { opcode: 'TLBI_NSNH_ALL' },
      { opcode: 'TLBI_NH_ALL', vmidOf },
      ...(asidOf === vmidOf ? [] : [{ opcode: 'TLBI_NH_ASID', vmidOf, asidOf: vmidOf } as const]),
    ])
    .with({ opcode: 'TLBI_NH_ALL' }, { opcode: 'TLBI_S12_VMALL' }, () => [{ opcode: 'TLBI_NSNH_ALL' }])
    .with({ opcode: 'TLBI_NH_VA' }, { opcode: 'TLBI_NH_VAA' }, byAddress)
    .with({ opcode: 'TLBI_S2_IPA' }, (by) => simplerByIpa(by))
    .with({ opcode: P.union('CFGI_ALL', 'TLBI_NSNH_ALL', 'PREFETCH_CONFIG', ...illegalOpcodes) }, () => [])
    .exhaustive();
};

const simplerLeaves = (leaf: Extract<Operation, { kind: 'leaf' }>): Operation[] => [
  ...(leaf.contiguous ? [{ ...leaf, contiguous: false }] : []),
  ...(leaf.global ? [{ ...leaf, global: false }] : []),
  ...(leaf.accessFlag ? [] : [{ ...leaf, accessFlag: true }]),
  ...(leaf.ap === 1 ? [] : [{ ...leaf, ap: 1 }]),
  ...(leaf.ap === 2
    ? [
        { ...leaf, ap: 3 },
        { ...leaf, ap: 0 },
      ]
    : []),
  ...(leaf.target === 0 ? [] : [{ ...leaf, target: 0 }]),
  ...(typeof leaf.target === 'number' && leaf.target < 2 ? [] : [{ ...leaf, target: 1 }]),
  ...simplerPlaces(leaf),
];

/** Simpler versions of an operation; none of them is the operation itself. */
export const simplerOperations = (operation: Operation, device: number): Operation[] =>
  match(operation)
    .returnType<Operation[]>()
    .with({ kind: 'access' }, (access) => [
      ...(access.beyond === true ? [without(access, 'beyond')] : []),
      ...(access.tag === undefined ? [] : [without(access, 'tag')]),
      ...(access.half === 1 ? [{ ...access, half: 0 as const }] : []),
      ...(access.page > 0 ? [{ ...access, page: 0 }] : []),
      ...(access.stream > 0 ? [{ ...access, stream: 0 }] : []),
      ...(access.access === 'swap' && device < 2 ? [{ ...access, access: 'write' as const }] : []),
    ])
    .with({ kind: 'command' }, (command) => [
      ...simplerCommands(command.command).map((simpler) => ({ ...command, command: simpler })),
      ...(command.sync ? [] : [{ ...command, sync: true }]),
    ])
    .with({ kind: 'leaf' }, simplerLeaves)
    .with({ kind: 'table' }, (table) => [
      ...(table.apTable === 0 ? [] : [{ ...table, apTable: 0 }]),
      ...(table.apTable === 3
        ? [
            { ...table, apTable: 1 },
            { ...table, apTable: 2 },
          ]
        : []),
      ...(table.to === 0 ? [] : [{ ...table, to: 0 as const }]),
      ...simplerPlaces(table),
    ])
    .with({ kind: 'clear' }, (clear) => [
      ...(clear.garbage ? [{ ...clear, garbage: false }] : []),
      ...(clear.contiguous ? [{ ...clear, contiguous: false }] : []),
      ...simplerPlaces(clear),
    ])
    .with({ kind: 's2-leaf' }, { kind: 's2-table' }, { kind: 's2-clear' }, simplerGuestOperations)
    .with({ kind: 'ste' }, (ste) => [
      ...(ste.form === 'translate' ? [] : [{ ...ste, form: 'translate' as const }]),
      ...(ste.stage1Off === true ? [without(ste, 'stage1Off')] : []),
      ...(ste.context > 0 ? [{ ...ste, context: 0 }] : []),
      ...(ste.stream > 0 ? [{ ...ste, stream: 0 }] : []),
    ])
    .with({ kind: 'cd' }, (cd) => [
      ...(cd.form === 'valid' ? [] : [{ ...cd, form: 'valid' as const }]),
      ...(cd.copy === 0 ? [] : [{ ...cd, copy: 0 }]),
      ...(cd.twin === true ? [without(cd, 'twin')] : []),
      ...(cd.context > 0 ? [{ ...cd, context: 0 }] : []),
    ])
    .with({ kind: 'stream-table' }, (table) => [
      ...(table.form === 'valid' ? [] : [{ ...table, form: 'valid' as const }]),
      ...(table.stream === undefined ? [] : [without(table, 'stream')]),
    ])
    .with({ kind: 'enable' }, (enable) => (enable.abort === true ? [without(enable, 'abort')] : []))
    .with({ kind: 'overflow' }, (overflow) => [
      { kind: 'enable', on: true },
      ...(overflow.stream > 0 ? [{ ...overflow, stream: 0 }] : []),
    ])
    .with({ kind: 'stream-format' }, ({ twoLevel }) => [
      { kind: 'enable', on: true },
      ...(twoLevel ? [{ kind: 'stream-format', twoLevel: false } as const] : []),
    ])
    .exhaustive();

const simplerPlaces = <T extends Extract<Operation, { kind: 'leaf' | 'table' | 'clear' }>>(operation: T): T[] => {
  const { place } = operation;
  return [
    ...(place.page > 0 ? [{ ...operation, place: { ...place, page: 0 } }] : []),
    ...(place.copy > 0 ? [{ ...operation, place: { ...place, copy: 0 } }] : []),
    ...(place.twin === true ? [{ ...operation, place: without(place, 'twin') }] : []),
    ...(place.tree > 0 ? [{ ...operation, place: { ...place, tree: 0 } }] : []),
  ];
};

/** A tree as a 4 KiB one, and as one level shallower (the root then is where level 1 was). */
const simplerTrees = (tree: Tree): Tree[] => {
  const root = rootLevel(tree);
  const simpler: Tree[] = [];
  if (tree.granule !== 12) simpler.push({ ...tree, granule: 12, inputBits: root === 0 ? 48 : 39 });
  if (root === 0) simpler.push({ ...tree, granule: 12, inputBits: 39 });
  else if (tree.granule === 12 && tree.inputBits < 39) simpler.push({ ...tree, inputBits: 39 });
  return simpler;
};

/** Operations on the levels of a tree that it has. */
const onExistingLevels = (configuration: ConformanceConfiguration, operations: readonly Operation[]): Operation[] =>
  operations.filter((operation) => {
    if (operation.kind !== 'leaf' && operation.kind !== 'table' && operation.kind !== 'clear') return true;
    const tree = configuration.trees[operation.place.tree];
    return tree === undefined || operation.place.level >= rootLevel(tree);
  });

/** Programs with a simpler configuration; operations that it has no use for are left out. */
export const simplerConfigurations = ({ configuration, operations }: ConformanceProgram): ConformanceProgram[] => {
  const candidates: ConformanceProgram[] = [];
  const { trees, contexts, pages, devices } = configuration;
  const replace = <T>(list: readonly T[], at: number, value: T): T[] =>
    list.map((old, index) => (index === at ? value : old));
  const push = (change: Partial<ConformanceConfiguration>, kept: readonly Operation[] = operations): void => {
    candidates.push({ configuration: { ...configuration, ...change }, operations: kept });
  };
  if (configuration.caches !== undefined)
    candidates.push({ configuration: without(configuration, 'caches'), operations });
  if (configuration.shortStreamTable) push({ shortStreamTable: false });
  if (!configuration.recordBadStreamId) push({ recordBadStreamId: true });
  if (configuration.twoLevelStreams)
    push(
      { twoLevelStreams: false },
      operations.filter(({ kind }) => kind !== 'stream-table' && kind !== 'stream-format'),
    );
  for (const [at, tree] of trees.entries())
    for (const simpler of simplerTrees(tree)) {
      const changed = replace(trees, at, simpler);
      const vaBits = Math.min(...changed.map(({ inputBits }) => inputBits));
      push({ trees: changed, vaBits }, onExistingLevels({ ...configuration, trees: changed }, operations));
    }
  for (const [at, context] of contexts.entries()) {
    const change = (changed: Partial<typeof context>): void =>
      push({ contexts: replace(contexts, at, { ...context, ...changed }) });
    if (context.high !== undefined) push({ contexts: replace(contexts, at, without(context, 'high')) });
    if (context.topByteIgnore !== 0) change({ topByteIgnore: 0 });
    if (context.hierarchyDisabled) change({ hierarchyDisabled: false });
    if (context.accessFlagFaultDisabled) change({ accessFlagFaultDisabled: false });
    if (context.addressSize !== 5) change({ addressSize: 5 });
    if (
      context.vmid !== 0 &&
      context.guest === undefined &&
      !contexts.some(({ vmid, asid }) => vmid === 0 && asid === context.asid)
    )
      change({ vmid: 0 });
    if (context.low > 0 && contexts.some(({ low }) => low < context.low)) change({ low: 0 });
  }
  candidates.push(...simplerGuests({ configuration, operations }));
  for (const [at, device] of devices.entries())
    for (const other of [0, 1])
      if (device > other && !devices.includes(other)) push({ devices: replace(devices, at, other) });
  if (pages.length > 1) push({ pages: pages.slice(0, -1) });
  if (devices.length > 1) push({ devices: devices.slice(0, -1) });
  if (contexts.length > 1) push({ contexts: contexts.slice(0, -1) });
  if (trees.length > 1) push({ trees: trees.slice(0, -1) });
  return candidates;
};
