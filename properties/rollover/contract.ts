import type { Machine } from '../../engine/machine.ts';
import { mmName } from './configuration.ts';
import { isGarbage, pageAddress, pageOf, type Page } from './pages.ts';

/** What of the CPUs the contract looks at. */
export interface Hardware {
  /** Physical addresses that an access of a CPU may reach. */
  outcomes(cpu: number, va: number): readonly number[];
  /** The ASID that a CPU has loaded, -1 for none. */
  asid(cpu: number): number;
  /** The ASID that it has loaded while it is in the kernel: with KPTI another one. */
  kernelAsid(cpu: number): number;
  /** The top-level table that a CPU has loaded, -1 for none. */
  table(cpu: number): number;
}

/** What of the allocator the contract looks at. */
export interface Allocator {
  /** By what the next roll-over would keep what a CPU runs; undefined while that changes. */
  traceOf(cpu: number): number | undefined;
  /** `context.id` of a process. */
  idOf(mm: number): number;
  /** How a report shows an id. */
  show(id: number): string;
}

/** Sizes, and names. */
interface Sizes {
  readonly cpus: number;
  readonly mms: number;
  /** 0: what CPUs reach is somebody else's to look at. */
  readonly pages: number;
  /** How a report calls a process; by default A, B, … */
  readonly nameOf?: (mm: number) => string;
  /** Levels of page tables; by default 1. */
  readonly levels?: number;
  /** Kernel page-table isolation; by default there is none. */
  readonly kpti?: boolean;
}

/** State of the page that a process has at an address, or had last. */
const [FREE, MAPPED, UNMAPPING] = [0, 1, 2];

/**
 * What context switches and invalidations promise to what runs on the CPUs. A CPU runs a process from the end of one switch
 * to the beginning of the next; in between it accesses nothing of it.
 *
 * - It reaches pages of its own process only (`foreign-translation`), and none that was freed (`stale-translation`): a TLB
 *   entry may be used until the page is freed, which is after the flush (TLBEmptyInvalPTE of kernel-tla/asidalloc.tla).
 * - CPUs that run one process use one ASID (`tag-split`, SameASIDActiveTask), or else an invalidation by ASID would miss
 *   one of them; CPUs that run two use two (`tag-shared`, UniqueASIDActiveTask).
 * - With KPTI a CPU has another ASID in the kernel than outside (`halves-shared`): under one, what the kernel has in the TLB
 *   would be there for the process too (comment above `set_kpti_asid_bits()`).
 * - What a CPU runs would be found by the next roll-over, under the id that the process has now (`running-not-reserved`):
 *   "we need to ensure that all copies of the old ASID are updated to reflect the mm" (check_update_reserved_asid()).
 * - A page is freed once (`double-free`).
 * - A table that may still be walked, because a CPU has it loaded or remembers where it is, has not been freed
 *   (`table-free-in-use`): speculation reads it, whether or not the CPU runs the process (Arm ARM D8.16 R_SQBCS). This is
 *   not asked of a CPU in the middle of a switch: once its active ASID is the next process's, a roll-over does not keep the
 *   one that is still loaded, and an invalidation under the new one passes it by. What is walked then stays under an ASID
 *   that this CPU flushes before anything runs under it. (That "active_asids is different from the actual ASID in TTBR0" for
 *   a while is known, "arm64: Move the ASID allocator code in a separate file", C. Marinas 2019: with CnP nothing is loaded
 *   then, without it Linux 6.1 leaves it at that.)
 * - A pinned ASID is that of its process as long as a device uses it (`pinned-changed`), and of no other (`pinned-shared`):
 *   comment above `arm64_mm_context_get()`, Linux 5.10 and later.
 */
export class RolloverContract {
  readonly #machine: Machine;
  readonly #hardware: Hardware;
  readonly #sizes: Sizes;
  readonly #nameOf: (mm: number) => string;
  /** For each address of each process: which of its two pages it has or had last, and the state of that. */
  readonly #versions: number;
  readonly #states: number;
  /** For each CPU: the process that it runs plus 1, and 1 while it switches. */
  readonly #running: number;
  readonly #switching: number;
  /** For each process: the ASID that devices use, 0 for none. */
  readonly #device: number;

  constructor(machine: Machine, hardware: Hardware, sizes: Sizes) {
    this.#machine = machine;
    this.#hardware = hardware;
    this.#sizes = sizes;
    const { store } = machine;
    const { cpus, mms, pages, nameOf = mmName } = sizes;
    this.#nameOf = nameOf;
    const show = (_at: number, state: number): string => ['free', 'mapped', 'being unmapped'][state] ?? '?';
    this.#versions = store.reserve(mms * pages, 'version of a page');
    this.#states = store.reserve(mms * pages, 'page', show);
    this.#running = store.reserve(cpus, 'running', (_cpu, mm) => (mm === 0 ? 'nothing' : nameOf(mm - 1)));
    this.#switching = store.reserve(cpus, 'switching');
    this.#device = store.reserve(mms, 'ASID that devices use');
    for (let at = 0; at < mms * pages; at++) store.set(this.#states + at, MAPPED);
  }

  /** The process that a CPU runs or ran last, -1 for none. */
  running(cpu: number): number {
    return this.#machine.store.get(this.#running + cpu) - 1;
  }

  /** The CPU is in the scheduler. */
  switching(cpu: number): void {
    this.#machine.store.set(this.#switching + cpu, 1);
  }

  /** The CPU runs a process from now on; -1: none. */
  switched(cpu: number, mm: number): void {
    this.#machine.store.set(this.#running + cpu, mm + 1);
    this.#machine.store.set(this.#switching + cpu, 0);
    this.check();
  }

  /** A page is mapped, another than the one before. Returns which. */
  mapping(mm: number, page: number): 0 | 1 {
    const { store } = this.#machine;
    const at = this.#at(mm, page);
    const version = store.get(this.#versions + at) === 0 ? 1 : 0;
    store.set(this.#versions + at, version);
    store.set(this.#states + at, MAPPED);
    return version;
  }

  /** The entry of the mapped page is cleared. */
  unmapping(mm: number, page: number): void {
    const at = this.#states + this.#at(mm, page);
    if (this.#machine.store.get(at) !== MAPPED)
      this.#fail('safety', 'double-free', `Page ${page} of ${this.#nameOf(mm)} is unmapped a second time, and freed.`);
    this.#machine.store.set(at, UNMAPPING);
  }

  /** For checks: whether a process has a page in this state. */
  hasPage(mm: number, state: 'mapped' | 'unmapping'): boolean {
    const wanted = state === 'mapped' ? MAPPED : UNMAPPING;
    for (let page = 0; page < this.#sizes.pages; page++)
      if (this.#machine.store.get(this.#states + this.#at(mm, page)) === wanted) return true;
    return false;
  }

  /** The page that was being unmapped is free. */
  freed(mm: number, page: number): void {
    this.#machine.store.set(this.#states + this.#at(mm, page), FREE);
    this.check();
  }

  /** A process is gone, and the page of its top-level table is free. */
  pgdFreed(mm: number, pgd: number): void {
    const { cpus } = this.#sizes;
    for (let cpu = 0; cpu < cpus; cpu++)
      if (this.#hardware.table(cpu) === pgd)
        this.#fail(
          'reach',
          'table-free-in-use',
          `CPU${cpu} has the table of ${this.#nameOf(mm)} loaded, which was freed.`,
        );
  }

  /** Devices use an ASID for a process from now on; 0: they do no more. */
  pinned(mm: number, asid: number): void {
    this.#machine.store.set(this.#device + mm, asid);
    this.check();
  }

  /** Something may be reachable that was not. */
  check(): void {
    const { cpus, pages, levels = 1 } = this.#sizes;
    for (let cpu = 0; cpu < cpus; cpu++) {
      if (levels > 1 && !this.isSwitching(cpu)) this.#checkTables(cpu);
      const mm = this.runs(cpu);
      if (mm < 0) continue;
      for (let page = 0; page < pages; page++)
        for (const pa of this.#hardware.outcomes(cpu, pageAddress(page))) this.#checkAccess(cpu, mm, pa);
      this.#checkAsid(cpu, mm);
    }
  }

  #checkTables(cpu: number): void {
    const { pages } = this.#sizes;
    const asid = this.#hardware.asid(cpu);
    if (asid < 0) return;
    for (let page = 0; page < pages; page++)
      if (this.#hardware.outcomes(cpu, pageAddress(page)).some(isGarbage)) {
        const what = `CPU${cpu} has ASID ${asid} loaded, under which it can walk`;
        this.#fail('reach', 'table-free-in-use', `${what} a table for page ${page} that was freed.`);
      }
  }

  #checkAccess(cpu: number, mm: number, pa: number): void {
    if (isGarbage(pa)) return;
    const found = pageOf(pa);
    if (found.mm === mm && !this.#isFree(found)) return;
    const what = `CPU${cpu}, which runs ${this.#nameOf(mm)} under ASID ${this.#hardware.asid(cpu)},`;
    if (found.mm !== mm)
      this.#fail('reach', 'foreign-translation', `${what} can reach page ${found.page} of ${this.#nameOf(found.mm)}.`);
    else this.#fail('reach', 'stale-translation', `${what} can reach its page ${found.page}, which was freed.`);
  }

  #checkAsid(cpu: number, mm: number): void {
    const asid = this.#hardware.asid(cpu);
    if (this.#sizes.kpti === true && this.#hardware.kernelAsid(cpu) === asid)
      this.#fail(
        'tags',
        'halves-shared',
        `CPU${cpu} runs ${this.#nameOf(mm)} under ASID ${asid}, and so does the kernel.`,
      );
    for (let other = 0; other < cpu; other++) {
      const theirs = this.runs(other);
      if (theirs < 0) continue;
      if ((theirs === mm) === (this.#hardware.asid(other) === asid)) continue;
      const both = `CPU${other} runs ${this.#nameOf(theirs)} under ASID ${this.#hardware.asid(other)}, CPU${cpu} ${this.#nameOf(mm)} under ASID ${asid}.`;
      this.#fail('tags', theirs === mm ? 'tag-split' : 'tag-shared', both);
    }
    for (let owner = 0; owner < this.#sizes.mms; owner++) {
      const device = this.#machine.store.get(this.#device + owner);
      if (device === 0 || (owner === mm) === (device === asid)) continue;
      const now = `Devices use ASID ${device} for ${this.#nameOf(owner)}; CPU${cpu} runs ${this.#nameOf(mm)} under ASID ${asid}.`;
      this.#fail('tags', owner === mm ? 'pinned-changed' : 'pinned-shared', now);
    }
  }

  /** A switch has ended: whatever runs is known to the allocator. */
  checkTraces(allocator: Allocator): void {
    for (let cpu = 0; cpu < this.#sizes.cpus; cpu++) {
      const mm = this.runs(cpu);
      const trace = mm < 0 ? undefined : allocator.traceOf(cpu);
      if (trace === undefined || trace === allocator.idOf(mm)) continue;
      const now = `${allocator.show(trace)} for CPU${cpu}, which runs ${this.#nameOf(mm)}, whose id is ${allocator.show(allocator.idOf(mm))}`;
      this.#fail('tags', 'running-not-reserved', `The next roll-over would keep ${now}.`);
    }
  }

  /** The process that accesses of a CPU are for, -1 for none. */
  runs(cpu: number): number {
    return this.isSwitching(cpu) ? -1 : this.running(cpu);
  }

  /** The CPU is in the scheduler. */
  isSwitching(cpu: number): boolean {
    return this.#machine.store.get(this.#switching + cpu) === 1;
  }

  #isFree({ mm, page, version }: Page): boolean {
    const { store } = this.#machine;
    const at = this.#at(mm, page);
    return store.get(this.#versions + at) !== version || store.get(this.#states + at) === FREE;
  }

  #at(mm: number, page: number): number {
    return mm * this.#sizes.pages + page;
  }

  #fail(monitor: string, rule: string, message: string): void {
    this.#machine.fail({ monitor, rule, message });
  }
}
