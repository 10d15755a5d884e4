import type { KernelConfig } from '../../impl/kernel/index.ts';
import { frameName, spaceName } from './pages.ts';
import { CPU_STREAM } from './reach.ts';

/** Name of a device and PASID, or of a CPU. */
function contextName(config: KernelConfig, stream: number, substream: number): string {
  if (stream >= CPU_STREAM) return `CPU${stream - CPU_STREAM}`;
  const name = `dev${config.streams.indexOf(stream)}`;
  return substream > 0 ? `${name} PASID ${substream}` : name;
}

/**
 * The same text with the program's own names: monitors and architecture speak of streams, spaces and physical addresses,
 * the reader of dev0, CPU0, mm0 and their pages.
 */
export function named(config: KernelConfig, text: string): string {
  const context = (stream: string, substream: string): string => contextName(config, Number(stream), Number(substream));
  return text
    .replace(/stream (\d+) \(substream (\d+)\)/g, (_, stream: string, substream: string) => context(stream, substream))
    .replace(/StreamID (\d+), (?:SubstreamID|index) (\d+)/g, (_, stream: string, at: string) => context(stream, at))
    .replace(/StreamID (\d+)/g, (_, stream: string) => context(stream, '0'))
    .replace(/\bspace (\d+)/g, (_, space) => spaceName(config, Number(space)))
    .replace(/0x5[0-9a-f]{7}\b/g, (pa) => frameName(config, Number(pa)));
}
