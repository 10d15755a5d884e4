import { match } from 'ts-pattern';
import type { Task } from '../../engine/step.ts';
import type { Operations } from '../../impl/kernel/index.ts';
import type { Operation } from '../family.ts';
import { readOperation, simplifyBy, type Bounds } from '../flat-operations.ts';
import { blockFramePa, framePa, PAGES } from './configuration.ts';

/** What programs of the family do. Domains, devices and processes are places, pages and frames are indices. */
export type AsidOperation =
  | { readonly op: 'attach'; readonly domain: number; readonly device: number }
  | { readonly op: 'detach'; readonly device: number }
  | { readonly op: 'map'; readonly domain: number; readonly page: number; readonly frame: number }
  | { readonly op: 'unmap'; readonly domain: number; readonly page: number }
  | { readonly op: 'unmapTable'; readonly domain: number }
  | { readonly op: 'mapBlock'; readonly domain: number; readonly frame: number }
  | { readonly op: 'split'; readonly domain: number }
  | { readonly op: 'domainAlloc'; readonly domain: number }
  | { readonly op: 'domainFree'; readonly domain: number }
  | { readonly op: 'asidPressure' }
  | { readonly op: 'bind'; readonly process: number; readonly device: number }
  | { readonly op: 'unbind'; readonly process: number; readonly device: number }
  | { readonly op: 'mmap'; readonly process: number; readonly page: number; readonly frame: number }
  | { readonly op: 'munmap'; readonly process: number; readonly page: number }
  | { readonly op: 'exit'; readonly process: number }
  | { readonly op: 'dmaMap'; readonly buffer: number; readonly frame: number }
  | { readonly op: 'dmaUnmap'; readonly buffer: number }
  | { readonly op: 'dmaFlush' }
  | { readonly op: 'failNth'; readonly nth: number }
  | { readonly op: 'dma'; readonly device: number; readonly page: number; readonly process: number };

/** Arguments of each kind of operation with their least and greatest values. */
export const ARGUMENTS: Bounds<AsidOperation['op']> = {
  attach: { domain: [0, 1], device: [0, 1] },
  detach: { device: [0, 1] },
  map: { domain: [0, 1], page: [0, 1], frame: [0, 3] },
  unmap: { domain: [0, 1], page: [0, 1] },
  unmapTable: { domain: [0, 1] },
  mapBlock: { domain: [0, 1], frame: [0, 3] },
  split: { domain: [0, 1] },
  domainAlloc: { domain: [0, 1] },
  domainFree: { domain: [0, 1] },
  asidPressure: {},
  bind: { process: [0, 1], device: [0, 1] },
  unbind: { process: [0, 1], device: [0, 1] },
  mmap: { process: [0, 1], page: [0, 1], frame: [0, 3] },
  munmap: { process: [0, 1], page: [0, 1] },
  exit: { process: [0, 1] },
  dmaMap: { buffer: [0, 1], frame: [0, 3] },
  dmaUnmap: { buffer: [0, 1] },
  dmaFlush: {},
  failNth: { nth: [1, 3] },
  // process -1: a transaction without a SubstreamID, which goes by the private domain.
  dma: { device: [0, 1], page: [0, 1], process: [-1, 1] },
};

const BLOCK_BYTES = 0x20_0000;
const PAGE_BYTES = 0x1000;

/** The kernel's task for an operation; `dma` is the device's, given by the world. */
export function taskOf(
  kernel: Operations,
  operation: AsidOperation,
  dma: (device: number, page: number, process: number) => Task<boolean>,
): Task<boolean> {
  return match(operation)
    .with({ op: 'attach' }, ({ domain, device }) => kernel.attach(domain, device))
    .with({ op: 'detach' }, ({ device }) => kernel.detach(device))
    .with({ op: 'map' }, ({ domain, page, frame }) => kernel.map(domain, iovaOf(page), PAGE_BYTES, framePa(frame)))
    .with({ op: 'unmap' }, ({ domain, page }) => kernel.unmap(domain, iovaOf(page), PAGE_BYTES))
    .with({ op: 'unmapTable' }, ({ domain }) => kernel.unmap(domain, 0, BLOCK_BYTES))
    .with({ op: 'mapBlock' }, ({ domain, frame }) => kernel.map(domain, 0, BLOCK_BYTES, blockFramePa(frame)))
    .with({ op: 'split' }, ({ domain }) => kernel.split(domain, 0))
    .with({ op: 'domainAlloc' }, ({ domain }) => kernel.domainAlloc(domain))
    .with({ op: 'domainFree' }, ({ domain }) => kernel.domainFree(domain))
    .with({ op: 'asidPressure' }, () => kernel.asidPressure())
    .with({ op: 'bind' }, ({ process, device }) => kernel.bind(process, device))
    .with({ op: 'unbind' }, ({ process, device }) => kernel.unbind(process, device))
    .with({ op: 'mmap' }, ({ process, page, frame }) => kernel.mmMap(process, iovaOf(page), framePa(frame)))
    .with({ op: 'munmap' }, ({ process, page }) => kernel.munmap(process, iovaOf(page)))
    .with({ op: 'exit' }, ({ process }) => kernel.processExit(process))
    .with({ op: 'dmaMap' }, ({ buffer, frame }) => kernel.dmaMap(buffer, framePa(frame)))
    .with({ op: 'dmaUnmap' }, ({ buffer }) => kernel.dmaUnmap(buffer))
    .with({ op: 'dmaFlush' }, () => kernel.dmaFlush())
    .with({ op: 'failNth' }, ({ nth }) => kernel.failAllocation(nth))
    .with({ op: 'dma' }, ({ device, page, process }) => dma(device, page, process))
    .exhaustive();
}

/** How a report shows an operation: "unmap(domain0, 0x1000)". */
export function describe(operation: AsidOperation): string {
  const domain = (index: number): string => `domain${index}`;
  const dev = (index: number): string => `dev${index}`;
  const mm = (index: number): string => `mm${index}`;
  const page = (index: number): string => `0x${iovaOf(index).toString(16)}`;
  return match(operation)
    .with({ op: 'attach' }, (by) => `attach(${domain(by.domain)}, ${dev(by.device)})`)
    .with({ op: 'detach' }, (by) => `detach(${dev(by.device)})`)
    .with({ op: 'map' }, (by) => `map(${domain(by.domain)}, ${page(by.page)} → G${by.frame})`)
    .with({ op: 'unmap' }, (by) => `unmap(${domain(by.domain)}, ${page(by.page)})`)
    .with({ op: 'unmapTable' }, (by) => `unmap(${domain(by.domain)}, 0x0+2MiB)`)
    .with({ op: 'mapBlock' }, (by) => `map(${domain(by.domain)}, 0x0+2MiB → B${by.frame})`)
    .with({ op: 'split' }, (by) => `split_block(${domain(by.domain)}, 0x0)`)
    .with({ op: 'domainAlloc' }, (by) => `domain_alloc(${domain(by.domain)})`)
    .with({ op: 'domainFree' }, (by) => `domain_free(${domain(by.domain)})`)
    .with({ op: 'asidPressure' }, () => 'domain_alloc + domain_free')
    .with({ op: 'bind' }, (by) => `bind(${mm(by.process)}, ${dev(by.device)})`)
    .with({ op: 'unbind' }, (by) => `unbind(${mm(by.process)}, ${dev(by.device)})`)
    .with({ op: 'mmap' }, (by) => `mmap(${mm(by.process)}, ${page(by.page)} → G${by.frame})`)
    .with({ op: 'munmap' }, (by) => `munmap(${mm(by.process)}, ${page(by.page)})`)
    .with({ op: 'exit' }, (by) => `exit(${mm(by.process)})`)
    .with({ op: 'dmaMap' }, (by) => `dma_map(buffer${by.buffer} → G${by.frame})`)
    .with({ op: 'dmaUnmap' }, (by) => `dma_unmap(buffer${by.buffer})`)
    .with({ op: 'dmaFlush' }, () => 'fq_flush_timeout()')
    .with({ op: 'failNth' }, (by) => `fail_nth(${by.nth})`)
    .with(
      { op: 'dma' },
      (by) => `DMA(${by.process < 0 ? dev(by.device) : `${dev(by.device)} PASID ${by.process + 1}`}, ${page(by.page)})`,
    )
    .exhaustive();
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
export function asidOperation(operation: Operation): AsidOperation {
  return readOperation('asid', ARGUMENTS, operation);
}

function iovaOf(page: number): number {
  return PAGES[page] as number;
}
