import type { Machine } from '../../engine/machine.ts';
import { vmName } from './configuration.ts';
import { pageAddress, pageOf, type Page } from './pages.ts';

/** What of the CPUs the contract looks at. */
export interface Hardware {
  /** Physical addresses that an access of the guest that a CPU is in may reach. */
  outcomes(cpu: number, ipa: number): readonly number[];
  /** The VMID that VTTBR_EL2 of a CPU has. */
  vmid(cpu: number): number;
}

/** What of the allocator the contract looks at. */
export interface Allocator {
  /** By what the next roll-over would keep what a CPU runs; undefined while that changes. */
  traceOf(cpu: number): number | undefined;
  /** `vmid.id` of a machine. */
  idOf(vm: number): number;
  /** The VMID of an id. */
  vmidOf(id: number): number;
  /** How a report shows an id. */
  show(id: number): string;
}

/** Sizes. */
interface Sizes {
  readonly cpus: number;
  readonly vms: number;
  readonly pages: number;
}

/** State of the page that a machine has at an address, or had last. */
const [FREE, MAPPED, UNMAPPING] = [0, 1, 2];

/**
 * What KVM promises to the guests. A guest accesses memory from the moment in which a CPU enters it until the next exception.
 *
 * - It reaches pages of its own machine only (`foreign-translation`), and none that was freed (`stale-translation`): a TLB
 *   entry may be used until the page is freed, which is after the flush.
 * - It is entered with the table and under the VMID of its machine (`vttbr-mismatch`, comment above `kvm_arm_vmid_update()` in `arm.c`), and
 *   never under VMID 0, which is the host's (`vmid-zero-entered`, comment above `VMID_ACTIVE_INVALID`).
 * - CPUs that run one machine use one VMID (`tag-split`), or an invalidation by VMID would miss one of them; CPUs that run
 *   two use two (`tag-shared`).
 * - What a CPU runs would be found by the next roll-over, under the id that the machine has now (`running-not-reserved`).
 *   For a CPU that runs nothing none is kept (`idle-reserved`: "to avoid reserving the VMID space needlessly on rollover").
 * - A pinned VMID is that of its machine as long as a device uses it (`pinned-changed`), and of no other (`pinned-shared`).
 */
export class VmidContract {
  readonly #machine: Machine;
  readonly #hardware: Hardware;
  readonly #allocator: Allocator;
  readonly #sizes: Sizes;
  /** For each address of each machine: which of its two pages it has or had last, and the state of that. */
  readonly #versions: number;
  readonly #states: number;
  /** For each CPU: the machine whose guest it is in plus 1. */
  readonly #running: number;
  /** For each machine: the VMID that devices use, 0 for none. */
  readonly #device: number;

  constructor(machine: Machine, hardware: Hardware, allocator: Allocator, sizes: Sizes) {
    this.#machine = machine;
    this.#hardware = hardware;
    this.#allocator = allocator;
    this.#sizes = sizes;
    const { store } = machine;
    const { cpus, vms, pages } = sizes;
    const show = (_at: number, state: number): string => ['free', 'mapped', 'being unmapped'][state] ?? '?';
    this.#versions = store.reserve(vms * pages, 'version of a page');
    this.#states = store.reserve(vms * pages, 'page', show);
    this.#running = store.reserve(cpus, 'guest', (_cpu, vm) => (vm === 0 ? 'none' : vmName(vm - 1)));
    this.#device = store.reserve(vms, 'VMID that devices use');
  }

  /** The machine whose guest a CPU is in, -1 for none. */
  running(cpu: number): number {
    return this.#machine.store.get(this.#running + cpu) - 1;
  }

  /** A CPU goes into the guest of a machine, while VTTBR_EL2 has the table of one. */
  entered(cpu: number, vm: number, table = vm): void {
    this.#machine.store.set(this.#running + cpu, vm + 1);
    if (table !== vm)
      this.#fail('tags', 'vttbr-mismatch', `CPU${cpu} enters ${vmName(vm)} with the table of ${this.#nameOf(table)}.`);
    const vmid = this.#hardware.vmid(cpu);
    const due = this.#allocator.idOf(vm);
    if (vmid === 0) this.#fail('tags', 'vmid-zero-entered', `CPU${cpu} enters ${vmName(vm)} under VMID 0.`);
    else if (vmid !== this.#allocator.vmidOf(due))
      this.#fail(
        'tags',
        'vttbr-mismatch',
        `CPU${cpu} enters ${vmName(vm)} under VMID ${vmid}; the id of ${vmName(vm)} is ${this.#allocator.show(due)}.`,
      );
    this.check();
    this.#checkTraces();
  }

  /** An exception takes a CPU out of a guest, if it is in one. */
  left(cpu: number): void {
    this.#machine.store.set(this.#running + cpu, 0);
  }

  /** A page is mapped, another than the one before. Returns which. */
  mapping(vm: number, page: number): 0 | 1 {
    const { store } = this.#machine;
    const at = this.#at(vm, page);
    const version = store.get(this.#versions + at) === 0 ? 1 : 0;
    store.set(this.#versions + at, version);
    store.set(this.#states + at, MAPPED);
    return version;
  }

  /** Whether one of a machine's pages is mapped, or is unmapped and not free. */
  hasPage(vm: number, state: 'mapped' | 'unmapping'): boolean {
    const wanted = state === 'mapped' ? MAPPED : UNMAPPING;
    for (let page = 0; page < this.#sizes.pages; page++)
      if (this.#machine.store.get(this.#states + this.#at(vm, page)) === wanted) return true;
    return false;
  }

  /** The entry of the mapped page is cleared. */
  unmapping(vm: number, page: number): void {
    this.#machine.store.set(this.#states + this.#at(vm, page), UNMAPPING);
  }

  /** The page that was being unmapped is free. */
  freed(vm: number, page: number): void {
    this.#machine.store.set(this.#states + this.#at(vm, page), FREE);
    this.check();
  }

  /** Devices use a VMID for a machine from now on; 0: they do no more. */
  pinned(vm: number, vmid: number): void {
    this.#machine.store.set(this.#device + vm, vmid);
    this.check();
  }

  /** A roll-over has kept an id for a CPU on which no vCPU is loaded. */
  reservedIdle(cpu: number, id: number): void {
    if (this.#allocator.vmidOf(id) === 0) return;
    const kept = this.#allocator.show(id);
    this.#fail('tags', 'idle-reserved', `A roll-over keeps ${kept} for CPU${cpu}, on which no vCPU is loaded.`);
  }

  /** Something may be reachable that was not. */
  check(): void {
    const { cpus, pages } = this.#sizes;
    for (let cpu = 0; cpu < cpus; cpu++) {
      const vm = this.running(cpu);
      if (vm < 0) continue;
      for (let page = 0; page < pages; page++)
        for (const pa of this.#hardware.outcomes(cpu, pageAddress(page))) this.#checkAccess(cpu, vm, pageOf(pa));
      this.#checkVmid(cpu, vm);
    }
  }

  #checkAccess(cpu: number, vm: number, found: Page): void {
    const what = `CPU${cpu}, in ${vmName(vm)} under VMID ${this.#hardware.vmid(cpu)},`;
    if (found.vm !== vm)
      this.#fail('reach', 'foreign-translation', `${what} can reach page ${found.page} of ${this.#nameOf(found.vm)}.`);
    else if (this.#isFree(found))
      this.#fail('reach', 'stale-translation', `${what} can reach its page ${found.page}, which was freed.`);
  }

  #checkVmid(cpu: number, vm: number): void {
    const vmid = this.#hardware.vmid(cpu);
    for (let other = 0; other < cpu; other++) {
      const theirs = this.running(other);
      if (theirs < 0) continue;
      const same = this.#hardware.vmid(other) === vmid;
      const both = `CPU${other} is in ${vmName(theirs)} under VMID ${this.#hardware.vmid(other)}, CPU${cpu} in ${vmName(vm)} under VMID ${vmid}.`;
      if (theirs === vm && !same) this.#fail('tags', 'tag-split', both);
      if (theirs !== vm && same) this.#fail('tags', 'tag-shared', both);
    }
    for (let owner = 0; owner < this.#sizes.vms; owner++) {
      const device = this.#machine.store.get(this.#device + owner);
      if (device === 0) continue;
      const now = `Devices use VMID ${device} for ${vmName(owner)}; CPU${cpu} is in ${vmName(vm)} under VMID ${vmid}.`;
      if (owner === vm && device !== vmid) this.#fail('tags', 'pinned-changed', now);
      if (owner !== vm && device === vmid) this.#fail('tags', 'pinned-shared', now);
    }
  }

  /** Whatever runs is known to the allocator. */
  #checkTraces(): void {
    const { show } = this.#allocator;
    for (let cpu = 0; cpu < this.#sizes.cpus; cpu++) {
      const vm = this.running(cpu);
      const trace = vm < 0 ? undefined : this.#allocator.traceOf(cpu);
      if (trace === undefined || trace === this.#allocator.idOf(vm)) continue;
      const now = `${show(trace)} for CPU${cpu}, which is in ${vmName(vm)}, whose id is ${show(this.#allocator.idOf(vm))}`;
      this.#fail('tags', 'running-not-reserved', `The next roll-over would keep ${now}.`);
    }
  }

  #isFree({ vm, page, version }: Page): boolean {
    const { store } = this.#machine;
    const at = this.#at(vm, page);
    return store.get(this.#versions + at) !== version || store.get(this.#states + at) === FREE;
  }

  #nameOf(vm: number): string {
    return vm >= 0 && vm < this.#sizes.vms ? vmName(vm) : 'the host';
  }

  #at(vm: number, page: number): number {
    return vm * this.#sizes.pages + page;
  }

  #fail(monitor: string, rule: string, message: string): void {
    this.#machine.fail({ monitor, rule, message });
  }
}
