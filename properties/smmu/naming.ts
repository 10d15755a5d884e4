import type { NestedKernel } from '../../impl/kernel/nested/index.ts';
import { frameName } from '../asid/configuration.ts';

/** Name of an address space: "domain1", "guest0". */
export function spaceName({ nesting }: NestedKernel, space: number): string {
  if (space >= nesting.firstGuestSpace) return `guest${space - nesting.firstGuestSpace}`;
  return space < nesting.stages.length ? `domain${space}` : 'the short-lived domain';
}

/**
 * The same text with the program's own names: monitors and architecture speak of streams, spaces and physical
 * addresses, the reader of dev0, domain1 and G0.
 */
export function named(kernel: NestedKernel, text: string): string {
  const device = (stream: string): string =>
    kernel.masters.find(({ streamId }) => streamId === Number(stream))?.name ?? `stream ${stream}`;
  return text
    .replace(/stream (\d+) \(substream \d+\)/g, (_, stream) => device(stream))
    .replace(/StreamID (\d+)(, (SubstreamID|index) \d+)?/g, (_, stream) => device(stream))
    .replace(/\bspace (\d+)/g, (_, space) => spaceName(kernel, Number(space)))
    .replace(/0x5[0-9a-f]{7}\b/g, (pa) => frameName(Number(pa)));
}
