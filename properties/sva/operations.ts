import { match } from 'ts-pattern';
import type { Task } from '../../engine/step.ts';
import type { BtmOperations } from '../../impl/kernel/btm/index.ts';
import type { Operation } from '../family.ts';
import { kindsOf, readOperation, simplifyBy, type Bounds } from '../flat-operations.ts';
import { addressOfPage, framePa, FRAMES, PAGES } from './pages.ts';

/**
 * What programs of the family do. `switch`, `idle`, `fork` and `exit` are of the CPU that runs them; pages of processes come
 * and go on any CPU (reclaim does). The private domain is domain0.
 */
export type SvaOperation =
  | { readonly op: 'switch' | 'fork'; readonly process: number }
  | { readonly op: 'idle' | 'exit' | 'asidPressure' }
  | { readonly op: 'mmap'; readonly process: number; readonly page: number; readonly frame: number }
  | { readonly op: 'munmap'; readonly process: number; readonly page: number }
  | { readonly op: 'bind' | 'unbind'; readonly process: number; readonly device: number }
  | { readonly op: 'attach' | 'detach'; readonly device: number }
  | { readonly op: 'map'; readonly page: number; readonly frame: number }
  | { readonly op: 'unmap'; readonly page: number };

const PROCESS = [0, 4] as const;
const DEVICE = [0, 1] as const;
const PAGE = [0, PAGES.length - 1] as const;
const FRAME = [0, FRAMES - 1] as const;

/** Arguments of each kind of operation with their least and greatest values. */
export const ARGUMENTS: Bounds<SvaOperation['op']> = {
  switch: { process: PROCESS },
  idle: {},
  fork: { process: PROCESS },
  exit: {},
  mmap: { process: PROCESS, page: PAGE, frame: FRAME },
  munmap: { process: PROCESS, page: PAGE },
  bind: { process: PROCESS, device: DEVICE },
  unbind: { process: PROCESS, device: DEVICE },
  attach: { device: DEVICE },
  detach: { device: DEVICE },
  map: { page: PAGE, frame: FRAME },
  unmap: { page: PAGE },
  asidPressure: {},
};

/** Every kind of operation. */
export const KINDS = kindsOf(ARGUMENTS);

const PAGE_BYTES = 0x1000;
const DOMAIN = 0;

/** The kernel's task for an operation on a CPU. */
export function taskOf(kernel: BtmOperations, cpu: number, operation: SvaOperation): Task<boolean> {
  const va = (page: number): number => addressOfPage(page);
  const pa = (process: number, page: number, frame: number): number => framePa(DOMAIN + 1 + process, page, frame);
  return match(operation)
    .with({ op: 'switch' }, ({ process }) => kernel.switchTo(cpu, process))
    .with({ op: 'idle' }, () => kernel.idle(cpu))
    .with({ op: 'fork' }, ({ process }) => kernel.fork(cpu, process))
    .with({ op: 'exit' }, () => kernel.exit(cpu))
    .with({ op: 'mmap' }, ({ process, page, frame }) => kernel.mmMap(process, va(page), pa(process, page, frame)))
    .with({ op: 'munmap' }, ({ process, page }) => kernel.munmap(process, va(page)))
    .with({ op: 'bind' }, ({ process, device }) => kernel.bind(process, device))
    .with({ op: 'unbind' }, ({ process, device }) => kernel.unbind(process, device))
    .with({ op: 'attach' }, ({ device }) => kernel.attach(DOMAIN, device))
    .with({ op: 'detach' }, ({ device }) => kernel.detach(device))
    .with({ op: 'map' }, ({ page, frame }) => kernel.map(DOMAIN, va(page), PAGE_BYTES, framePa(DOMAIN, page, frame)))
    .with({ op: 'unmap' }, ({ page }) => kernel.unmap(DOMAIN, va(page), PAGE_BYTES))
    .with({ op: 'asidPressure' }, () => kernel.asidPressure())
    .exhaustive();
}

/** How a report shows an operation: "munmap(mm0, 0x1000)". */
export function describe(operation: SvaOperation): string {
  const page = (index: number): string => `0x${addressOfPage(index).toString(16)}`;
  const frame = (index: number): string => (index === 0 ? '' : ', the second page of memory');
  return match(operation)
    .with({ op: 'switch' }, (by) => `switch(mm${by.process})`)
    .with({ op: 'idle' }, () => 'idle')
    .with({ op: 'fork' }, (by) => `fork(mm${by.process})`)
    .with({ op: 'exit' }, () => 'exit')
    .with({ op: 'mmap' }, (by) => `mmap(mm${by.process}, ${page(by.page)}${frame(by.frame)})`)
    .with({ op: 'munmap' }, (by) => `munmap(mm${by.process}, ${page(by.page)})`)
    .with({ op: 'bind' }, (by) => `bind(mm${by.process}, dev${by.device})`)
    .with({ op: 'unbind' }, (by) => `unbind(mm${by.process}, dev${by.device})`)
    .with({ op: 'attach' }, (by) => `attach(domain0, dev${by.device})`)
    .with({ op: 'detach' }, (by) => `detach(dev${by.device})`)
    .with({ op: 'map' }, (by) => `map(domain0, ${page(by.page)}${frame(by.frame)})`)
    .with({ op: 'unmap' }, (by) => `unmap(domain0, ${page(by.page)})`)
    .with({ op: 'asidPressure' }, () => 'domain_alloc + domain_free')
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
export function svaOperation(operation: Operation): SvaOperation {
  return readOperation('sva', ARGUMENTS, operation);
}
