/** What a minimal program contains: since nothing can be left out of it, what it contains is essential. */
import { leafAllowed } from '../../model/architecture/arm/layout/index.ts';
import type { SmmuFeatures } from '../../model/architecture/arm/layout/features.ts';
import type { ConformanceConfiguration, Tree } from './configuration.ts';
import type { Deviation } from './deviation.ts';
import type { CommandOperation, Operation } from './operation.ts';
import type { ConformanceProgram } from './program.ts';
import { outlivedInvalidation } from './stale.ts';

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
  readonly guestLeaves: readonly Kind<'s2-leaf'>[];
  /** Changes of stage 2 after an access. */
  readonly guestChanges: readonly Kind<'s2-leaf' | 's2-table' | 's2-clear'>[];
  /** The access in question. */
  readonly access: Kind<'access'> | undefined;
  /** The invalidation that the answer outlived (see `outlivedInvalidation`). */
  readonly invalidation: CommandOperation | undefined;
  /** An access comes before the one in question. */
  readonly accessedBefore: boolean;
  /** A block stands at a level where none is allowed. */
  readonly reservedBlock: boolean;
}

/** Takes a program apart. */
export const factsOf = (program: ConformanceProgram, deviation: Deviation, features: SmmuFeatures): Facts => {
  const { configuration, operations } = program;
  const before = operations.slice(0, deviation.operation);
  const of = <K extends Operation['kind']>(kind: K): Kind<K>[] =>
    before.filter((operation): operation is Kind<K> => operation.kind === kind);
  const firstAccess = before.findIndex(({ kind }) => kind === 'access');
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
    guestLeaves: of('s2-leaf'),
    guestChanges: before
      .slice(Math.max(0, firstAccess))
      .filter((operation) => operation.kind.startsWith('s2-')) as Kind<'s2-leaf' | 's2-table' | 's2-clear'>[],
    access: at?.kind === 'access' ? at : undefined,
    invalidation: outlivedInvalidation(program, deviation, features),
    accessedBefore: firstAccess >= 0,
    reservedBlock: leaves.some(({ place }) => {
      const { granule } = configuration.trees[place.tree] as Tree;
      return !leafAllowed(granule, place.level);
    }),
  };
};
