import fc from 'fast-check';
import { DESIGNS, type Design } from '../../impl/kernel/vbtm/index.ts';
import type { Configuration } from '../family.ts';
import { plainerBy, readConfiguration, type Fields } from '../flat-configuration.ts';

/** What a device translates by at the start. */
export const STARTS = ['nothing', 'nested', 'guest', 'other', 'private'] as const;

/** One of `STARTS`. */
export type Start = (typeof STARTS)[number];

/** The world that a `btm` program starts in. */
export interface BtmConfiguration extends Configuration {
  readonly design: Design;
  /** CPUs, 1 to 3. */
  readonly cpus: number;
  /** VMIDs of KVM's allocator, more than CPUs, up to 6. */
  readonly vmids: number;
  /** VMIDs of the first generation that machines have used which are gone; what is pinned at the start is not among them. */
  readonly taken: number;
  /** The SMMU has stage 1, and so nested translation. */
  readonly stage1: boolean;
  /** The SMMU has VMIDs of 16 bits, as KVM has. Where it is missing, they are. */
  readonly vmid16: boolean;
  /** Pages mapped at the start in every space, 0 or 1. */
  readonly mapped: number;
  /** The other virtual machine has a stage 2 for devices at the start. */
  readonly other: boolean;
  /**
   * What each device is attached to: stage 1 of the guest on top of its stage 2, that alone, the stage 2 of the other
   * virtual machine, or one of no virtual machine.
   */
  readonly device0: Start;
  readonly device1: Start;
}

/** The plain world: one nested device, the guest's VMID pinned. */
export const PLAIN: BtmConfiguration = {
  design: 'pinned',
  cpus: 2,
  vmids: 4,
  taken: 1,
  stage1: true,
  vmid16: true,
  mapped: 1,
  other: false,
  device0: 'nested',
  device1: 'nothing',
};

const LIMITS = { cpus: [1, 3], vmids: [2, 6], taken: [1, 6], mapped: [0, 1] } as const;

/** As many of a value, for weights. */
const times = <Value>(count: number, value: Value): readonly Value[] => Array.from({ length: count }, () => value);

/** Configurations, weighted towards those in which something can go wrong. */
export const configurations: fc.Arbitrary<BtmConfiguration> = fc
  .record({
    design: fc.constantFrom<Design>('off', 'disjoint', ...times(3, 'private' as const), ...times(5, 'pinned' as const)),
    cpus: fc.constantFrom(1, 2, 2, 2),
    // With 2, what is pinned at the start leaves no VMID that the other machine's stage 2 could pin.
    more: fc.constantFrom(2, 3),
    taken: fc.constantFrom(1, 1, 2, 3, 4),
    stage1: fc.constantFrom(...times(7, true), false),
    vmid16: fc.constantFrom(...times(7, true), false),
    mapped: fc.constantFrom(1, 1, 1, 0),
    other: fc.constantFrom(true, true, false, false, false),
    device0: fc.constantFrom(...STARTS, ...times(3, 'nested' as const)),
    device1: fc.constantFrom(...STARTS),
  })
  .map(({ more, ...any }) => {
    if (!any.vmid16) return narrow(any);
    const possible = (start: Start): Start => {
      if (start === 'other' && !any.other) return 'private';
      return start === 'nested' && !any.stage1 ? 'guest' : start;
    };
    const drawn = { ...any, device0: possible(any.device0), device1: possible(any.device1) };
    const vmids = drawn.cpus + Math.max(more, 1 + pinned(drawn));
    return { ...drawn, vmids, taken: Math.min(drawn.taken, vmids - pinned(drawn)) };
  });

/** What older configurations do not have. */
const ADDED = { vmid16: true };
const FIELDS: Fields<BtmConfiguration> = { family: 'btm', plain: PLAIN, limits: LIMITS, problem };

/** The configurations that have one more field as in `PLAIN`. */
export function plainer(configuration: Configuration): readonly Configuration[] {
  return plainerBy(FIELDS, { ...ADDED, ...configuration });
}

/**
 * Reads a configuration from a trace.
 *
 * @throws RangeError saying what is wrong with it.
 */
export function btmConfiguration(configuration: Configuration): BtmConfiguration {
  return readConfiguration(FIELDS, { ...ADDED, ...configuration });
}

function problem({
  design,
  cpus,
  vmids,
  taken,
  stage1,
  vmid16,
  other,
  device0,
  device1,
}: BtmConfiguration): string | undefined {
  if (!DESIGNS.includes(design)) return `design is one of ${DESIGNS.join(', ')}`;
  if (![device0, device1].every((start) => STARTS.includes(start))) return `devices are at ${STARTS.join(', ')}`;
  if (!stage1 && (device0 === 'nested' || device1 === 'nested')) return 'without stage 1 no device is nested';
  if (!other && (device0 === 'other' || device1 === 'other')) return 'a device of the other machine needs its stage 2';
  if (!vmid16 && (taken !== 1 || other)) return 'with VMIDs of 8 bits "taken" is 1, and only the guest has a stage 2';
  if (vmids <= cpus) return '"vmids" is more than "cpus", or a roll-over would leave none free';
  const pins = pinned({ design, other });
  if (vmids - cpus - 1 < pins) return `"vmids" is at least ${cpus + 1 + pins}, or what devices use could not be pinned`;
  const most = vmids - pins;
  return taken > most ? `"taken" is at most ${most}` : undefined;
}

/** A world whose SMMU has fewer VMIDs than KVM: at the start all are small enough. */
function narrow({
  cpus,
  mapped,
  device0,
  device1,
}: BtmConfiguration | Pick<BtmConfiguration, 'cpus' | 'mapped' | 'device0' | 'device1'>): BtmConfiguration {
  const near = (start: Start): Start => (start === 'other' || start === 'private' ? 'nothing' : start);
  return { ...PLAIN, vmid16: false, cpus, vmids: cpus + 3, mapped, device0: near(device0), device1: near(device1) };
}

/** How many VMIDs are pinned at the start. */
function pinned({ design, other }: Pick<BtmConfiguration, 'design' | 'other'>): number {
  if (design !== 'pinned') return 0;
  return other ? 2 : 1;
}
