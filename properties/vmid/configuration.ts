import fc from 'fast-check';
import type { Configuration, Operation } from '../family.ts';

/** The machine that a program runs on. */
export interface VmidConfiguration extends Configuration {
  /** Possible CPUs, 1 to 4. */
  readonly cpus: number;
  /** VMIDs for virtual machines, more than CPUs, up to 6. */
  readonly vmids: number;
  /** Virtual machines, 2 to 6. */
  readonly vms: number;
  /** Virtual CPUs of each, 1 or 2. */
  readonly vcpus: number;
  /** Pages of each, 1 or 2. */
  readonly pages: number;
  /** VMIDs of the first generation that machines have used which are gone, up to `vmids`. */
  readonly taken: number;
  /** CPUs share their TLBs: VTTBR_EL2.CnP. */
  readonly cnp: boolean;
  /** The host runs at EL2 (FEAT_VHE), and VTTBR_EL2 is written when a vCPU is loaded. */
  readonly vhe: boolean;
  /** CPUs begin walks for EL1 at EL2 too (errata 1165522, 1319367 and 1530923); not with `vhe`. */
  readonly speculativeAt: boolean;
  /** Stores that each CPU may have pending, 1 or 2; 0: every store is in memory at once. */
  readonly weak: number;
}

/**
 * What programs do. `run` is a thread of a virtual machine that comes to run on a CPU, or goes round its loop once more; an
 * `exit` leaves the guest for the host, `put` takes the thread off the CPU. Pages are taken back (`unmap`) and given
 * (`fault`) by any CPU; `pin` and `unpin` are the driver's of a device; `destroy` ends a virtual machine, and the next
 * `run` makes another in its place. Each operation but `run` ends with the CPU out of its guest.
 */
export type VmidOperation =
  | { readonly op: 'run'; readonly vm: number; readonly vcpu: number }
  | { readonly op: 'pin' | 'unpin' | 'destroy'; readonly vm: number }
  | { readonly op: 'unmap' | 'fault'; readonly vm: number; readonly page: number }
  | { readonly op: 'exit' | 'put' };

/** Every kind of operation. */
export const OPERATIONS: readonly VmidOperation['op'][] = [
  'run',
  'exit',
  'put',
  'unmap',
  'fault',
  'pin',
  'unpin',
  'destroy',
];

const VMS_MAX = 6;
const LIMITS = {
  cpus: [1, 4],
  vmids: [2, 6],
  vms: [2, VMS_MAX],
  vcpus: [1, 2],
  pages: [1, 2],
  taken: [0, 6],
  weak: [0, 2],
} as const;

/** Two CPUs, three VMIDs, all of them free. */
export const PLAIN: VmidConfiguration = {
  cpus: 2,
  vmids: 3,
  vms: 4,
  vcpus: 1,
  pages: 1,
  taken: 0,
  cnp: false,
  vhe: false,
  speculativeAt: false,
  weak: 0,
};

type Kind = 'nvhe' | 'vhe' | 'erratum';

/** Random machines. */
export const configurations: fc.Arbitrary<VmidConfiguration> = fc
  .record({
    cpus: fc.constantFrom(1, 2, 2, 2, 3),
    more: fc.constantFrom(1, 2, 2, 3),
    others: fc.constantFrom(0, 1, 1, 2),
    vcpus: fc.constantFrom(1, 2, 2),
    pages: fc.constantFrom(1, 1, 2),
    left: fc.constantFrom(0, 0, 1, 2, 3, 6),
    cnp: fc.constantFrom(false, false, true),
    kind: fc.constantFrom<Kind>('nvhe', 'nvhe', 'nvhe', 'nvhe', 'vhe', 'erratum'),
    weak: fc.constantFrom(0, 0, 1, 1, 2),
  })
  .map(({ more, left, others, kind, ...drawn }) => {
    const vmids = drawn.cpus + more;
    const features = { vhe: kind === 'vhe', speculativeAt: kind === 'erratum' };
    return { ...drawn, ...features, vmids, vms: Math.min(vmids + others, VMS_MAX), taken: Math.max(0, vmids - left) };
  });

/** Configurations with one more field as in `PLAIN`; the plainest first. */
export function plainer(configuration: Configuration): readonly Configuration[] {
  const known = vmidConfiguration(configuration);
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
export function vmidConfiguration(configuration: Configuration): VmidConfiguration {
  const wrong = problem(configuration);
  if (wrong !== undefined) throw new RangeError(`configuration of family vmid: ${wrong}`);
  return configuration as VmidConfiguration;
}

function problem(configuration: Configuration): string | undefined {
  for (const [field, value] of Object.entries(PLAIN))
    if (typeof configuration[field] !== typeof value) return `"${field}" must be a ${typeof value}`;
  for (const field of Object.keys(configuration)) if (!(field in PLAIN)) return `there is no "${field}"`;
  for (const [field, [least, most]] of Object.entries(LIMITS))
    if (!isWithin(configuration[field], least, most)) return `"${field}" is ${least} to ${most}`;
  const { cpus, vmids, taken, vhe, speculativeAt } = configuration as VmidConfiguration;
  if (vhe && speculativeAt) return '"speculativeAt" does not go with "vhe"';
  if (vmids <= cpus) return '"vmids" is more than "cpus", or a roll-over would leave none free';
  return taken > vmids ? '"taken" is at most "vmids"' : undefined;
}

/**
 * Reads an operation from a trace.
 *
 * @throws RangeError saying what is wrong with it.
 */
export function vmidOperation(operation: Operation): VmidOperation {
  const { op, vm, vcpu, page } = operation;
  const known = OPERATIONS.find((candidate) => candidate === op);
  if (known === undefined)
    throw new RangeError(`family vmid has no operation "${op}"; it has ${OPERATIONS.join(', ')}`);
  if (known === 'exit' || known === 'put') return { op: known };
  if (!isWithin(vm, 0, LIMITS.vms[1] - 1)) throw new RangeError(`operation ${op}: "vm" must be a virtual machine`);
  switch (known) {
    case 'run':
      if (!isWithin(vcpu, 0, LIMITS.vcpus[1] - 1))
        throw new RangeError(`operation ${op}: "vcpu" must be a virtual CPU`);
      return { op: known, vm, vcpu };
    case 'unmap':
    case 'fault':
      if (!isWithin(page, 0, LIMITS.pages[1] - 1)) throw new RangeError(`operation ${op}: "page" must be a page`);
      return { op: known, vm, page };
    default:
      return { op: known, vm };
  }
}

/** Name of a virtual machine in reports: A, B, … */
export function vmName(vm: number): string {
  return String.fromCharCode(65 + vm);
}

/** How a report shows an operation. */
export function describe(operation: VmidOperation): string {
  switch (operation.op) {
    case 'exit':
    case 'put':
      return operation.op;
    case 'run':
      return `run(${vmName(operation.vm)}.${operation.vcpu})`;
    case 'unmap':
    case 'fault':
      return `${operation.op}(${vmName(operation.vm)}, page ${operation.page})`;
    default:
      return `${operation.op}(${vmName(operation.vm)})`;
  }
}

/** The same for an earlier virtual machine, virtual CPU or page. */
export function simplify(operation: Operation): readonly Operation[] {
  const known = vmidOperation(operation);
  if (!('vm' in known)) return [];
  const earlier = Array.from({ length: known.vm }, (_, vm) => ({ ...known, vm }));
  const page = 'page' in known && known.page > 0 ? [{ ...known, page: 0 }] : [];
  const vcpu = 'vcpu' in known && known.vcpu > 0 ? [{ ...known, vcpu: 0 }] : [];
  return [...page, ...vcpu, ...earlier];
}

function isWithin(value: unknown, least: number, most: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most;
}
