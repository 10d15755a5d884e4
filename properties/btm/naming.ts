import type { VbtmKernel } from '../../impl/kernel/vbtm/index.ts';
import { vmName } from '../vmid/configuration.ts';
import { frameName } from './memory-map.ts';

/** The space of the contract that is KVM's stage 2 of a virtual machine: behind those of the SMMU's software. */
export function kvmSpace({ nesting }: Pick<VbtmKernel, 'nesting'>, machine: number): number {
  return nesting.firstGuestSpace + nesting.guestSpaces + machine;
}

/** Name of an address space: "domain1", "the guest", "KVM's stage 2 of B". */
export function spaceName(kernel: VbtmKernel, space: number): string {
  const { nesting } = kernel;
  const machine = space - kvmSpace(kernel, 0);
  if (machine >= 0) return `KVM's stage 2 of ${vmName(machine)}`;
  if (space >= nesting.firstGuestSpace) return 'the guest';
  return space < nesting.stages.length ? `domain${space}` : 'the short-lived domain';
}

/** The same text with the program's own names. */
export function named(kernel: VbtmKernel, text: string): string {
  const device = (stream: string): string =>
    kernel.masters.find(({ streamId }) => streamId === Number(stream))?.name ?? `stream ${stream}`;
  return text
    .replace(/stream (\d+) \(substream \d+\)/g, (_, stream) => device(stream))
    .replace(/StreamID (\d+)(, (SubstreamID|index) \d+)?/g, (_, stream) => device(stream))
    .replace(/\bspace (\d+)/g, (_, space) => spaceName(kernel, Number(space)))
    .replace(/0x5[0-9a-f]{7}\b/g, (pa) => frameName(Number(pa)));
}
