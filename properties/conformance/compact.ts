/** Leaves out of a program's configuration what no operation names, and renumbers the rest. */
import { match } from 'ts-pattern';
import type { ConformanceConfiguration, GuestPage } from './configuration.ts';
import { guestPagesOf, guestsOf } from './guest.ts';
import type { CommandOperation, Operation } from './operation.ts';
import type { ConformanceProgram } from './program.ts';

/** How the references of operations change. */
export interface Renumbering {
  readonly stream: (index: number) => number;
  readonly context: (index: number) => number;
  readonly tree: (index: number) => number;
  readonly page: (index: number) => number;
  readonly guest: (index: number) => number;
  readonly guestPage: (index: number) => number;
}

const same = (index: number): number => index;

/** No change. */
export const unchanged: Renumbering = {
  stream: same,
  context: same,
  tree: same,
  page: same,
  guest: same,
  guestPage: same,
};

const renumberGuestPage = (page: GuestPage, by: Renumbering): GuestPage => ({
  ...page,
  ...('context' in page ? { context: by.context(page.context) } : {}),
  ...('tree' in page ? { tree: by.tree(page.tree) } : {}),
  ...('page' in page ? { page: by.page(page.page) } : {}),
});

const renumberCommand = (command: CommandOperation, by: Renumbering): CommandOperation => ({
  ...command,
  ...('stream' in command ? { stream: by.stream(command.stream) } : {}),
  ...('vmidOf' in command ? { vmidOf: by.context(command.vmidOf) } : {}),
  ...('asidOf' in command ? { asidOf: by.context(command.asidOf) } : {}),
  ...('page' in command ? { page: by.page(command.page) } : {}),
  ...('guest' in command ? { guest: by.guest(command.guest), ipa: by.guestPage(command.ipa) } : {}),
});

/** An operation with its references renumbered. */
export const renumber = (operation: Operation, by: Renumbering): Operation =>
  match(operation)
    .returnType<Operation>()
    .with({ kind: 'ste' }, (ste) => ({ ...ste, stream: by.stream(ste.stream), context: by.context(ste.context) }))
    .with({ kind: 'cd' }, (cd) => ({ ...cd, context: by.context(cd.context) }))
    .with({ kind: 'leaf' }, { kind: 'table' }, { kind: 'clear' }, (entry) => ({
      ...entry,
      place: { ...entry.place, tree: by.tree(entry.place.tree), page: by.page(entry.place.page) },
    }))
    .with({ kind: 's2-leaf' }, { kind: 's2-table' }, { kind: 's2-clear' }, (entry) => ({
      ...entry,
      place: { ...entry.place, guest: by.guest(entry.place.guest), page: by.guestPage(entry.place.page) },
    }))
    .with({ kind: 'command' }, (command) => ({ ...command, command: renumberCommand(command.command, by) }))
    .with({ kind: 'overflow' }, (overflow) => ({ ...overflow, stream: by.stream(overflow.stream) }))
    .with({ kind: 'access' }, (access) => ({ ...access, stream: by.stream(access.stream), page: by.page(access.page) }))
    .with({ kind: 'stream-table' }, (descriptor) => ({
      ...descriptor,
      ...(descriptor.stream === undefined ? {} : { stream: by.stream(descriptor.stream) }),
    }))
    .with({ kind: 'stream-format' }, { kind: 'enable' }, (as) => as)
    .exhaustive();

/** Indices that operations name, or `more`, in ascending order; at least `least`. */
const used = (
  program: ConformanceProgram,
  key: keyof Renumbering,
  more: readonly number[] = [],
  least: readonly number[] = [0],
): number[] => {
  const seen = new Set<number>(more);
  const note = (index: number): number => {
    seen.add(index);
    return index;
  };
  for (const operation of program.operations) renumber(operation, { ...unchanged, [key]: note });
  if (seen.size === 0) return [...least];
  return [...seen].sort((a, b) => a - b);
};

/** What the configuration names by itself: guest pages name contexts, trees and pages; contexts name trees and guests. */
const usedWithin = (program: ConformanceProgram): Record<keyof Renumbering, number[]> => {
  const { configuration } = program;
  const guestPage = used(program, 'guestPage', [], []);
  const pages = guestPage.map((index) => guestPagesOf(configuration)[index] as GuestPage);
  const of = (key: keyof Renumbering): number[] => {
    const seen: number[] = [];
    const note = (index: number): number => {
      seen.push(index);
      return index;
    };
    for (const page of pages) renumberGuestPage(page, { ...unchanged, [key]: note });
    return seen;
  };
  const context = used(program, 'context', of('context'));
  const contexts = context.flatMap((index) => configuration.contexts[index] ?? []);
  const trees = contexts.flatMap(({ low, high }) => (high === undefined ? [low] : [low, high]));
  const guests = contexts.flatMap((one) => one.guest ?? []);
  return {
    guestPage,
    context,
    tree: used(program, 'tree', [...of('tree'), ...trees]),
    page: used(program, 'page', of('page')),
    stream: used(program, 'stream'),
    guest: used(program, 'guest', guests, []),
  };
};

/** The program with a configuration of only what it uses. */
export const compact = (program: ConformanceProgram): ConformanceProgram => {
  const { configuration, operations } = program;
  const kept = usedWithin(program);
  const keep = <T>(list: readonly T[], indices: readonly number[]): T[] => indices.map((index) => list[index] as T);
  const number = (key: keyof Renumbering) => (index: number) => kept[key].indexOf(index);
  const by: Renumbering = {
    stream: number('stream'),
    context: number('context'),
    tree: number('tree'),
    page: number('page'),
    guest: number('guest'),
    guestPage: number('guestPage'),
  };
  const { guests: _guests, guestPages: _guestPages, ...rest } = configuration;
  const guests: Pick<ConformanceConfiguration, 'guests' | 'guestPages'> =
    kept.guest.length === 0
      ? {}
      : {
          guests: keep(guestsOf(configuration), kept.guest),
          guestPages: keep(guestPagesOf(configuration), kept.guestPage).map((page) => renumberGuestPage(page, by)),
        };
  return {
    configuration: {
      ...rest,
      ...guests,
      pages: keep(configuration.pages, kept.page),
      trees: keep(configuration.trees, kept.tree),
      devices: keep(configuration.devices, kept.stream),
      contexts: keep(configuration.contexts, kept.context).map((context) => ({
        ...context,
        low: by.tree(context.low),
        ...(context.high === undefined ? {} : { high: by.tree(context.high) }),
        ...(context.guest === undefined ? {} : { guest: by.guest(context.guest) }),
      })),
    },
    operations: operations.map((operation) => renumber(operation, by)),
  };
};
