import fc from 'fast-check';
import type { Configuration, Operation } from '../family.ts';

/** The machine that a program runs on. */
export interface RolloverConfiguration extends Configuration {
  /** Possible CPUs, 1 to 4. */
  readonly cpus: number;
  /** ASIDs for processes, more than CPUs, up to 5. */
  readonly asids: number;
  /** Processes, 2 to 6. */
  readonly mms: number;
  /** Pages of each process, 1 or 2. */
  readonly pages: number;
  /** ASIDs of the first generation that processes have used which are gone, up to `asids`. */
  readonly taken: number;
  /** CPUs share their TLBs. */
  readonly cnp: boolean;
  /** Kernel page-table isolation: ASIDs in pairs. */
  readonly kpti: boolean;
  /** Levels of the page tables, 1 or 2. */
  readonly levels: number;
  /** Stores that each CPU may have pending, 1 or 2; 0: every store is in memory at once. */
  readonly weak: number;
}

/**
 * What programs do. `switch`, `idle` and `lazy` are the scheduler of the CPU: to a thread of a process, to `init_mm`, to a
 * kernel thread that borrows what is loaded. Pages are mapped and unmapped by any CPU (reclaim does), `munmap` unmaps all
 * that a process has. `pin` and `unpin` are the driver's of a device. What the CPU runs is the parent in `fork`, is followed
 * by another process in `exec`, and ends in `exit`.
 */
export type RolloverOperation =
  | { readonly op: 'switch' | 'pin' | 'unpin' | 'fork' | 'exec' | 'munmap'; readonly mm: number }
  | { readonly op: 'unmap' | 'map'; readonly mm: number; readonly page: number }
  | { readonly op: 'idle' | 'lazy' | 'exit' };

/** Every kind of operation. */
export const OPERATIONS: readonly RolloverOperation['op'][] = [
  'switch',
  'idle',
  'unmap',
  'map',
  'pin',
  'unpin',
  'fork',
  'exec',
  'munmap',
  'lazy',
  'exit',
];

/** Operations of a CPU on what it runs. */
const OF_THE_CPU: readonly string[] = ['idle', 'lazy', 'exit'];

function isOfTheCpu(op: RolloverOperation['op']): op is 'idle' | 'lazy' | 'exit' {
  return OF_THE_CPU.includes(op);
}

const LIMITS = {
  cpus: [1, 4],
  asids: [2, 5],
  mms: [2, 6],
  pages: [1, 2],
  levels: [1, 2],
  taken: [0, 5],
  weak: [0, 2],
} as const;

/** Two CPUs, three ASIDs, all of them free. */
export const PLAIN: RolloverConfiguration = {
  cpus: 2,
  asids: 3,
  mms: 4,
  pages: 1,
  taken: 0,
  cnp: false,
  kpti: false,
  levels: 1,
  weak: 0,
};

/** Fields that a trace from before they came may lack; then they are as in `PLAIN`. */
const LATER: readonly string[] = ['kpti', 'levels'];

/** Random machines. */
export const configurations: fc.Arbitrary<RolloverConfiguration> = fc
  .record({
    cpus: fc.constantFrom(1, 2, 2, 2, 3),
    more: fc.constantFrom(1, 1, 2, 2, 3),
    mms: fc.integer({ min: 3, max: 6 }),
    pages: fc.constantFrom(1, 1, 2),
    taken: fc.nat({ max: 5 }),
    cnp: fc.constantFrom(false, false, true),
    kpti: fc.constantFrom(false, false, true),
    levels: fc.constantFrom(1, 1, 2),
    weak: fc.constantFrom(0, 0, 1, 2),
  })
  .map(({ more, ...drawn }) => {
    const asids = Math.min(drawn.cpus + more, LIMITS.asids[1]);
    return { ...drawn, asids, taken: Math.min(drawn.taken, asids) };
  });

/** Configurations with one more field as in `PLAIN`; the plainest first. */
export function plainer(configuration: Configuration): readonly Configuration[] {
  const known = rolloverConfiguration(configuration);
  const smaller = known.weak > 1 ? [{ ...known, weak: known.weak - 1 }] : [];
  const others = Object.entries(PLAIN)
    .filter(([field, value]) => known[field] !== value)
    .map(([field, value]) => ({ ...known, [field]: value }));
  return [...others, ...smaller].filter((candidate) => problem(candidate) === undefined);
}

/**
 * Reads a configuration from a trace.
 *
 * @throws RangeError saying what is wrong with it.
 */
export function rolloverConfiguration(configuration: Configuration): RolloverConfiguration {
  const wrong = problem(configuration);
  if (wrong !== undefined) throw new RangeError(`configuration of family rollover: ${wrong}`);
  return { ...PLAIN, ...configuration };
}

function problem(configuration: Configuration): string | undefined {
  for (const [field, value] of Object.entries(PLAIN))
    if (typeof configuration[field] !== typeof value && !isLeftOut(configuration, field))
      return `"${field}" must be a ${typeof value}`;
  for (const field of Object.keys(configuration)) if (!(field in PLAIN)) return `there is no "${field}"`;
  for (const [field, [least, most]] of Object.entries(LIMITS))
    if (!isLeftOut(configuration, field) && !isWithin(configuration[field], least, most))
      return `"${field}" is ${least} to ${most}`;
  const { cpus, asids, taken } = configuration as RolloverConfiguration;
  if (asids <= cpus) return '"asids" is more than "cpus", or a roll-over would leave none free';
  return taken > asids ? '"taken" is at most "asids"' : undefined;
}

function isLeftOut(configuration: Configuration, field: string): boolean {
  return configuration[field] === undefined && LATER.includes(field);
}

/**
 * Reads an operation from a trace.
 *
 * @throws RangeError saying what is wrong with it.
 */
export function rolloverOperation(operation: Operation): RolloverOperation {
  const { op, mm, page } = operation;
  const known = OPERATIONS.find((candidate) => candidate === op);
  if (known === undefined)
    throw new RangeError(`family rollover has no operation "${op}"; it has ${OPERATIONS.join(', ')}`);
  if (isOfTheCpu(known)) return { op: known };
  if (!isWithin(mm, 0, LIMITS.mms[1] - 1)) throw new RangeError(`operation ${op}: "mm" must be a process`);
  if (known !== 'unmap' && known !== 'map') return { op: known, mm };
  if (!isWithin(page, 0, LIMITS.pages[1] - 1)) throw new RangeError(`operation ${op}: "page" must be a page`);
  return { op: known, mm, page };
}

/** Name of a process in reports: A, B, … */
export function mmName(mm: number): string {
  return String.fromCharCode(65 + mm);
}

/** How a report shows an operation. */
export function describe(operation: RolloverOperation): string {
  switch (operation.op) {
    case 'idle':
    case 'lazy':
    case 'exit':
      return operation.op;
    case 'unmap':
    case 'map':
      return `${operation.op}(${mmName(operation.mm)}, page ${operation.page})`;
    default:
      return `${operation.op}(${mmName(operation.mm)})`;
  }
}

/** The same for an earlier process or page. */
export function simplify(operation: Operation): readonly Operation[] {
  const known = rolloverOperation(operation);
  if (!('mm' in known)) return [];
  const earlier = Array.from({ length: known.mm }, (_, mm) => ({ ...known, mm }));
  const first = 'page' in known && known.page > 0 ? [{ ...known, page: 0 }] : [];
  return [...first, ...earlier];
}

function isWithin(value: unknown, least: number, most: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most;
}
