/** Leaves out of a program's configuration what no operation names, and renumbers the rest. */
import { match } from 'ts-pattern';
import type { CommandOperation, Operation } from './operation.ts';
import type { ConformanceProgram } from './program.ts';

/** How the references of operations change. */
export interface Renumbering {
  readonly stream: (index: number) => number;
  readonly context: (index: number) => number;
  readonly tree: (index: number) => number;
  readonly page: (index: number) => number;
}

const renumberCommand = (command: CommandOperation, by: Renumbering): CommandOperation => ({
  ...command,
  ...('stream' in command ? { stream: by.stream(command.stream) } : {}),
  ...('vmidOf' in command ? { vmidOf: by.context(command.vmidOf) } : {}),
  ...('asidOf' in command ? { asidOf: by.context(command.asidOf) } : {}),
  ...('page' in command ? { page: by.page(command.page) } : {}),
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
    .with({ kind: 'command' }, (command) => ({ ...command, command: renumberCommand(command.command, by) }))
    .with({ kind: 'overflow' }, (overflow) => ({ ...overflow, stream: by.stream(overflow.stream) }))
    .with({ kind: 'access' }, (access) => ({ ...access, stream: by.stream(access.stream), page: by.page(access.page) }))
    .with({ kind: 'stream-table' }, { kind: 'stream-format' }, { kind: 'enable' }, (as) => as)
    .exhaustive();

/** Collects the indices that `visit` is asked about, in ascending order; at least the first of the list. */
const used = (program: ConformanceProgram, key: keyof Renumbering, more: readonly number[] = []): number[] => {
  const seen = new Set<number>(more);
  const note = (index: number): number => {
    seen.add(index);
    return index;
  };
  const same = (index: number): number => index;
  for (const operation of program.operations)
    renumber(operation, { stream: same, context: same, tree: same, page: same, [key]: note });
  if (seen.size === 0) seen.add(0);
  return [...seen].sort((a, b) => a - b);
};

/** The program with a configuration of only what it uses. */
export const compact = (program: ConformanceProgram): ConformanceProgram => {
  const { configuration, operations } = program;
  const contexts = used(program, 'context');
  const ofContexts = contexts.flatMap((index) => {
    const context = configuration.contexts[index];
    return context === undefined ? [] : context.high === undefined ? [context.low] : [context.low, context.high];
  });
  const trees = used(program, 'tree', ofContexts);
  const pages = used(program, 'page');
  const streams = used(program, 'stream');
  const tree = (index: number): number => trees.indexOf(index);
  const keep = <T>(list: readonly T[], indices: readonly number[]): T[] => indices.map((index) => list[index] as T);
  const by: Renumbering = {
    stream: (index) => streams.indexOf(index),
    context: (index) => contexts.indexOf(index),
    tree,
    page: (index) => pages.indexOf(index),
  };
  return {
    configuration: {
      ...configuration,
      pages: keep(configuration.pages, pages),
      trees: keep(configuration.trees, trees),
      devices: keep(configuration.devices, streams),
      contexts: keep(configuration.contexts, contexts).map((context) => ({
        ...context,
        low: tree(context.low),
        ...(context.high === undefined ? {} : { high: tree(context.high) }),
      })),
    },
    operations: operations.map((operation) => renumber(operation, by)),
  };
};
