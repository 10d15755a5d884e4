/** What a minimal program contains: since nothing can be left out of it, what it contains is essential. */
import { leafAllowed } from '../../model/architecture/arm/layout/index.ts';
import type { ConformanceConfiguration, Context, Tree } from './configuration.ts';
import type { Deviation } from './deviation.ts';
import type { CommandOperation, Operation } from './operation.ts';
import type { ConformanceProgram } from './program.ts';

type Kind<K extends Operation['kind']> = Extract<Operation, { kind: K }>;

/** A minimal program taken apart. */
export interface Facts {
  readonly deviation: Deviation;
  readonly configuration: ConformanceConfiguration;
  readonly leaves: readonly Kind<'leaf'>[];
  readonly tables: readonly Kind<'table'>[];
  readonly stes: readonly Kind<'ste'>[];
  readonly cds: readonly Kind<'cd'>[];
  readonly streamTables: readonly Kind<'stream-table'>[];
  readonly formats: readonly Kind<'stream-format'>[];
  /** The access in question. */
  readonly access: Kind<'access'> | undefined;
  /** The last completed invalidation that follows an earlier access: what it should have removed is what that one left. */
  readonly invalidation: CommandOperation | undefined;
  /** An access comes before the one in question. */
  readonly accessedBefore: boolean;
  /** A block stands at a level where none is allowed. */
  readonly reservedBlock: boolean;
}

/** Takes a program apart. */
export const factsOf = ({ configuration, operations }: ConformanceProgram, deviation: Deviation): Facts => {
  const before = operations.slice(0, deviation.operation);
  const of = <K extends Operation['kind']>(kind: K): Kind<K>[] =>
    before.filter((operation): operation is Kind<K> => operation.kind === kind);
  const firstAccess = before.findIndex(({ kind }) => kind === 'access');
  const after = firstAccess < 0 ? [] : before.slice(firstAccess);
  const commands = after.flatMap((operation) => (operation.kind === 'command' ? [operation.command] : []));
  const at = operations[deviation.operation];
  const leaves = of('leaf');
  return {
    deviation,
    configuration,
    leaves,
    tables: of('table'),
    stes: of('ste'),
    cds: of('cd'),
    streamTables: of('stream-table'),
    formats: of('stream-format'),
    access: at?.kind === 'access' ? at : undefined,
    invalidation: commands.at(-1),
    accessedBefore: firstAccess >= 0,
    reservedBlock: leaves.some(({ place }) => {
      const { granule } = configuration.trees[place.tree] as Tree;
      return !leafAllowed(granule, place.level);
    }),
  };
};

/** Whether two contexts differ in ASID. */
export const differentAsid = ({ contexts }: ConformanceConfiguration, a: number, b: number): boolean =>
  (contexts[a] as Context).asid !== (contexts[b] as Context).asid;
