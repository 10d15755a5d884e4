import { SMALL_NESTED_KERNEL, SMALL_NESTING, type NestingConfig } from '../nested/index.ts';
import type { KernelConfig } from '../config.ts';

/**
 * Who gives out the VMIDs of the SMMU's stage 2, and what the SMMU does with broadcast TLB maintenance:
 *
 * - `off`: it ignores broadcasts (`CR2.PTM` = 1), and has VMIDs of its own;
 * - `private`: it takes part, and has VMIDs of its own, whatever KVM calls its virtual machines;
 * - `disjoint`: it takes part, and its VMIDs are numbers that KVM does not use;
 * - `pinned`: it takes part; the stage 2 of a virtual machine's devices has the machine's own VMID, pinned in KVM's
 *   allocator, and all other stage 2 has numbers that KVM does not use.
 */
export const DESIGNS = ['off', 'private', 'disjoint', 'pinned'] as const;

/** One of `DESIGNS`. */
export type Design = (typeof DESIGNS)[number];

/** What virtual machines of KVM add to a world of nested translation. */
export interface VbtmConfig extends NestingConfig {
  readonly design: Design;
  /** Virtual machines that may have devices, each with an iommufd context; the first is the guest. */
  readonly machines: number;
  /** For each place of a domain, the virtual machine whose KVM it is given, -1: none. */
  readonly machineOf: readonly number[];
  /** VMIDs of KVM's allocator: 1 to this. */
  readonly kvmVmids: number;
  /** What the hardware adds to them: as if other machines had the numbers before. */
  readonly vmidBase: number;
}

/** The place of the guest's stage 2, which is its nest parent and stays. */
export const PARENT_PLACE = 0;
/** The place of the stage 2 of another virtual machine. */
export const OTHER_PLACE = 1;
/** The place of a stage 2 that belongs to no virtual machine. */
export const PRIVATE_PLACE = 2;
/** The place of a second stage 2 for devices of the guest. */
export const SECOND_PLACE = 3;

/** VMIDs of the driver's own: one for each place, and one for a short-lived domain. */
const PRIVATE_VMIDS = 5;

/** The configuration of a design, for a number of VMIDs of KVM's, and an SMMU with or without stage 1. */
export function vbtmConfig(design: Design, kvmVmids: number, stage1: boolean, vmidBase = 0): VbtmConfig {
  const apart = design === 'disjoint' || design === 'pinned';
  const vmidMin = apart && vmidBase === 0 ? kvmVmids + 1 : 1;
  return {
    ...SMALL_NESTING,
    stages: [2, 2, 2, 2],
    parentPlace: PARENT_PLACE,
    oneStage: !stage1,
    guestSpaces: 1,
    firstGuestSpace: 5,
    vmidMin,
    vmidMax: vmidMin + PRIVATE_VMIDS - 1,
    guestBtm: design === 'pinned',
    design,
    machines: 2,
    machineOf: [0, 1, -1, 0, -1],
    kvmVmids,
    vmidBase,
  };
}

/** The kernel's configuration that goes with it, where programs map these addresses. */
export function vbtmKernelConfig(design: Design, pages: readonly number[]): KernelConfig {
  return { ...SMALL_NESTED_KERNEL, pages, btm: design !== 'off' };
}
