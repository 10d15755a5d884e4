import fc from 'fast-check';
import { SMALL_NESTED_KERNEL, SMALL_NESTING, type NestingConfig } from '../../impl/kernel/nested/index.ts';
import type { KernelConfig } from '../../impl/kernel/index.ts';
import type { Configuration } from '../family.ts';

/** What the devices translate by at the start. */
export const STARTS = ['nested', 'stage 2', 'stage 1'] as const;

/** The world that an `smmu` program starts in: a host domain, a nest parent with a guest, another stage 2 domain. */
export interface SmmuConfiguration extends Configuration {
  /** Devices attached at the start, 0 to 2. */
  readonly masters: number;
  /**
   * What they are attached to: the guest's space on the parent, the parent alone, or the host's domain. In the first two
   * cases the guest has them.
   */
  readonly start: (typeof STARTS)[number];
  /** Pages mapped at the start in every space, 0 to 2. */
  readonly mapped: number;
  /** The pages of stage 2 are mapped by one block of 2 MiB at the start. */
  readonly block: boolean;
  /** The devices have ATS, and the hypervisor and the guest use it. */
  readonly ats: boolean;
  /** The SMMU has range invalidation, and both drivers use it. */
  readonly ril: boolean;
}

/** The plain world: one nested device, one page mapped at each stage, no ATS. */
export const PLAIN: SmmuConfiguration = {
  masters: 1,
  start: 'nested',
  mapped: 1,
  block: false,
  ats: false,
  ril: true,
};

/** Configurations, weighted towards those in which something can go wrong. */
export const configurations: fc.Arbitrary<SmmuConfiguration> = fc.record({
  masters: fc.constantFrom(1, 1, 1, 2, 2, 0),
  start: fc.constantFrom(...STARTS, 'nested', 'nested'),
  mapped: fc.constantFrom(1, 1, 2, 0),
  block: fc.constantFrom(false, false, true),
  ats: fc.boolean(),
  ril: fc.constantFrom(true, true, false),
});

/** The configurations that have one more field as in `PLAIN`. */
export function plainer(configuration: Configuration): readonly Configuration[] {
  return Object.entries(PLAIN)
    .filter(([field, value]) => configuration[field] !== value)
    .map(([field, value]) => ({ ...configuration, [field]: value }));
}

/** Virtual addresses that programs name by index, all in the first 2 MiB. */
export const PAGES = [0x1000, 0x2000] as const;
/** Intermediate physical addresses that programs name by index: in the second of two concatenated tables. */
export const IPAS = [0x4000_1000, 0x4000_2000] as const;
/** Start of the block that the addresses of a stage lie in. */
export const BLOCKS = { virtual: 0, ipa: 0x4000_0000 } as const;
/** Bytes of a page and of a block. */
export const PAGE_BYTES = 0x1000;
export const BLOCK_BYTES = 0x20_0000;
/** Every address that a device may access. */
export const ADDRESSES: readonly number[] = [...PAGES, ...IPAS];
/**
 * Where `BLOCKS.ipa` and what lies in it is for hardware that can only read the first of several concatenated tables: above
 * the block that the guest has its own memory in.
 */
export const FIRST_TABLE_IPA_BLOCK = 0x40_0000;

/** The kernel's configuration of a world in which the block of intermediate addresses is at `ipaBlock`. */
export function kernelConfig({ ril }: SmmuConfiguration, ipaBlock: number = BLOCKS.ipa): KernelConfig {
  const pages = ADDRESSES.map((address) => movedTo(ipaBlock, address));
  return { ...SMALL_NESTED_KERNEL, pages, rangeInvalidation: ril };
}

/** An address of this world where the block of intermediate addresses is at `ipaBlock`. */
export function movedTo(ipaBlock: number, address: number): number {
  return address < BLOCKS.ipa ? address : address - BLOCKS.ipa + ipaBlock;
}

/** What nesting adds to it. */
export function nestingConfig({ ats }: SmmuConfiguration): NestingConfig {
  return { ...SMALL_NESTING, ats: [ats, ats] };
}

/**
 * Reads a configuration from a trace.
 *
 * @throws RangeError naming the field that is missing or of the wrong type.
 */
export function smmuConfiguration(configuration: Configuration): SmmuConfiguration {
  for (const [field, value] of Object.entries(PLAIN))
    if (typeof configuration[field] !== typeof value)
      throw new RangeError(`configuration of family smmu: "${field}" must be a ${typeof value}`);
  for (const field of Object.keys(configuration))
    if (!(field in PLAIN)) throw new RangeError(`configuration of family smmu: there is no "${field}"`);
  const known: SmmuConfiguration = { ...PLAIN, ...configuration };
  const within = (value: number): boolean => Number.isInteger(value) && value >= 0 && value <= 2;
  if (!within(known.masters) || !within(known.mapped))
    throw new RangeError('configuration of family smmu: masters and mapped are 0 to 2');
  if (!STARTS.includes(known.start))
    throw new RangeError(`configuration of family smmu: start is one of ${STARTS.join(', ')}`);
  return known;
}
