import fc from 'fast-check';
import { SMALL_CONFIG, type KernelConfig } from '../../impl/kernel/index.ts';
import type { Configuration } from '../family.ts';

/** The world that an `asid` program starts in: two domains, of which domain0 has the ASID that process mm0 will want. */
export interface AsidConfiguration extends Configuration {
  /** Devices attached to domain0 at the start, 0 to 2. */
  readonly masters: number;
  /** Pages mapped in domain0 at the start, 0 to 2. */
  readonly mapped: number;
  /** The first 2 MiB of domain0 are mapped by one block at the start; then `mapped` is 0. */
  readonly block: boolean;
  /** Processes, 1 or 2; mm0 has one page mapped. */
  readonly processes: number;
  /** mm0 is bound to dev0 at the start (which moves domain0 to another ASID); needs a master. */
  readonly bound: boolean;
  /** The SMMU has range invalidation and the driver uses it. */
  readonly ril: boolean;
  /** A device with no domain bypasses the SMMU; else it is refused. */
  readonly bypass: boolean;
  /** The DMA API with its flush queue is part of the world; buffer 0 is mapped at the start. */
  readonly lazy: boolean;
  /** Stores that each CPU may have pending, 1 to 3; 0 or absent: every store is in memory at once. */
  readonly weak?: number;
  /** Programs may make allocations fail. Absent: they may not. */
  readonly faults?: boolean;
  /** How a domain makes room for a process: see `designs.ts`. Absent: `both`. Not drawn at random. */
  readonly reassign?: string;
}

/** The plain world: one device on domain0, one page mapped. */
export const PLAIN: AsidConfiguration = {
  masters: 1,
  mapped: 1,
  block: false,
  processes: 1,
  bound: false,
  ril: true,
  bypass: false,
  lazy: false,
};

/** Configurations, weighted towards those in which something can go wrong. */
export const configurations: fc.Arbitrary<AsidConfiguration> = fc
  .record({
    masters: fc.constantFrom(1, 1, 2, 2, 0),
    mapped: fc.constantFrom(1, 2, 0),
    block: fc.constantFrom(false, false, true),
    processes: fc.constantFrom(1, 1, 2),
    bound: fc.constantFrom(false, false, true),
    ril: fc.boolean(),
    bypass: fc.constantFrom(false, true),
    lazy: fc.constantFrom(false, true),
    // One world in four: late stores make programs longer, and most mistakes need none.
    weak: fc.constantFrom(0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 2),
    faults: fc.constantFrom(false, false, true),
  })
  .map(({ weak, faults, ...drawn }) => ({
    ...drawn,
    ...(weak > 0 ? { weak } : {}),
    ...(faults ? { faults } : {}),
    mapped: drawn.block ? 0 : drawn.mapped,
    bound: drawn.bound && drawn.masters > 0,
  }));

/** Fields that a configuration may have beyond those of `PLAIN`, with the value that stands for their absence. */
const OPTIONS = { weak: 0, faults: false, reassign: 'both' } as const;

/** The configurations that have one more field as in `PLAIN`; first those without an option. */
export function plainer(configuration: Configuration): readonly Configuration[] {
  const without = Object.keys(OPTIONS)
    .filter((option) => option in configuration)
    .map((option) => Object.fromEntries(Object.entries(configuration).filter(([field]) => field !== option)));
  const { weak } = configuration;
  const smaller = typeof weak === 'number' && weak > 1 ? [{ ...configuration, weak: weak - 1 }] : [];
  const others = Object.entries(PLAIN)
    .filter(([field, value]) => configuration[field] !== value)
    .map(([field, value]) => ({ ...configuration, [field]: value }))
    .filter(
      ({ block, mapped, bound, masters }) => !(block === true && mapped !== 0) && !(bound === true && masters === 0),
    );
  return [...without, ...smaller, ...others];
}

/** Most pending stores of a CPU: three CPUs, two devices and the daemons of so many are not too many agents. */
const WEAK_MAX = 3;

/** IOVA of each page that programs may name by index. All are in the first 2 MiB. */
export const PAGES = [0x1000, 0x2000] as const;
/** Addresses of the DMA API. */
const IOVAS = [0x40_0000, 0x40_1000] as const;
/** Pages of memory that mappings may point to ("G0" …). Blocks start at a multiple of 2 MiB further up. */
export const FRAMES = 4;
const FRAME_BASE = 0x5000_0000;
const BLOCK_FRAME_BASE = 0x5020_0000;
const BLOCK_FRAME_BYTES = 0x20_0000;

/** Physical address of frame `index`. */
export function framePa(index: number): number {
  return FRAME_BASE + index * 0x1000;
}

/** Physical address of the 2 MiB frame `index`. */
export function blockFramePa(index: number): number {
  return BLOCK_FRAME_BASE + index * BLOCK_FRAME_BYTES;
}

/** "G1", or "block 0 + 0x1000", for a physical address. */
export function frameName(pa: number): string {
  if (pa >= BLOCK_FRAME_BASE && pa < BLOCK_FRAME_BASE + FRAMES * BLOCK_FRAME_BYTES) {
    const offset = (pa - BLOCK_FRAME_BASE) % BLOCK_FRAME_BYTES;
    return `B${Math.floor((pa - BLOCK_FRAME_BASE) / BLOCK_FRAME_BYTES)}+0x${offset.toString(16)}`;
  }
  const index = (pa - FRAME_BASE) / 0x1000;
  return index >= 0 && index < FRAMES ? `G${index}` : `0x${pa.toString(16)}`;
}

/** The kernel's configuration of a world. */
export function kernelConfig(configuration: AsidConfiguration): KernelConfig {
  return {
    ...SMALL_CONFIG,
    domains: 2,
    processes: configuration.processes === 2 ? [1, 2] : [1],
    pages: PAGES,
    iovas: configuration.lazy ? IOVAS : [],
    rangeInvalidation: configuration.ril,
    bypass: configuration.bypass,
  };
}

/**
 * Reads a configuration from a trace.
 *
 * @throws RangeError naming the field that is missing or of the wrong type.
 */
export function asidConfiguration(configuration: Configuration): AsidConfiguration {
  const fields = { ...OPTIONS, ...PLAIN };
  for (const [field, value] of Object.entries(fields))
    if ((field in PLAIN || field in configuration) && typeof configuration[field] !== typeof value)
      throw new RangeError(`configuration of family asid: "${field}" must be a ${typeof value}`);
  for (const field of Object.keys(configuration))
    if (!(field in fields)) throw new RangeError(`configuration of family asid: there is no "${field}"`);
  const known: AsidConfiguration = { ...PLAIN, ...configuration };
  const { weak = 0 } = known;
  const within = (value: number, least: number, most: number): boolean =>
    Number.isInteger(value) && value >= least && value <= most;
  if (!within(known.masters, 0, 2) || !within(known.mapped, 0, PAGES.length) || !within(known.processes, 1, 2))
    throw new RangeError('configuration of family asid: masters and mapped are 0 to 2, processes 1 or 2');
  if (!within(weak, 0, WEAK_MAX)) throw new RangeError(`configuration of family asid: weak is 0 to ${WEAK_MAX}`);
  return known;
}
