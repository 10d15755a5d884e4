import type { Machine } from '../../engine/machine.ts';
import type { KvmCpu } from '../../impl/kernel/kvm/index.ts';
import type { PhysicalMemory } from '../../impl/platform/index.ts';
import { CpuTlbs } from '../../model/architecture/arm/cpu/cpu-tlbs.ts';
import type { VmidConfiguration } from './configuration.ts';
import type { Hardware } from './contract.ts';
import { pageAddress } from './pages.ts';

/** Entries, and starts of walks, that a TLB can ever see: each machine under each VMID with each of its pages, twice. */
const CAPACITY = 512;
/** One level of 16 pages. */
const STAGE_TWO = { granule: 12, inputBits: 16 } as const;

/** Who hears when a CPU goes into a guest and out of it. */
export interface GuestListener {
  entered(cpu: number, pgd: number): void;
  left(cpu: number): void;
}

/** The CPUs: what KVM tells them goes to the saturated TLBs. */
export class VmidHardware implements KvmCpu, Hardware {
  readonly #machine: Machine;
  readonly #tlbs: CpuTlbs;
  readonly #listener: GuestListener;
  /** VTTBR_EL2 of each CPU: the table, and the VMID; table 0 is the host's. */
  readonly #tables: number;
  readonly #vmids: number;

  constructor(
    machine: Machine,
    memory: PhysicalMemory,
    { cpus, pages, cnp }: VmidConfiguration,
    listener: GuestListener,
  ) {
    this.#machine = machine;
    this.#listener = listener;
    const ipas = Array.from({ length: pages }, (_, page) => pageAddress(page));
    const stageTwo = { ...STAGE_TWO, ipas };
    this.#tlbs = new CpuTlbs(machine.store, memory, { cpus, addresses: [], common: cnp, capacity: CAPACITY, stageTwo });
    memory.onWrite((pa) => this.#tlbs.written(pa));
    this.#tables = machine.store.reserve(cpus, 'VTTBR', (_cpu, table) => (table === 0 ? 'host' : 'a guest'));
    this.#vmids = machine.store.reserve(cpus, 'VTTBR.VMID');
  }

  outcomes(cpu: number, ipa: number): readonly number[] {
    return this.#tlbs.guestOutcomes(cpu, ipa);
  }

  vmid(cpu: number): number {
    return this.#machine.store.get(this.#vmids + cpu);
  }

  writeVttbr(cpu: number, pgd: number, vmid: number): void {
    this.#machine.store.set(this.#tables + cpu, pgd);
    this.#machine.store.set(this.#vmids + cpu, vmid);
  }

  writeHostVttbr(cpu: number): void {
    this.writeVttbr(cpu, 0, 0);
  }

  enterGuest(cpu: number): void {
    this.#inContext(cpu);
    this.#listener.entered(cpu, this.#table(cpu));
  }

  enterHyp(cpu: number): void {
    this.#tlbs.loadGuest(cpu, undefined);
    this.#listener.left(cpu);
  }

  enterHost(cpu: number): void {
    if (this.#table(cpu) !== 0) this.#inContext(cpu);
  }

  tlbiIpas2e1is(cpu: number, ipa: number): void {
    this.#tlbs.tlbi(cpu, { kind: 'IPAS2E1', vmid: this.vmid(cpu), ipa }, true);
  }

  tlbiIpas2e1(cpu: number, ipa: number): void {
    this.#tlbs.tlbi(cpu, { kind: 'IPAS2E1', vmid: this.vmid(cpu), ipa }, false);
  }

  tlbiVmalle1is(cpu: number): void {
    this.#tlbs.tlbi(cpu, { kind: 'VMALLE1', vmid: this.vmid(cpu) }, true);
  }

  tlbiVmalle1(cpu: number): void {
    this.#tlbs.tlbi(cpu, { kind: 'VMALLE1', vmid: this.vmid(cpu) }, false);
  }

  tlbiVmalls12e1is(cpu: number): void {
    this.#tlbs.tlbi(cpu, { kind: 'VMALLS12E1', vmid: this.vmid(cpu) }, true);
  }

  tlbiAlle1is(cpu: number): void {
    this.#tlbs.tlbi(cpu, { kind: 'ALLE1' }, true);
  }

  tlbiAlle1(cpu: number): void {
    this.#tlbs.tlbi(cpu, { kind: 'ALLE1' }, false);
  }

  dsbNsh(cpu: number): void {
    this.#tlbs.dsb(cpu, false);
  }

  dsbIsh(cpu: number): void {
    this.#tlbs.dsb(cpu, true);
  }

  /** EL1 runs by what VTTBR_EL2 says. */
  #inContext(cpu: number): void {
    this.#tlbs.loadGuest(cpu, { table: this.#table(cpu), vmid: this.vmid(cpu) });
  }

  #table(cpu: number): number {
    return this.#machine.store.get(this.#tables + cpu) >>> 0;
  }
}
