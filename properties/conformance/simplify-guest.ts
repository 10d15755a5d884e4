/** Simpler versions of what a program does to stage 2, simplest first. */
import type { Guest, GuestPage } from './configuration.ts';
import { guestPagesOf, guestsOf } from './guest.ts';
import type { CommandOperation, Operation } from './operation.ts';
import type { ConformanceProgram } from './program.ts';

type ByIpa = Extract<CommandOperation, { opcode: 'TLBI_S2_IPA' }>;
type GuestOperation = Extract<Operation, { kind: 's2-leaf' | 's2-table' | 's2-clear' }>;

/** Simpler invalidations than one by IPA: wider ones first. */
export const simplerByIpa = (by: ByIpa): CommandOperation[] => {
  const { range, ...plain } = by;
  const simpler: CommandOperation[] = [{ opcode: 'TLBI_NSNH_ALL' }];
  if (range !== undefined) simpler.push({ ...plain, alignBits: 12 });
  if (range !== undefined && range.level !== 0 && range.num + range.scale > 0)
    simpler.push({ ...by, range: { ...range, level: 0 } }, { ...by, range: { ...range, num: 0, scale: 0 } });
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

const touchesStage2 = ({ kind }: Operation): boolean =>
  kind === 's2-leaf' || kind === 's2-table' || kind === 's2-clear';

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
      trees: rest.trees.map(({ guest: _, ...tree }) => tree),
      contexts: rest.contexts.map(({ guest: _, ...context }) => context),
    },
    operations: kept.map((operation): Operation => {
      if (operation.kind !== 'ste') return operation;
      const { stage1Off: _, ...ste } = operation;
      return ste.form.startsWith('s2-') ? { ...ste, form: 'translate' } : ste;
    }),
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
