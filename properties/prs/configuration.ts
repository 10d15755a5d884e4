import fc from 'fast-check';
import type { Configuration, Operation } from '../family.ts';

/** The machine that a program runs on. */
export interface PrsConfiguration extends Configuration {
  /** Devices, 1 or 2, behind one IOMMU. */
  readonly devices: number;
  /** PASIDs of each device, 1 or 2. */
  readonly pasids: number;
  /** Places of the page request queue, 2 to 5, of which one stays empty. */
  readonly entries: number;
  /** Messages take time to reach the IOMMU. */
  readonly wire: boolean;
  /** PASID 1 of this many devices is attached at first: that of dev0 to mm0, that of dev1 to mm1. */
  readonly attached: number;
  /** User space looks after page requests (iommufd); else the kernel does (SVA). */
  readonly user: boolean;
  /** An SMMU that stalls what it cannot translate; else devices have a page request interface. */
  readonly stall: boolean;
  /** What looks after requests can end: processes exit; the fault object's file is closed. */
  readonly life: boolean;
  /** The domain of space 1 has no handler of page faults (where spaces are not processes). */
  readonly pinned: boolean;
}

/** Address spaces. */
export const SPACES = 2;
/** Group indices that a device uses, 0 and 1. */
export const GROUPS = 2;
/** Requests, and attachments, that a run can have. */
export const REQUESTS = 6;
export const ATTACHMENTS = 12;

/**
 * What programs do: attach, detach, and replace by another space, take a device away; and jobs of devices, each followed by the CPU that submits it.
 * `fault` asks for one or two pages and waits for the response; `send` sends a single message and goes on; `again` sends a last request by an index that is outstanding, which no device
 * should; `stop` sends a Stop Marker. Where transactions stall each of these but the last is one that does; `fault` waits until it is resumed. Where user space looks after requests a VMM always does; `read` reads what cannot be handed over (`copy_to_user()`
 * fails), and `write` answers by a cookie that may be anybody's. `bind`, `unbind` and `exit` are
 * what processes do, in whose place there is else `attach` and so on: their files are released before or after they exit. `close`
 * closes the file of the fault object. `failNth` has the n-th allocation from now on fail: of the
 * interrupt's thread, or of the CPU itself.
 */
export type PrsOperation =
  | { readonly op: 'attach'; readonly device: number; readonly pasid: number; readonly space: number }
  | { readonly op: 'replace'; readonly device: number; readonly pasid: number; readonly space: number }
  | { readonly op: 'detach'; readonly device: number; readonly pasid: number }
  | { readonly op: 'release'; readonly device: number }
  | {
      readonly op: 'fault';
      readonly device: number;
      readonly pasid: number;
      readonly group: number;
      readonly pages: number;
    }
  | {
      readonly op: 'send';
      readonly device: number;
      readonly pasid: number;
      readonly group: number;
      readonly last: boolean;
    }
  | { readonly op: 'again'; readonly device: number; readonly pasid: number; readonly group: number }
  | { readonly op: 'stop'; readonly device: number; readonly pasid: number }
  | { readonly op: 'failNth'; readonly nth: number; readonly irq: boolean }
  | { readonly op: 'bind' | 'unbind'; readonly device: number; readonly process: number }
  | { readonly op: 'exit'; readonly process: number }
  | { readonly op: 'read' | 'close' }
  | { readonly op: 'write'; readonly cookie: number };

/** An operation of some kinds. */
export type Of<Op extends PrsOperation['op']> = Extract<PrsOperation, { readonly op: Op }>;

/** Every kind of operation. */
export const OPERATIONS: readonly PrsOperation['op'][] = [
  'attach',
  'detach',
  'release',
  'fault',
  'send',
  'stop',
  'read',
  'write',
  'failNth',
  'replace',
  'bind',
  'unbind',
  'exit',
  'close',
  'again',
];

/** Fields that old traces do not have. */
const LATER = ['life', 'pinned'];

const LIMITS = { devices: [1, 2], pasids: [1, 2], entries: [2, 5], attached: [0, 2] } as const;
const ARGUMENTS: Readonly<Record<PrsOperation['op'], Readonly<Record<string, readonly [number, number] | 'boolean'>>>> =
  {
    attach: { device: [0, 1], pasid: [1, 2], space: [0, SPACES - 1] },
    replace: { device: [0, 1], pasid: [1, 2], space: [0, SPACES - 1] },
    detach: { device: [0, 1], pasid: [1, 2] },
    release: { device: [0, 1] },
    fault: { device: [0, 1], pasid: [1, 2], group: [0, GROUPS - 1], pages: [1, 2] },
    send: { device: [0, 1], pasid: [1, 2], group: [0, GROUPS - 1], last: 'boolean' },
    again: { device: [0, 1], pasid: [1, 2], group: [0, GROUPS - 1] },
    stop: { device: [0, 1], pasid: [1, 2] },
    failNth: { nth: [1, 2], irq: 'boolean' },
    bind: { device: [0, 1], process: [0, SPACES - 1] },
    unbind: { device: [0, 1], process: [0, SPACES - 1] },
    exit: { process: [0, SPACES - 1] },
    read: {},
    close: {},
    write: { cookie: [0, 1] },
  };

/** One device, attached by its one PASID; messages arrive at once. */
export const PLAIN: PrsConfiguration = {
  devices: 1,
  pasids: 1,
  entries: 4,
  wire: false,
  attached: 1,
  user: false,
  stall: false,
  life: false,
  pinned: false,
};

/** Random machines. */
export const configurations: fc.Arbitrary<PrsConfiguration> = fc
  .record({
    devices: fc.constantFrom(1, 1, 2),
    pasids: fc.constantFrom(1, 2),
    entries: fc.constantFrom(2, 3, 4, 4),
    wire: fc.constantFrom(false, false, true),
    attached: fc.constantFrom(0, 1, 1, 2),
    user: fc.constantFrom(false, false, true),
    stall: fc.constantFrom(false, false, true),
    life: fc.constantFrom(false, false, true),
    pinned: fc.constantFrom(false, false, false, true),
  })
  .map((drawn) => ({ ...drawn, attached: Math.min(drawn.attached, drawn.devices) }));

/** Configurations with one more field as in `PLAIN`; the plainest first. */
export function plainer(configuration: Configuration): readonly Configuration[] {
  const known = prsConfiguration(configuration);
  return Object.entries(PLAIN)
    .filter(([field, value]) => known[field] !== value)
    .map(([field, value]) => ({ ...known, [field]: value }))
    .filter((candidate) => problem(candidate) === undefined);
}

/**
 * Reads a configuration from a trace.
 *
 * @throws RangeError saying what is wrong with it.
 */
export function prsConfiguration(configuration: Configuration): PrsConfiguration {
  const wrong = problem(configuration);
  if (wrong !== undefined) throw new RangeError(`configuration of family prs: ${wrong}`);
  return { ...PLAIN, ...configuration } as PrsConfiguration;
}

function problem(configuration: Configuration): string | undefined {
  for (const [field, value] of Object.entries(PLAIN))
    if (typeof configuration[field] !== typeof value && !(LATER.includes(field) && configuration[field] === undefined))
      return `"${field}" must be a ${typeof value}`;
  for (const field of Object.keys(configuration)) if (!(field in PLAIN)) return `there is no "${field}"`;
  for (const [field, [least, most]] of Object.entries(LIMITS))
    if (!isWithin(configuration[field], least, most)) return `"${field}" is ${least} to ${most}`;
  const { attached, devices } = configuration as PrsConfiguration;
  return attached > devices ? '"attached" is at most "devices"' : undefined;
}

/**
 * Reads an operation from a trace.
 *
 * @throws RangeError saying what is wrong with it.
 */
export function prsOperation(operation: Operation): PrsOperation {
  const op = OPERATIONS.find((candidate) => candidate === operation.op);
  if (op === undefined)
    throw new RangeError(`family prs has no operation "${operation.op}"; it has ${OPERATIONS.join(', ')}`);
  const known: Record<string, unknown> = { op };
  for (const [name, limits] of Object.entries(ARGUMENTS[op])) {
    const value = operation[name];
    const fits = limits === 'boolean' ? typeof value === 'boolean' : isWithin(value, limits[0], limits[1]);
    if (!fits)
      throw new RangeError(
        `operation ${op}: "${name}" must be ${limits === 'boolean' ? 'true or false' : `${limits[0]} to ${limits[1]}`}`,
      );
    known[name] = value;
  }
  return known as unknown as PrsOperation;
}

/** Devices share processes, which exit. */
export function hasProcesses({ user, life }: PrsConfiguration): boolean {
  return life && !user;
}

/** The space whose domain has no handler, -1 for none. */
export function pinnedSpace(configuration: PrsConfiguration): number {
  return configuration.pinned && !hasProcesses(configuration) ? 1 : -1;
}

/** Whether an operation means anything on a machine. */
export function applies(op: PrsOperation['op'], configuration: PrsConfiguration): boolean {
  const { user, life } = configuration;
  const processes = hasProcesses(configuration);
  switch (op) {
    case 'attach':
    case 'replace':
    case 'detach':
      return !processes;
    case 'bind':
    case 'unbind':
    case 'exit':
      return processes;
    case 'read':
    case 'write':
      return user;
    case 'close':
      return user && life;
    case 'again':
      return !configuration.stall;
    default:
      return true;
  }
}

/** How a report shows an operation. */
export function describe(operation: PrsOperation): string {
  switch (operation.op) {
    case 'attach':
    case 'replace':
      return `${operation.op}(dev${operation.device}, PASID ${operation.pasid}, mm${operation.space})`;
    case 'detach':
      return `detach(dev${operation.device}, PASID ${operation.pasid})`;
    case 'release':
      return `release(dev${operation.device})`;
    case 'fault':
      return `fault(dev${operation.device}, PASID ${operation.pasid}, PRG ${operation.group}, ${operation.pages} page${operation.pages > 1 ? 's' : ''})`;
    case 'send':
      return `send(dev${operation.device}, PASID ${operation.pasid}, PRG ${operation.group}${operation.last ? ', last' : ''})`;
    case 'stop':
      return `stop(dev${operation.device}, PASID ${operation.pasid})`;
    case 'bind':
    case 'unbind':
      return `${operation.op}(dev${operation.device}, process${operation.process})`;
    case 'exit':
      return `exit(process${operation.process})`;
    case 'failNth':
      return `fail-nth(${operation.irq ? 'irq, ' : ''}${operation.nth})`;
    case 'read':
      return 'read(), copy_to_user fails';
    case 'again':
      return `again(dev${operation.device}, PASID ${operation.pasid}, PRG ${operation.group})`;
    case 'close':
      return 'close()';
    case 'write':
      return `write(cookie ${operation.cookie})`;
  }
}

/** The same with one argument as small as it can be. */
export function simplify(operation: Operation): readonly Operation[] {
  const known = prsOperation(operation);
  return Object.entries(ARGUMENTS[known.op]).flatMap(([name, limits]): Operation[] => {
    if (limits === 'boolean' || operation[name] === limits[0]) return [];
    return [{ ...known, [name]: limits[0] }];
  });
}

function isWithin(value: unknown, least: number, most: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most;
}
