import type { Failure } from '../../engine/failure.ts';
import { sharedHandle, type Domain, type Kernel, type Mm } from '../../impl/kernel/index.ts';

/**
 * What must not be left over when nothing runs any more: everything that is allocated, counted or pinned has somebody who
 * knows of it. Error paths that forget to undo something are noticed here.
 */
export class LeakCheck {
  readonly #kernel: Kernel;
  /** Pages that are no page tables: structures and queues. */
  readonly #pagesFixed: number;
  /** Entries of a top-level table that a program may use. */
  readonly #blocks: readonly number[];

  /** To be made when page tables are the only pages that come and go from now on. */
  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    const { pages, iovas } = kernel.config;
    this.#blocks = [...new Set([...pages, ...iovas].map((iova) => Math.floor(iova / kernel.pgtable.blockBytes)))];
    this.#pagesFixed = kernel.pages.allocated - this.#reachableTables(this.#liveDomains(), this.#liveMms());
  }

  /** The first thing that is left over, when every agent has ended. It is run after each run: kept cheap. */
  find(): Failure | undefined {
    const domains = this.#liveDomains();
    const mms = this.#liveMms();
    const pages = this.#kernel.pages.allocated - this.#pagesFixed - this.#reachableTables(domains, mms);
    if (pages !== 0) return leak('page table', `${pages} page(s) of page tables are allocated that no space reaches.`);
    return (
      this.#descriptorLeak(mms) ??
      this.#domainLeak(domains) ??
      this.#asidLeak() ??
      this.#processLeak(mms) ??
      this.#iovaLeak()
    );
  }

  #liveDomains(): Domain[] {
    const { domains } = this.#kernel;
    return domains.live().map((handle) => domains.at(handle));
  }

  #liveMms(): Mm[] {
    const { mms } = this.#kernel;
    return mms.live().map((handle) => mms.at(handle));
  }

  /** Pages of the tables that some space reaches. */
  #reachableTables(domains: readonly Domain[], mms: readonly Mm[]): number {
    let tables = 0;
    for (const { pgd } of [...domains, ...mms]) {
      const table = pgd.value >>> 0;
      if (table === 0) continue;
      tables++;
      for (const index of this.#blocks) if ((this.#kernel.memory.low(table + 8 * index) & 3) === 3) tables++;
    }
    return tables;
  }

  #descriptorLeak(mms: readonly Mm[]): Failure | undefined {
    for (const cd of this.#kernel.sharedCds.live())
      if (mms.every((mm) => mm.cd.value !== cd))
        return leak('cd', `The shared context descriptor cd${cd - 1} belongs to no process.`);
    return undefined;
  }

  #domainLeak(domains: readonly Domain[]): Failure | undefined {
    const { domainSlots } = this.#kernel;
    for (const { handle, name } of domains)
      if (domainSlots.every((slot) => slot.value !== handle))
        return leak('domain', `${name} is allocated, and no caller has it.`);
    return undefined;
  }

  #asidLeak(): Failure | undefined {
    const { asids, config, domains, sharedCds } = this.#kernel;
    for (let asid = 1; asid <= config.asidMax; asid++) {
      const owner = asids.owner(asid);
      if (owner === 0) continue;
      const shared = sharedHandle(owner);
      const pool = shared === 0 ? domains : sharedCds;
      const handle = shared === 0 ? owner : shared;
      if (!pool.isLive(handle) || pool.at(handle).asid.value !== asid)
        return leak('asid', `ASID ${asid} is taken, and its owner does not have it.`);
    }
    return undefined;
  }

  #processLeak(mms: readonly Mm[]): Failure | undefined {
    for (const mm of mms) {
      const pins = mm.cd.value === 0 ? 0 : 1;
      const users = this.#kernel.alive[mm.index]?.value ?? 0;
      const failure =
        counted(mm, 'pin', mm.pinned.value, pins) ??
        counted(mm, 'mm_users', mm.mm_users.value, users) ??
        counted(mm, 'mm_count', mm.mm_count.value, pins + users + this.#kernel.context.otherUsers(mm));
      if (failure !== undefined) return failure;
    }
    return undefined;
  }

  #iovaLeak(): Failure | undefined {
    const { allocated, queued } = this.#kernel.dma.iovasInUse;
    const mapped = this.#kernel.buffers.filter(({ value }) => value > 0).length;
    if (allocated === queued + mapped) return undefined;
    return leak(
      'iova',
      `${allocated} IOVA(s) are given out, of which ${mapped} are mapped and ${queued} wait for a flush.`,
    );
  }
}

function counted(mm: Mm, kind: string, count: number, expected: number): Failure | undefined {
  if (count === expected) return undefined;
  return leak(kind, `The ${kind} count of ${mm.name} is ${count}, of which ${expected} are accounted for.`);
}

function leak(kind: string, message: string): Failure {
  return { monitor: 'safety', rule: 'leak', message, data: { kind } };
}
