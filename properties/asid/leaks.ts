import type { Failure } from '../../engine/failure.ts';
import { sharedHandle, type Kernel, type Mm } from '../../impl/kernel/index.ts';

/**
 * What must not be left over when nothing runs any more: everything that is allocated, counted or pinned has somebody who
 * knows of it. Error paths that forget to undo something are noticed here.
 *
 * @param pagesFixed pages that are no page tables: structures and queues.
 */
export function leaks(kernel: Kernel, pagesFixed: number): Failure | undefined {
  const pages = kernel.pages.allocated - pagesFixed - reachableTables(kernel);
  if (pages !== 0) return leak('page table', `${pages} page(s) of page tables are allocated that no space reaches.`);
  return descriptorLeak(kernel) ?? domainLeak(kernel) ?? asidLeak(kernel) ?? processLeak(kernel) ?? iovaLeak(kernel);
}

/** Pages of the tables that some space reaches. */
export function reachableTables(kernel: Kernel): number {
  const { pages, iovas } = kernel.config;
  const blocks = [...new Set([...pages, ...iovas].map((iova) => Math.floor(iova / kernel.pgtable.blockBytes)))];
  const spaces = [...kernel.domains.live().map((handle) => kernel.domains.at(handle)), ...liveMms(kernel)];
  let tables = 0;
  for (const { pgd } of spaces) {
    const table = pgd.value >>> 0;
    if (table === 0) continue;
    tables += 1 + blocks.filter((index) => (kernel.memory.low(table + 8 * index) & 3) === 3).length;
  }
  return tables;
}

function descriptorLeak(kernel: Kernel): Failure | undefined {
  const handle = kernel.sharedCds.live().find((cd) => liveMms(kernel).every((mm) => mm.cd.value !== cd));
  if (handle === undefined) return undefined;
  return leak('cd', `The shared context descriptor cd${handle - 1} belongs to no process.`);
}

function domainLeak({ domains, domainSlots }: Kernel): Failure | undefined {
  const handle = domains.live().find((domain) => domainSlots.every((slot) => slot.value !== domain));
  return handle === undefined
    ? undefined
    : leak('domain', `${domains.at(handle).name} is allocated, and no caller has it.`);
}

function asidLeak({ asids, config, domains, sharedCds }: Kernel): Failure | undefined {
  for (let asid = 1; asid <= config.asidMax; asid++) {
    const owner = asids.owner(asid);
    const shared = sharedHandle(owner);
    const owned =
      shared === 0
        ? domains.isLive(owner) && domains.at(owner).asid.value === asid
        : sharedCds.isLive(shared) && sharedCds.at(shared).asid.value === asid;
    if (owner !== 0 && !owned) return leak('asid', `ASID ${asid} is taken, and its owner does not have it.`);
  }
  return undefined;
}

function processLeak(kernel: Kernel): Failure | undefined {
  for (const mm of liveMms(kernel)) {
    const pins = mm.cd.value === 0 ? 0 : 1;
    if (mm.pinned.value !== pins)
      return leak('pin', `The ASID of ${mm.name} is pinned ${mm.pinned.value} time(s), and ${pins} are accounted for.`);
    const users = kernel.alive[mm.index]?.value ?? 0;
    if (mm.mm_users.value !== users)
      return leak('mm_users', `${mm.name} has ${mm.mm_users.value} user(s), and ${users} are accounted for.`);
    const references = pins + users;
    if (mm.mm_count.value !== references)
      return leak('mm_count', `${mm.name} has ${mm.mm_count.value} reference(s), and ${references} are accounted for.`);
  }
  return undefined;
}

function iovaLeak({ dma, buffers }: Kernel): Failure | undefined {
  const { allocated, queued } = dma.iovasInUse;
  const mapped = buffers.filter(({ value }) => value > 0).length;
  if (allocated === queued + mapped) return undefined;
  return leak(
    'iova',
    `${allocated} IOVA(s) are given out, of which ${mapped} are mapped and ${queued} wait for a flush.`,
  );
}

function liveMms({ mms }: Kernel): Mm[] {
  return mms.live().map((handle) => mms.at(handle));
}

function leak(kind: string, message: string): Failure {
  return { monitor: 'safety', rule: 'leak', message, data: { kind } };
}
