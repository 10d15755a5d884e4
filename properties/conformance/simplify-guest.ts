/** Simpler versions of what a program does to stage 2, simplest first. */
import { renumber, unchanged } from './compact.ts';
import type { Guest, GuestPage } from './configuration.ts';
import { levelShift } from '../../model/architecture/arm/layout/index.ts';
import { guestEntryAddress, guestPagesOf, guestsOf, startLevels } from './guest.ts';
import type { CommandOperation, Operation, RangeHint } from './operation.ts';
import type { ConformanceProgram } from './program.ts';

type ByIpa = Extract<CommandOperation, { opcode: 'TLBI_S2_IPA' }>;
type GuestOperation = Extract<Operation, { kind: 's2-leaf' | 's2-table' | 's2-clear' }>;

/** Simpler fields of an invalidation by address: without the level or the range, from the page on, fewer pages. */
export const simplerRanges = (range: RangeHint): RangeHint[] => {
  const { before = 0, ...plain } = range;
  const { level, num, scale } = range;
  const both = level !== 0 && num + scale > 0;
  return [
    ...(both && before === 0 ? [{ ...plain, level: 0 }] : []),
    ...(both ? [{ ...plain, num: 0, scale: 0 }] : []),
    ...(before > 0 ? [plain] : []),
    ...(before > 1 ? [{ ...range, num: 1, scale: 0, before: 1 }] : []),
  ];
};

/** Simpler invalidations than one by IPA: wider ones first. */
export const simplerByIpa = (by: ByIpa): CommandOperation[] => {
  const { range, ...plain } = by;
  const simpler: CommandOperation[] = [{ opcode: 'TLBI_NSNH_ALL' }];
  if (range !== undefined) simpler.push({ ...plain, alignBits: 12 });
  if (range !== undefined) simpler.push(...simplerRanges(range).map((simple) => ({ ...by, range: simple })));
  if (by.leaf) simpler.push({ ...by, leaf: false });
  if (by.guest > 0) simpler.push({ ...by, guest: 0 });
  return simpler;
};

const simplerPlaces = <T extends GuestOperation>(operation: T): T[] => {
  const { place } = operation;
  return [
    ...(place.copy > 0 ? [{ ...operation, place: { ...place, copy: 0 } }] : []),
    ...(place.guest > 0 ? [{ ...operation, place: { ...place, guest: 0 } }] : []),
  ];
};

/** Simpler versions of an operation on stage 2; none of them is the operation itself. */
export const simplerGuestOperations = (operation: GuestOperation): GuestOperation[] => {
  switch (operation.kind) {
    case 's2-table':
      return [...(operation.to === 0 ? [] : [{ ...operation, to: 0 }]), ...simplerPlaces(operation)];
    case 's2-leaf': {
      const { device, ...plain } = operation;
      return [
        ...(device === true ? [plain] : []),
        ...(operation.contiguous ? [{ ...operation, contiguous: false }] : []),
        ...(operation.accessFlag ? [] : [{ ...operation, accessFlag: true }]),
        ...(operation.s2ap === 3 ? [] : [{ ...operation, s2ap: 3 }]),
        ...(operation.s2ap === 0 ? [1, 2].map((s2ap) => ({ ...operation, s2ap })) : []),
        ...(operation.target === 'home' ? [] : [{ ...operation, target: 'home' as const }]),
        ...simplerPlaces(operation),
      ];
    }
    case 's2-clear':
      return [
        ...(operation.garbage ? [{ ...operation, garbage: false }] : []),
        ...(operation.contiguous ? [{ ...operation, contiguous: false }] : []),
        ...simplerPlaces(operation),
      ];
  }
};

/** An input size for each start level with the 4 KiB granule. */
const plainBits: Readonly<Record<number, number>> = { 0: 44, 1: 39, 2: 32 };

const plainer = (guest: Guest): Guest[] => {
  const { granule, startLevel, inputBits } = guest;
  const bits = plainBits[startLevel];
  return [
    ...(bits === undefined || (granule === 12 && inputBits === bits)
      ? []
      : [{ ...guest, granule: 12 as const, inputBits: bits }]),
    ...(startLevel === 0 ? [{ ...guest, granule: 12 as const, inputBits: 39, startLevel: 1 }] : []),
    ...(guest.addressSize === 5 ? [] : [{ ...guest, addressSize: 5 }]),
    ...(guest.accessFlagFaultDisabled ? [{ ...guest, accessFlagFaultDisabled: false }] : []),
    ...(guest.protectedWalk ? [{ ...guest, protectedWalk: false }] : []),
  ];
};

const onGuestLevels = (guests: readonly Guest[], operations: readonly Operation[]): Operation[] =>
  operations.filter((operation) => {
    if (operation.kind !== 's2-leaf' && operation.kind !== 's2-table' && operation.kind !== 's2-clear') return true;
    return operation.place.level >= (guests[operation.place.guest]?.startLevel ?? 0);
  });

/** Programs with one guest plainer; operations on levels that are no more are left out. */
export const simplerGuests = ({ configuration, operations }: ConformanceProgram): ConformanceProgram[] => {
  const old = guestsOf(configuration);
  return old.flatMap((guest, at) =>
    plainer(guest).map((simpler) => {
      const guests = old.map((one, index) => (index === at ? simpler : one));
      return { configuration: { ...configuration, guests }, operations: onGuestLevels(guests, operations) };
    }),
  );
};

const touchesStage2 = (operation: Operation): operation is GuestOperation =>
  operation.kind === 's2-leaf' || operation.kind === 's2-table' || operation.kind === 's2-clear';

/**
 * The same with a guest's walks starting one level up, where one table is enough: concatenation is then not what matters. The
 * entries that lead to the old roots, now ordinary tables, are written first.
 */
export const deepened = ({ configuration, operations }: ConformanceProgram): ConformanceProgram[] =>
  guestsOf(configuration).flatMap((guest, at) => {
    const { granule, startLevel, inputBits } = guest;
    if (inputBits <= levelShift(granule, startLevel - 1) || startLevel === 0) return [];
    const level = startLevel - 1;
    const bits = granule === 12 ? (plainBits[level] ?? inputBits) : levelShift(granule, level - 1);
    const deeper = { ...guest, startLevel: level, inputBits: Math.min(bits, 44) };
    if (!startLevels(granule, deeper.inputBits).includes(level)) return [];
    const pages = new Set(
      operations.flatMap((operation) =>
        touchesStage2(operation) && operation.place.guest === at ? [operation.place.page] : [],
      ),
    );
    const roots = [...pages].map((page): Operation => ({
      kind: 's2-table',
      place: { guest: at, page, level, copy: 0 },
      to: 0,
    }));
    const guests = guestsOf(configuration).map((old, index) => (index === at ? deeper : old));
    return [{ configuration: { ...configuration, guests }, operations: [...roots, ...operations] }];
  });

/** The same with upper entries named by a guest page that is mapped anyway, so that others can be left out. */
export const sharedPages = ({ configuration, operations }: ConformanceProgram): ConformanceProgram => {
  const leaves = operations.flatMap((operation) => (operation.kind === 's2-leaf' ? [operation.place] : []));
  return {
    configuration,
    operations: operations.map((operation) => {
      if (!touchesStage2(operation)) return operation;
      const { place } = operation;
      const address = guestEntryAddress(configuration, place);
      const other = leaves.find(
        ({ guest, page }) => guest === place.guest && guestEntryAddress(configuration, { ...place, page }) === address,
      );
      return other === undefined ? operation : ({ ...operation, place: { ...place, page: other.page } } as Operation);
    }),
  };
};

const isTwin = (operation: Operation): boolean =>
  ('place' in operation && 'twin' in operation.place) || (operation.kind === 'cd' && operation.twin === true);

/** The same with stage 1 only: everything about stage 2 is left out. */
export const withoutGuests = ({ configuration, operations }: ConformanceProgram): ConformanceProgram => {
  const { guests: _guests, guestPages: _pages, ...rest } = configuration;
  const kept = operations.filter((operation) => {
    if (touchesStage2(operation) || isTwin(operation)) return false;
    return operation.kind !== 'command' || operation.command.opcode !== 'TLBI_S2_IPA';
  });
  return {
    configuration: {
      ...rest,
      trees: rest.trees.map(({ guest: _guest, ...tree }) => tree),
      contexts: rest.contexts.map(({ guest: _guest, ...context }) => context),
    },
    operations: kept.map((operation): Operation => {
      if (operation.kind !== 'ste') return operation;
      const { stage1Off: _off, ...ste } = operation;
      return ste.form.startsWith('s2-') ? { ...ste, form: 'translate' } : ste;
    }),
  };
};

/** The same with one guest for all contexts that have one: nothing is done to the others. */
export const onlyGuest = ({ configuration, operations }: ConformanceProgram, kept: number): ConformanceProgram => {
  const guest = guestsOf(configuration)[kept] as Guest;
  const ofOther = (operation: Operation): boolean =>
    (touchesStage2(operation) && operation.place.guest !== kept) ||
    (operation.kind === 'command' && 'guest' in operation.command && operation.command.guest !== kept);
  return {
    configuration: {
      ...configuration,
      guests: [guest],
      contexts: configuration.contexts.map((context) =>
        context.guest === undefined ? context : { ...context, guest: 0, vmid: guest.vmid },
      ),
    },
    operations: operations
      .filter((operation) => !ofOther(operation))
      .map((operation) => renumber(operation, { ...unchanged, guest: () => 0 })),
  };
};

/** The same with stage 2 only: what was mapped for the output of stage 1 is mapped for the input instead. */
export const withoutStage1 = ({ configuration, operations }: ConformanceProgram): ConformanceProgram => {
  const guestPages = guestPagesOf(configuration).map((page): GuestPage =>
    page.of === 'frame' ? { of: 'input', page: page.page } : page,
  );
  const inGuest = (context: number): boolean => configuration.contexts[context]?.guest !== undefined;
  return {
    configuration: { ...configuration, guestPages },
    operations: operations.flatMap((operation): Operation[] => {
      if (operation.kind === 'ste' && inGuest(operation.context)) return [{ ...operation, stage1Off: true }];
      if (operation.kind === 'cd' && inGuest(operation.context)) return [];
      const place = 'place' in operation && 'tree' in operation.place ? operation.place : undefined;
      return place !== undefined && configuration.trees[place.tree]?.guest === true ? [] : [operation];
    }),
  };
};
