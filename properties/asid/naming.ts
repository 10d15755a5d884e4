import type { KernelConfig } from '../../impl/kernel/index.ts';
import { frameName } from './configuration.ts';

/** Name of a device and PASID: "dev0", "dev0 PASID 1". */
function contextName(config: KernelConfig, stream: number, substream: number): string {
  const device = config.streams.indexOf(stream);
  const name = device < 0 ? `stream ${stream}` : `dev${device}`;
  return substream > 0 ? `${name} PASID ${substream}` : name;
}

/** Name of an address space: "domain0", "mm0". */
export function spaceName(config: KernelConfig, space: number): string {
  if (space < config.domains) return `domain${space}`;
  return space < config.domains + config.processes.length ? `mm${space - config.domains}` : 'the short-lived domain';
}

/**
 * The same text with the program's own names: monitors and architecture speak of streams, spaces and physical
 * addresses, the reader of dev0, domain0 and G0.
 */
export function named(config: KernelConfig, text: string): string {
  return text
    .replace(/stream (\d+) \(substream (\d+)\)/g, (_, stream, substream) =>
      contextName(config, Number(stream), Number(substream)),
    )
    .replace(/StreamID (\d+), SubstreamID (\d+)/g, (_, stream, substream) =>
      contextName(config, Number(stream), Number(substream)),
    )
    .replace(/StreamID (\d+), index (\d+)/g, (_, stream, index) => contextName(config, Number(stream), Number(index)))
    .replace(/StreamID (\d+)/g, (_, stream) => contextName(config, Number(stream), 0))
    .replace(/\bspace (\d+)/g, (_, space) => spaceName(config, Number(space)))
    .replace(/0x5[0-9a-f]{7}\b/g, (pa) => frameName(Number(pa)));
}
