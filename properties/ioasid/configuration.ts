import fc from 'fast-check';
import {
  ALLOCATORS,
  FREE_DESIGNS,
  freesAnywhere,
  SPIDS,
  type FreeDesign,
  type NumberPolicy,
} from '../../impl/kernel/ioasid/index.ts';
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
  /** Which number comes next. */
  readonly policy: NumberPolicy;
  /** Sets are found by tokens: their quota is adjusted, all their numbers are freed, and they have guest PASIDs. */
  readonly sets: boolean;
  /** Listeners come and go, with a driver of each device among them; only with design `deferred`. */
  readonly chains: boolean;
  /** A hypervisor gives numbers, by the allocators of two IOMMUs, the first of which is registered at first. */
  readonly custom: boolean;
  /** Devices come and go. */
  readonly hotplug: boolean;
}

/** Allocations of a run, of each kind. */
export const ALLOCATIONS = 10;

/**
 * What programs do: VFIO's calls for a virtual machine, whose file may be closed; `exit` frees in an SRCU callback. `adjust`
 * and `freeAll` come by way of a set's token and not by VFIO. `register` and `unregister`: KVM of a machine listens.
 */
export type IoasidOperation =
  | { readonly op: OperationOfOwner; readonly owner: number }
  | { readonly op: 'bind' | 'unbind'; readonly owner: number; readonly device: number }
  | { readonly op: 'failNth'; readonly nth: number }
  | { readonly op: 'adjust'; readonly owner: number; readonly quota: number }
  | { readonly op: 'attachSpid' | 'findSpid'; readonly owner: number; readonly spid: number }
  | { readonly op: 'registerAllocator' | 'unregisterAllocator'; readonly iommu: number }
  | { readonly op: 'remove' | 'probe'; readonly device: number };

/** What a virtual machine does, or is done for it, that takes nothing else. */
export type OperationOfOwner =
  'open' | 'close' | 'alloc' | 'free' | 'exit' | 'find' | 'freeAll' | 'register' | 'unregister';

/** Range of each argument. */
const ARGUMENTS = {
  owner: [0, 1],
  device: [0, 1],
  nth: [1, 3],
  quota: [0, 4],
  spid: [1, SPIDS],
  iommu: [0, ALLOCATORS - 1],
} as const;

type Argument = keyof typeof ARGUMENTS;

const TAKES: Readonly<Record<IoasidOperation['op'], readonly Argument[]>> = {
  open: ['owner'],
  close: ['owner'],
  alloc: ['owner'],
  free: ['owner'],
  exit: ['owner'],
  find: ['owner'],
  bind: ['owner', 'device'],
  unbind: ['owner', 'device'],
  failNth: ['nth'],
  adjust: ['owner', 'quota'],
  freeAll: ['owner'],
  attachSpid: ['owner', 'spid'],
  findSpid: ['owner', 'spid'],
  register: ['owner'],
  unregister: ['owner'],
  registerAllocator: ['iommu'],
  unregisterAllocator: ['iommu'],
  remove: ['device'],
  probe: ['device'],
};

/** Every kind of operation. */
export const OPERATIONS = Object.keys(TAKES) as readonly IoasidOperation['op'][];

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
  policy: 'lowest',
  sets: false,
  chains: false,
  custom: false,
  hotplug: false,
};

/** What configurations of older traces do not name. */
const ADDED = {
  table: PLAIN.table,
  policy: PLAIN.policy,
  sets: false,
  chains: false,
  custom: false,
  hotplug: false,
} satisfies Partial<IoasidConfiguration>;

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
    policy: fc.constantFrom<NumberPolicy>('lowest', 'lowest', 'lowest', 'cyclic', 'cyclic'),
    part: fc.constantFrom('none', 'none', 'sets', 'sets', 'sets', 'chains', 'chains', 'custom', 'custom'),
    hotplug: fc.constantFrom(false, false, true),
  })
  .map(({ part, ...drawn }) => ({
    ...drawn,
    quota: Math.min(drawn.quota, drawn.pasids),
    sets: part === 'sets',
    chains: part === 'chains',
    design: part === 'chains' ? ('deferred' as const) : drawn.design,
    custom: part === 'custom',
    bound: drawn.bound && (part !== 'custom' || drawn.pasids > 1),
  }));

const FIELDS: Fields<IoasidConfiguration> = {
  family: 'ioasid',
  plain: PLAIN,
  limits: { pasids: [1, 4], owners: [1, 2], devices: [1, 2], quota: [1, 4] },
  problem: ({ design, table, quota, pasids, policy, chains, custom, bound }) => {
    if (policy !== 'lowest' && policy !== 'cyclic') return '"policy" is lowest or cyclic';
    if (chains && design !== 'deferred') return '"chains" are of design deferred';
    if (custom && bound && pasids < 2) return 'the hypervisor uses one of the "pasids" itself';
    if (!TABLE_KINDS.includes(table)) return `"table" is one of ${TABLE_KINDS.join(', ')}`;
    if (!FREE_DESIGNS.includes(design)) return `"design" is one of ${FREE_DESIGNS.join(', ')}`;
    return quota > pasids ? '"quota" is at most "pasids"' : undefined;
  },
};

/** See `plainerBy`. */
export function plainer(configuration: Configuration): readonly Configuration[] {
  return plainerBy(FIELDS, { ...ADDED, ...configuration });
}

/** See `readConfiguration`. */
export function ioasidConfiguration(configuration: Configuration): IoasidConfiguration {
  return readConfiguration(FIELDS, { ...ADDED, ...configuration });
}

/**
 * Reads an operation from a trace.
 *
 * @throws RangeError saying what is wrong with it.
 */
export function ioasidOperation(operation: Operation): IoasidOperation {
  const op = OPERATIONS.find((candidate) => candidate === operation.op);
  if (op === undefined)
    throw new RangeError(`family ioasid has no operation "${operation.op}"; it has ${OPERATIONS.join(', ')}`);
  const known: Record<string, number | string> = { op };
  for (const argument of TAKES[op]) {
    const [least, most] = ARGUMENTS[argument];
    const value = operation[argument];
    if (!isWithin(value, least, most))
      throw new RangeError(
        `operation ${op}: "${argument}" must be ${least}${most === least + 1 ? ' or' : ' to'} ${most}`,
      );
    known[argument] = value;
  }
  return known as unknown as IoasidOperation;
}

/** Every operation with every argument. */
export function everyOperation(): IoasidOperation[] {
  return OPERATIONS.flatMap((op) =>
    TAKES[op].reduce<Record<string, number | string>[]>(
      (so, argument) => {
        const [least, most] = ARGUMENTS[argument];
        const values = Array.from({ length: most - least + 1 }, (_, at) => least + at);
        return so.flatMap((one) => values.map((value) => ({ ...one, [argument]: value })));
      },
      [{ op }],
    ),
  ) as unknown as IoasidOperation[];
}

/** Which field of a machine an operation needs. */
const NEEDS: Readonly<Partial<Record<IoasidOperation['op'], 'faults' | 'sets' | 'chains' | 'custom' | 'hotplug'>>> = {
  failNth: 'faults',
  adjust: 'sets',
  freeAll: 'sets',
  attachSpid: 'sets',
  findSpid: 'sets',
  register: 'chains',
  unregister: 'chains',
  registerAllocator: 'custom',
  unregisterAllocator: 'custom',
  remove: 'hotplug',
  probe: 'hotplug',
};

/** Whether a machine has an operation. */
export function applies(operation: IoasidOperation, configuration: IoasidConfiguration): boolean {
  const need = NEEDS[operation.op];
  if (need !== undefined && !configuration[need]) return false;
  if (operation.op === 'exit' && !freesAnywhere(configuration.design)) return false;
  // An owner that unbinds before it frees is no help against those who free its set.
  if (operation.op === 'freeAll' && configuration.design === 'owner') return false;
  if ('device' in operation && operation.device >= configuration.devices) return false;
  if ('quota' in operation && operation.quota > configuration.pasids) return false;
  return !('owner' in operation) || operation.owner < configuration.owners;
}

/** How a report shows an operation. */
export function describe(operation: IoasidOperation): string {
  const { op } = operation;
  if (op === 'failNth') return `fail-nth(${operation.nth})`;
  const shown = [
    ...('owner' in operation ? [`VM${operation.owner}`] : []),
    ...('device' in operation ? [`dev${operation.device}`] : []),
    ...('quota' in operation ? [`${operation.quota}`] : []),
    ...('spid' in operation ? [`${operation.spid}`] : []),
    ...('iommu' in operation ? [`IOMMU${operation.iommu}`] : []),
  ];
  return `${op}(${shown.join(', ')})`;
}

/** The same with one argument smaller: the last one first. */
export function simplify(operation: Operation): readonly Operation[] {
  const known: Operation = { ...ioasidOperation(operation) };
  return TAKES[known.op as IoasidOperation['op']].toReversed().flatMap((argument) => {
    const [least] = ARGUMENTS[argument];
    const value = known[argument] as number;
    return Array.from({ length: value - least }, (_, at) => ({ ...known, [argument]: least + at }));
  });
}
