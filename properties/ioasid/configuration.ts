import fc from 'fast-check';
import { FREE_DESIGNS, freesAnywhere, type FreeDesign } from '../../impl/kernel/ioasid/index.ts';
import type { Configuration, Operation } from '../family.ts';
import { isWithin, plainerBy, readConfiguration, type Fields } from '../flat-configuration.ts';

/**
 * What PASID entries are: `abstract`, entries that are written, and flushed, at once; `vtd` and `vtd-nested`, VT-d's tables and
 * caches, with entries for a first stage alone (all under one domain-id) or for both stages (a domain-id for each owner); `smmu`,
 * context descriptors of an SMMUv3 under substreams.
 */
export type TableKind = 'abstract' | 'vtd' | 'vtd-nested' | 'smmu';

/** Every kind of table. */
export const TABLE_KINDS: readonly TableKind[] = ['abstract', 'vtd', 'vtd-nested', 'smmu'];

/** The machine that a program runs on. */
export interface IoasidConfiguration extends Configuration {
  /** PASIDs, 1 to 4. */
  readonly pasids: number;
  /** Virtual machines, 1 or 2, each with one number at a time. */
  readonly owners: number;
  /** Devices, 1 or 2. */
  readonly devices: number;
  /** Numbers of a set, those that are going included; at most `pasids`. */
  readonly quota: number;
  /** How free and unbind are kept apart. */
  readonly design: FreeDesign;
  /** Where entries are; `abstract` in a trace that does not say. */
  readonly table: TableKind;
  /** Allocations may fail on demand. */
  readonly faults: boolean;
  /** VM0 has a number at first, by which dev0 is bound. */
  readonly bound: boolean;
}

/** Allocations of a run, of each kind. */
export const ALLOCATIONS = 10;

/** What programs do: VFIO's calls for a virtual machine, whose file may be closed; `exit` frees in an SRCU callback. */
export type IoasidOperation =
  | { readonly op: 'open' | 'close' | 'alloc' | 'free' | 'exit' | 'find'; readonly owner: number }
  | { readonly op: 'bind' | 'unbind'; readonly owner: number; readonly device: number }
  | { readonly op: 'failNth'; readonly nth: number };

/** Every kind of operation. */
export const OPERATIONS: readonly IoasidOperation['op'][] = [
  'open',
  'close',
  'alloc',
  'free',
  'exit',
  'find',
  'bind',
  'unbind',
  'failNth',
];

const NTH_MAX = 3;

/** Two virtual machines, one device, two numbers. */
export const PLAIN: IoasidConfiguration = {
  pasids: 2,
  owners: 2,
  devices: 1,
  quota: 1,
  design: 'deferred',
  table: 'abstract',
  faults: false,
  bound: false,
};

/** Random machines, with designs that hold. */
export const configurations: fc.Arbitrary<IoasidConfiguration> = fc
  .record({
    pasids: fc.constantFrom(1, 2, 2, 3),
    owners: fc.constantFrom(1, 2, 2),
    devices: fc.constantFrom(1, 1, 2),
    quota: fc.constantFrom(1, 1, 2),
    design: fc.constantFrom<FreeDesign>('deferred', 'deferred', 'deferred', 'mutex', 'owner'),
    table: fc.constantFrom<TableKind>('abstract', 'abstract', 'vtd', 'vtd-nested', 'smmu'),
    faults: fc.constantFrom(false, true),
    bound: fc.constantFrom(false, false, true),
  })
  .map((drawn) => ({ ...drawn, quota: Math.min(drawn.quota, drawn.pasids) }));

const FIELDS: Fields<IoasidConfiguration> = {
  family: 'ioasid',
  plain: PLAIN,
  limits: { pasids: [1, 4], owners: [1, 2], devices: [1, 2], quota: [1, 4] },
  problem: ({ design, table, quota, pasids }) => {
    if (!TABLE_KINDS.includes(table)) return `"table" is one of ${TABLE_KINDS.join(', ')}`;
    if (!FREE_DESIGNS.includes(design)) return `"design" is one of ${FREE_DESIGNS.join(', ')}`;
    return quota > pasids ? '"quota" is at most "pasids"' : undefined;
  },
};

/** See `plainerBy`. */
export function plainer(configuration: Configuration): readonly Configuration[] {
  return plainerBy(FIELDS, withTable(configuration));
}

/** See `readConfiguration`. */
export function ioasidConfiguration(configuration: Configuration): IoasidConfiguration {
  return readConfiguration(FIELDS, withTable(configuration));
}

/** Traces from before there were tables do not name any. */
function withTable(configuration: Configuration): Configuration {
  return { table: PLAIN.table, ...configuration };
}

/**
 * Reads an operation from a trace.
 *
 * @throws RangeError saying what is wrong with it.
 */
export function ioasidOperation(operation: Operation): IoasidOperation {
  const { owner, device, nth } = operation;
  const op = OPERATIONS.find((candidate) => candidate === operation.op);
  if (op === undefined)
    throw new RangeError(`family ioasid has no operation "${operation.op}"; it has ${OPERATIONS.join(', ')}`);
  if (op === 'failNth') {
    if (!isWithin(nth, 1, NTH_MAX)) throw new RangeError(`operation failNth: "nth" is 1 to ${NTH_MAX}`);
    return { op, nth };
  }
  if (!isWithin(owner, 0, 1)) throw new RangeError(`operation ${op}: "owner" must be 0 or 1`);
  if (op !== 'bind' && op !== 'unbind') return { op, owner };
  if (!isWithin(device, 0, 1)) throw new RangeError(`operation ${op}: "device" must be 0 or 1`);
  return { op, owner, device };
}

/** Whether a machine has an operation. */
export function applies(operation: IoasidOperation, configuration: IoasidConfiguration): boolean {
  if (operation.op === 'failNth') return configuration.faults;
  if (operation.op === 'exit' && !freesAnywhere(configuration.design)) return false;
  if ('device' in operation && operation.device >= configuration.devices) return false;
  return operation.owner < configuration.owners;
}

/** How a report shows an operation. */
export function describe(operation: IoasidOperation): string {
  if (operation.op === 'failNth') return `fail-nth(${operation.nth})`;
  return 'device' in operation
    ? `${operation.op}(VM${operation.owner}, dev${operation.device})`
    : `${operation.op}(VM${operation.owner})`;
}

/** The same for the first virtual machine, or the first device. */
export function simplify(operation: Operation): readonly Operation[] {
  const known = ioasidOperation(operation);
  if (known.op === 'failNth') return Array.from({ length: known.nth - 1 }, (_, at) => ({ ...known, nth: at + 1 }));
  const first = known.owner > 0 ? [{ ...known, owner: 0 }] : [];
  return 'device' in known && known.device > 0 ? [{ ...known, device: 0 }, ...first] : first;
}
