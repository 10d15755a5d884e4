import fc from 'fast-check';
import { SMALL_CONFIG } from '../../impl/kernel/index.ts';
import type { BtmConfig } from '../../impl/kernel/btm/index.ts';
import type { Configuration } from '../family.ts';
import { PAGES } from './pages.ts';

/** Whether broadcasts of CPUs reach the SMMU: they must; they need not (CR2.PTM = 1); it cannot hear them (IDR0.BTM = 0). */
export type Broadcast = 'on' | 'ignored' | 'absent';

/** The machine that a program of shared processes runs on, and what is there when it begins. */
export interface SvaConfiguration extends Configuration {
  /** CPUs, 1 to 3. */
  readonly cpus: number;
  /** ASIDs of the CPUs (pairs, with KPTI), at least two more than CPUs: then a process can be pinned. */
  readonly asids: number;
  /** Of these, how many processes have used that are gone: with all of them, the first switch is a roll-over. */
  readonly taken: number;
  /** Processes, 1 to 5; each has its first page mapped. */
  readonly processes: number;
  /** Devices, 1 or 2. */
  readonly masters: number;
  readonly broadcast: Broadcast;
  /** A process has two ASIDs, one for the kernel's time. */
  readonly kpti: boolean;
  /** CPUs share their TLBs. */
  readonly cnp: boolean;
  /** Devices use ATS for what they access of processes. */
  readonly ats: boolean;
  /** The CPUs have 16-bit ASIDs and the SMMU has 8-bit ones. */
  readonly narrow: boolean;
  /** The second page of each process is mapped as well. */
  readonly both: boolean;
  /** A private domain with a mapped page is attached to every device; without one, processes cannot be bound. */
  readonly domain: boolean;
  /** Process 0 runs on CPU0 when the program begins. */
  readonly running: boolean;
  /** Process 0 is bound to device 0. */
  readonly bound: boolean;
  /** Stores that each CPU may have pending, 0 to 2; 0: every store is in memory at once. */
  readonly weak: number;
}

const BROADCASTS: readonly Broadcast[] = ['on', 'ignored', 'absent'];
const LIMITS = {
  cpus: [1, 3],
  asids: [3, 6],
  taken: [0, 6],
  processes: [1, 5],
  masters: [1, 2],
  weak: [0, 2],
} as const;

/** Two CPUs, five ASIDs, a private domain on one device, broadcasts that reach the SMMU. */
export const PLAIN: SvaConfiguration = {
  cpus: 2,
  asids: 4,
  taken: 0,
  processes: 2,
  masters: 1,
  broadcast: 'on',
  kpti: false,
  cnp: false,
  ats: false,
  narrow: false,
  both: false,
  domain: true,
  running: false,
  bound: false,
  weak: 0,
};

/** Random machines, mostly such that broadcasts count. */
export const configurations: fc.Arbitrary<SvaConfiguration> = fc
  .record({
    cpus: fc.constantFrom(1, 1, 2, 2, 2, 3),
    more: fc.constantFrom(2, 2, 3),
    unused: fc.constantFrom(0, 0, 1, 2, 6),
    // Half of the machines have more processes than ASIDs, if that many can be: all of them run, and a generation has ended.
    processes: fc.constantFrom(1, 2, 3, 4, 0, 0, 0, 0),
    masters: fc.constantFrom(1, 1, 2),
    broadcast: fc.constantFrom<Broadcast>('on', 'on', 'on', 'ignored', 'absent'),
    kpti: fc.constantFrom(false, false, true),
    cnp: fc.constantFrom(false, false, false, true),
    ats: fc.constantFrom(false, false, true),
    narrow: fc.constantFrom(false, false, false, false, false, true),
    both: fc.boolean(),
    domain: fc.constantFrom(true, true, true, false),
    running: fc.boolean(),
    bound: fc.boolean(),
    weak: fc.constantFrom(0, 0, 0, 1, 2),
  })
  .map(({ more, unused, ...drawn }) => {
    const asids = drawn.cpus + more;
    const processes = drawn.processes === 0 ? Math.min(asids + 1, LIMITS.processes[1]) : drawn.processes;
    const domain = drawn.domain || drawn.bound;
    const bound = drawn.bound && !drawn.narrow;
    return { ...drawn, processes, domain, bound, asids, taken: Math.max(0, asids - unused) };
  });

/** Configurations with one more field as in `PLAIN`; the plainest first. */
export function plainer(configuration: Configuration): readonly Configuration[] {
  const known = svaConfiguration(configuration);
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
export function svaConfiguration(configuration: Configuration): SvaConfiguration {
  const wrong = problem(configuration);
  if (wrong !== undefined) throw new RangeError(`configuration of family sva: ${wrong}`);
  return configuration as SvaConfiguration;
}

function problem(configuration: Configuration): string | undefined {
  for (const [field, value] of Object.entries(PLAIN))
    if (typeof configuration[field] !== typeof value) return `"${field}" must be a ${typeof value}`;
  for (const field of Object.keys(configuration)) if (!(field in PLAIN)) return `there is no "${field}"`;
  for (const [field, [least, most]] of Object.entries(LIMITS)) {
    const value = configuration[field];
    if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most)
      return `"${field}" is ${least} to ${most}`;
  }
  const known = configuration as SvaConfiguration;
  if (!BROADCASTS.includes(known.broadcast)) return `"broadcast" is one of ${BROADCASTS.join(', ')}`;
  if (known.asids < known.cpus + 2) return '"asids" is at least two more than "cpus", or none can be pinned';
  if (known.taken > known.asids) return '"taken" is at most "asids"';
  if (known.bound && !known.domain) return '"bound" needs "domain"';
  return known.bound && known.narrow ? '"bound" does not go with "narrow"' : undefined;
}

/**
 * ASIDs that a narrow SMMU has no room for begin here: an ASID of 8 bits is one of `NARROW_BITS` in these small worlds, and
 * those of 16 bits have one more.
 */
export const NARROW_BITS = 3;

/** Highest ASID that the SMMU driver gives to private domains. */
const XA_MAX = (1 << NARROW_BITS) - 1;

/** The kernel's configuration of a world. */
export function kernelConfig(configuration: SvaConfiguration): BtmConfig {
  const { cpus, asids, taken, processes, masters, broadcast, kpti, cnp, ats, narrow } = configuration;
  const more = narrow ? 1 << NARROW_BITS : 0;
  return {
    ...SMALL_CONFIG,
    domains: 1,
    processes: Array.from({ length: processes }, () => 0),
    streams: SMALL_CONFIG.streams.slice(0, masters),
    substreamBits: 3,
    asidMax: XA_MAX,
    pages: PAGES,
    iovas: [],
    btm: broadcast !== 'ignored',
    cpus,
    cpuAsids: asids + more,
    taken: taken + more,
    cnp,
    kpti,
    ats,
    cpuAsid16: narrow,
    memory: { ...SMALL_CONFIG.memory, frames: 40 },
  };
}
