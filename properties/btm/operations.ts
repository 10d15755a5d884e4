import type { Operation } from '../family.ts';
import { optionsOf, readOperation, simplifyBy, type Bounds } from '../flat-operations.ts';
import { vmName } from '../vmid/configuration.ts';
import { frameIndex } from './memory-map.ts';

/**
 * What programs of the family do. Virtual machine 0 is the guest with the nested devices; 1 has a stage 2 of its own for
 * devices; 2 has none. Places are those of `impl/kernel/vbtm/`: 0 the guest's stage 2, 1 the other machine's, 2 private,
 * 3 a second one of the guest.
 */
export type BtmOperation =
  /** The CPU runs a virtual CPU of the machine from now on. */
  | { readonly op: 'run'; readonly machine: number }
  /** What the CPU runs is scheduled out. */
  | { readonly op: 'put' }
  /** Machines that come, run once, and go, one after the other: each uses a VMID up. */
  | { readonly op: 'churn'; readonly times: number }
  /** KVM's stage 2: a fault maps the page, an MMU notifier unmaps it. */
  | { readonly op: 'kvmMap'; readonly machine: number }
  | { readonly op: 'kvmUnmap'; readonly machine: number }
  /** The machine's files are closed. */
  | { readonly op: 'vmDestroy'; readonly machine: number }
  /** The SMMU's stage 2 domains. */
  | { readonly op: 'map'; readonly place: number; readonly page: number; readonly frame: number }
  | { readonly op: 'unmap'; readonly place: number; readonly page: number }
  | { readonly op: 'attach'; readonly place: number; readonly device: number }
  | { readonly op: 'detach'; readonly device: number }
  | { readonly op: 'domainAlloc'; readonly place: number }
  | { readonly op: 'domainFree'; readonly place: number }
  /** A private domain that comes and goes. */
  | { readonly op: 'vmidPressure' }
  /** The guest, on a virtual CPU on this CPU. */
  | { readonly op: 'guestMap'; readonly ipa: number }
  | { readonly op: 'guestUnmap' }
  | { readonly op: 'guestUnmapTable' }
  | { readonly op: 'guestNest'; readonly device: number }
  | { readonly op: 'guestFlush' };

const MACHINES = [0, 2] as const;
const TWO = [0, 1] as const;
const PLACES = [0, 3] as const;
const COMING = [1, 3] as const;

/** Arguments of each kind of operation with their least and greatest values. */
export const ARGUMENTS: Bounds<BtmOperation['op']> = {
  run: { machine: MACHINES },
  put: {},
  churn: { times: [1, 3] },
  kvmMap: { machine: MACHINES },
  kvmUnmap: { machine: MACHINES },
  vmDestroy: { machine: [1, 2] },
  map: { place: PLACES, page: TWO, frame: [0, 1] },
  unmap: { place: PLACES, page: TWO },
  attach: { place: PLACES, device: TWO },
  detach: { device: TWO },
  domainAlloc: { place: COMING },
  domainFree: { place: COMING },
  vmidPressure: {},
  guestMap: { ipa: TWO },
  guestUnmap: {},
  guestUnmapTable: {},
  guestNest: { device: TWO },
  guestFlush: {},
};

/** How a report shows an operation: "unmap(domain1, 0x2000)". */
export function describe(operation: BtmOperation): string {
  const known = operation;
  const machine = (of: { readonly machine: number }): string => vmName(of.machine);
  switch (known.op) {
    case 'run':
      return `run(${machine(known)})`;
    case 'put':
      return 'put';
    case 'churn':
      return known.times === 1 ? 'run a VM that goes' : `run ${known.times} VMs that go`;
    case 'kvmMap':
      return `KVM: map(${machine(known)}, 0x1000)`;
    case 'kvmUnmap':
      return `KVM: unmap(${machine(known)}, 0x1000)`;
    case 'vmDestroy':
      return `destroy(${machine(known)})`;
    case 'map':
      return `map(domain${known.place}, ${hex(known.page)} → G${frameIndex(known.place, known.frame)})`;
    case 'unmap':
      return `unmap(domain${known.place}, ${hex(known.page)})`;
    case 'attach':
      return `attach(domain${known.place}, dev${known.device})`;
    case 'detach':
      return `detach(dev${known.device})`;
    case 'domainAlloc':
    case 'domainFree':
      return `${known.op === 'domainAlloc' ? 'domain_alloc' : 'domain_free'}(domain${known.place})`;
    case 'vmidPressure':
      return 'domain_alloc + domain_free';
    default:
      return describeGuest(known);
  }
}

function describeGuest(
  operation: BtmOperation & { readonly op: 'guestMap' | 'guestUnmap' | 'guestUnmapTable' | 'guestNest' | 'guestFlush' },
): string {
  switch (operation.op) {
    case 'guestMap':
      return `guest: map(0x8000 → ${hex(operation.ipa)})`;
    case 'guestUnmap':
      return 'guest: unmap(0x8000)';
    case 'guestUnmapTable':
      return 'guest: unmap(0x0+2MiB)';
    case 'guestNest':
      return `guest: STE(vdev${operation.device}) := stage 1`;
    case 'guestFlush':
      return 'guest: invalidate everything';
  }
}

/** The same operation with one argument smaller; the simplest first. */
export function simplify(operation: Operation): readonly Operation[] {
  return simplifyBy(ARGUMENTS, operation);
}

/**
 * Reads an operation from a trace.
 *
 * @throws RangeError saying what is wrong with it.
 */
export function btmOperation(operation: Operation): BtmOperation {
  return readOperation('btm', ARGUMENTS, operation);
}

/** Every operation with any arguments. */
export const OPTIONS: readonly BtmOperation[] = optionsOf(ARGUMENTS);

function hex(page: number): string {
  return `0x${(page + 1).toString(16)}000`;
}
