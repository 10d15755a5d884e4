/** Names the rule that a minimised deviation breaks where stage 2 has to do with it. */
import { EVENT, EVENT_CLASS, levelShift } from '../../model/architecture/arm/layout/index.ts';
import type { Classification } from './classify.ts';
import type { ConformanceConfiguration, Context, Guest, Tree } from './configuration.ts';
import type { Facts } from './facts.ts';
import { guestPageIpa, guestPagesOf, guestsOf } from './guest.ts';
import type { GuestPlace } from './operation.ts';
import type { RuleId } from './rules.ts';
import { absentAddress, entryAddress, rootLevel, tableAddress, tableBytes } from './world.ts';

const broken = (rule: RuleId, ...aspects: string[]): Classification => ({ rule, aspects });

/** Output address sizes by S2PS. */
const sizes = [32, 36, 40, 42, 44, 48];

/** Root tables (IPAs) of the contexts of guests. */
const rootsOf = (configuration: ConformanceConfiguration): number[] =>
  configuration.contexts.flatMap(({ guest, low, high }) =>
    guest === undefined
      ? []
      : [low, ...(high === undefined ? [] : [high])].flatMap((tree) =>
          [0, 1].map((copy) =>
            tableAddress(configuration, { tree, page: 0, level: rootLevel(configuration.trees[tree] as Tree), copy }),
          ),
        ),
  );

/** Whether a stage 2 table entry that a program changes is on the way of an IPA. */
const covers = (configuration: ConformanceConfiguration, place: GuestPlace, ipa: number): boolean => {
  const size = 2 ** levelShift((guestsOf(configuration)[place.guest] as Guest).granule, place.level);
  return Math.floor(guestPageIpa(configuration, place.page) / size) === Math.floor(ipa / size);
};

/** Several tables at the start level, and something beyond the first of them. */
const concatenated = (configuration: ConformanceConfiguration): boolean =>
  guestsOf(configuration).some(({ granule, inputBits, startLevel }) => {
    const one = levelShift(granule, startLevel - 1);
    const addresses = [
      ...guestPagesOf(configuration).map((_, page) => guestPageIpa(configuration, page)),
      ...rootsOf(configuration),
      ...configuration.pages,
      absentAddress,
    ].filter((ipa) => ipa < 2 ** inputBits);
    return inputBits > one && addresses.some((ipa) => ipa >= 2 ** one);
  });

/** A stage 1 descriptor of the access's walk that is not in the first stage 2 page of its table. */
const beyondTablePage = ({ configuration, access, stes }: Facts): boolean => {
  const ste = stes.at(-1);
  const context = ste === undefined ? undefined : (configuration.contexts[ste.context] as Context);
  if (access === undefined || context?.guest === undefined || ste?.stage1Off === true) return false;
  const { granule } = guestsOf(configuration)[context.guest] as Guest;
  const index = access.half === 1 && context.high !== undefined ? context.high : context.low;
  const tree = configuration.trees[index] as Tree;
  for (let level = rootLevel(tree); level <= 3; level++)
    for (const copy of [0, 1]) {
      const place = { tree: index, page: access.page, level, copy };
      if (entryAddress(configuration, place) - tableAddress(configuration, place) >= 2 ** granule) return true;
    }
  return false;
};

/** What is wrong with the fields of a record. */
const byFields = ({ deviation }: Facts): Classification | undefined => {
  if (deviation.difference !== 'event-field') return undefined;
  const [event = '', fields = ''] = deviation.found.split('.');
  const wrong = fields.split(',');
  if (wrong.length === 1 && wrong[0] === 'IPA[11:0]') return broken('event-ipa-alignment');
  if (wrong.length === 1 && wrong[0] === 'RnW') return broken('event-input-attributes');
  const [record] = deviation.observed?.events ?? [];
  if (record !== undefined && record.S2 === 1 && record.FetchAddr === 0) return broken('event-stage', 'IPA left out');
  if (wrong.includes('S2') && record?.S2 === 0 && record.CLASS === EVENT_CLASS.TABLE)
    return broken('event-stage', 'stage 1 descriptor');
  // The same address of stage 2 is refused, for a reason that comes later in the order.
  const later = event === 'F_ACCESS' || event === 'F_PERMISSION';
  const at = `IPA 0x${(record?.FetchAddr ?? 0).toString(16)}`;
  if (later && deviation.permitted.some((one) => one.startsWith('F_ADDR_SIZE at stage 2') && one.endsWith(at)))
    return broken('fault-order-address-size', event);
  return wrong.some((field) => ['S2', 'CLASS', 'IPA'].includes(field))
    ? broken('event-stage', event, fields)
    : undefined;
};

/** Whether a deviation comes of the root table being translated when the CD is read, and then kept. */
const byRootTable = (facts: Facts): Classification | undefined => {
  const { configuration, deviation, invalidation, guestChanges } = facts;
  const roots = rootsOf(configuration);
  const [record] = deviation.observed?.events ?? [];
  if (record !== undefined && record.S2 === 1 && record.CLASS === EVENT_CLASS.TABLE && roots.includes(record.FetchAddr))
    return broken('nested-root-table', 'translated early');
  if (invalidation === undefined || !invalidation.opcode.startsWith('TLBI')) return undefined;
  const stale = guestChanges.some(({ place }) => roots.some((root) => covers(configuration, place, root)));
  return stale ? broken('nested-root-table', 'kept') : undefined;
};

/** The fault that is asked for is one of stage 2 on a root table, and nothing else is permitted. */
const refusesRoot = ({ configuration, deviation }: Facts): boolean => {
  const roots = rootsOf(configuration).map((root) => Math.floor(root / tableBytes));
  const isRoot = (permitted: string): boolean => {
    const ipa = /for a stage 1 descriptor at IPA (0x[0-9a-f]+)$/.exec(permitted)?.[1];
    return ipa !== undefined && roots.includes(Math.floor(Number(ipa) / tableBytes));
  };
  return deviation.permitted.length > 0 && deviation.permitted.every(isRoot);
};

/** A piece of a stage 1 block, cached with a smaller page of stage 2, that outlived an invalidation of the block. */
const bySplinters = ({ invalidation, leaves, stes }: Facts): Classification | undefined => {
  if (invalidation?.opcode !== 'TLBI_NH_VA' && invalidation?.opcode !== 'TLBI_NH_VAA') return undefined;
  if (stes.at(-1)?.stage1Off === true || !leaves.some(({ place }) => place.level < 3)) return undefined;
  return broken('tlbi-splintered-block', ...(invalidation.range === undefined ? [] : ['range or level']));
};

/** What is refused by stage 1, or because of stage 2 permissions. */
const byPermission = ({ deviation, leaves, tables, access, accessedBefore }: Facts): Classification | undefined => {
  const { expected, found } = deviation;
  if (!expected.some((kind) => kind.startsWith('F_PERMISSION'))) return undefined;
  if (leaves.some(({ ap }) => (ap & 1) === 0)) return broken('pcie-unprivileged', 'AP');
  if (tables.some(({ apTable }) => (apTable & 1) !== 0)) return broken('pcie-unprivileged', 'APTable');
  if (found === 'access' || found === 'silent') return undefined;
  if (tables.some(({ apTable }) => (apTable & 2) !== 0)) return broken('hierarchical-permissions');
  const readOnly = leaves.some(({ ap }) => (ap & 2) !== 0) && access?.access !== 'read';
  return readOnly ? broken('permissions-both-stages', found, ...(accessedBefore ? ['cached'] : [])) : undefined;
};

/** Both are essential to a minimal program: what follows from a walk that should have been refused counts too. */
const protectedWalk = ({ configuration, guestLeaves }: Facts): boolean =>
  guestsOf(configuration).some((guest) => guest.protectedWalk) && guestLeaves.some(({ device }) => device === true);

/** An S2 fault of a stage 1 table fetch that the record gives to stage 1, where CLASS TT does not exist. */
const misplaced = ({ deviation }: Facts): boolean => {
  const [record] = deviation.observed?.events ?? [];
  return (
    record !== undefined &&
    record.S2 === 0 &&
    record.CLASS === EVENT_CLASS.TABLE &&
    record.Event >= EVENT.F_TRANSLATION &&
    record.Event <= EVENT.F_PERMISSION
  );
};

/** A fault of stage 1 that comes too early, where what is permitted instead has the same event at stage 2. */
const byOrder = ({ deviation, tables }: Facts): Classification | undefined => {
  const [record] = deviation.observed?.events ?? [];
  if (record === undefined || record.S2 === 1 || record.CLASS !== EVENT_CLASS.INPUT) return undefined;
  const refused = record.Event === EVENT.F_PERMISSION || record.Event === EVENT.F_ACCESS;
  if (refused && deviation.expected.includes('F_ADDR_SIZE'))
    return broken('fault-order-address-size', record.Event === EVENT.F_ACCESS ? 'F_ACCESS' : 'F_PERMISSION');
  const limited = tables.some(({ apTable }) => apTable !== 0);
  return record.Event === EVENT.F_PERMISSION && limited ? broken('fault-order-hierarchical') : undefined;
};

/** Names the rule if an STE with stage 2 is in the program and one of the rules of stage 2 is broken. */
export const byGuest = (facts: Facts): Classification | undefined => {
  const { configuration, deviation, stes, invalidation } = facts;
  const { expected, found } = deviation;
  const isAccess = deviation.part === 'read' || deviation.part === 'write';
  const attached = stes.some(({ context }) => configuration.contexts[context]?.guest !== undefined);
  if (!isAccess || !attached) return undefined;
  const small = guestsOf(configuration).some(
    ({ inputBits, addressSize }) => inputBits > (sizes[addressSize] as number),
  );
  if (found === 'C_BAD_STE' && !expected.includes('C_BAD_STE') && small)
    return broken('ste-validity', 'S2PS smaller than the IPA size');
  const form = stes.at(-1)?.form;
  if (form !== 'translate' && form !== 's2-no-record') return undefined;
  if (facts.reservedBlock) return broken('block-levels');
  if (concatenated(configuration)) return broken('s2-concatenated-tables');
  if (invalidation === undefined && beyondTablePage(facts)) return broken('nested-descriptor-address');
  // Minimising has tried the widest invalidation: a narrower one that is left is what the device gets wrong.
  const narrow = invalidation !== undefined && invalidation.opcode !== 'TLBI_NSNH_ALL';
  if (narrow) return (refusesRoot(facts) ? byRootTable(facts) : undefined) ?? bySplinters(facts);
  if (protectedWalk(facts)) return broken('protected-walk');
  const { observed } = deviation;
  const unseen = observed?.part.kind === 'refused' || observed?.part.kind === 'unobserved';
  const nothing = unseen && observed.events.length === 0;
  const halves = configuration.contexts.some(({ guest, high }) => guest !== undefined && high !== undefined);
  // The root table of the other half has no translation, and its fault is not to be recorded.
  if (nothing && form === 's2-no-record' && halves && invalidation === undefined && expected.includes('access'))
    return broken('nested-root-table', 'translated early');
  const silent = nothing && !expected.includes('access');
  // An STE beyond the span, which is not to be read, is another mistake.
  const read = !expected.every((name) => name === 'C_BAD_STREAMID');
  if (silent && read && stes.at(-1)?.stage1Off === true) return broken('stage2-only-recorded', ...expected);
  const ofStage2 = deviation.permitted.some((one) => one.includes('at stage 2'));
  if (silent && ofStage2 && facts.cds.at(-1)?.form === 'no-record')
    return broken('event-stage', 'stage 1 descriptor', 'not recorded');
  // The input is out of range, but stage 2 refused the root table first, and its fault is not to be recorded.
  if (silent && form === 's2-no-record' && !ofStage2 && expected.includes('F_TRANSLATION'))
    return broken('nested-root-table', 'translated early');
  return (
    byRootTable(facts) ??
    (misplaced(facts) ? broken('event-stage', 'stage 1 descriptor') : undefined) ??
    byOrder(facts) ??
    (invalidation === undefined ? byPermission(facts) : undefined) ??
    byFields(facts)
  );
};
