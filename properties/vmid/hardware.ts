import type { Machine } from '../../engine/machine.ts';
import type { KvmCpu } from '../../impl/kernel/kvm/index.ts';
import type { PhysicalMemory } from '../../impl/platform/index.ts';
import { CpuTlbs } from '../../model/architecture/arm/cpu/cpu-tlbs.ts';
import type { VmidConfiguration } from './configuration.ts';
import type { Hardware } from './contract.ts';
import { pageAddress, tableAddress } from './pages.ts';

/** Entries, and starts of walks, that a TLB can ever see: each machine under each VMID with each of its pages, twice. */
const CAPACITY = 768;
/** One level of 16 pages. */
const STAGE_TWO = { granule: 12, inputBits: 16 } as const;

/** Who hears when a CPU goes into a guest and out of it. */
export interface GuestListener {
  entered(cpu: number, pgd: number): void;
  left(cpu: number): void;
}

/** Where a CPU executes. */
const [HOST, GUEST, HYP] = [0, 1, 2];

/** The CPUs: what KVM tells them goes to the saturated TLBs. */
export class VmidHardware implements KvmCpu, Hardware {
  readonly #machine: Machine;
  readonly #configuration: VmidConfiguration;
  readonly #tlbs: CpuTlbs;
  readonly #listener: GuestListener;
  /** VTTBR_EL2 of each CPU: the table, and the VMID; table 0 is the host's. */
  readonly #tables: number;
  readonly #vmids: number;
  /** For each CPU: `HOST`, `GUEST` or `HYP`; and the table that walks are going on from since it is there, 0 for none. */
  readonly #levels: number;
  readonly #walked: number;
  /** For each CPU: 1 while walks for EL1 get nowhere. */
  readonly #blocked: number;

  constructor(machine: Machine, memory: PhysicalMemory, configuration: VmidConfiguration, listener: GuestListener) {
    this.#machine = machine;
    this.#configuration = configuration;
    this.#listener = listener;
    const { cpus, pages, cnp, vhe } = configuration;
    const ipas = Array.from({ length: pages }, (_, page) => pageAddress(page));
    const stageTwo = { ...STAGE_TWO, ipas };
    this.#tlbs = new CpuTlbs(machine.store, memory, { cpus, addresses: [], common: cnp, capacity: CAPACITY, stageTwo });
    memory.onWrite((pa) => this.#tlbs.written(pa));
    this.#tables = machine.store.reserve(cpus, 'VTTBR');
    this.#vmids = machine.store.reserve(cpus, 'VTTBR.VMID');
    this.#levels = machine.store.reserve(cpus, 'EL');
    this.#walked = machine.store.reserve(cpus, 'walked');
    this.#blocked = machine.store.reserve(cpus, 'walks blocked');
    for (let cpu = 0; cpu < cpus; cpu++) machine.store.set(this.#levels + cpu, vhe ? HYP : HOST);
  }

  outcomes(cpu: number, ipa: number): readonly number[] {
    return this.#tlbs.guestOutcomes(cpu, ipa);
  }

  vmid(cpu: number): number {
    return this.#machine.store.get(this.#vmids + cpu);
  }

  /** Whether VTTBR_EL2 has a guest's table. */
  hasGuest(cpu: number): boolean {
    return this.#table(cpu) !== 0;
  }

  /** A walk that goes on from before may leave under the new VMID what it finds in the old table (R_LFHQG). */
  writeVttbr(cpu: number, pgd: number, vmid: number): void {
    const { store } = this.#machine;
    const walked = store.get(this.#walked + cpu) >>> 0;
    if (walked !== 0 && pgd !== 0) this.#tlbs.loadGuest(cpu, { table: walked, vmid });
    store.set(this.#tables + cpu, pgd);
    store.set(this.#vmids + cpu, vmid);
    this.#follow(cpu);
  }

  writeHostVttbr(cpu: number): void {
    this.writeVttbr(cpu, 0, 0);
  }

  enterGuest(cpu: number): void {
    this.#enter(cpu, GUEST);
    this.#listener.entered(cpu, this.#table(cpu));
  }

  enterHyp(cpu: number): void {
    const level = this.#machine.store.get(this.#levels + cpu);
    const walked = level === HOST ? tableAddress(this.#configuration.vms) : this.#table(cpu);
    if (level !== HYP) this.#machine.store.set(this.#walked + cpu, walked);
    this.#enter(cpu, HYP);
    this.#listener.left(cpu);
  }

  enterHost(cpu: number): void {
    this.#enter(cpu, HOST);
  }

  dsbWalks(cpu: number): void {
    this.#machine.store.set(this.#walked + cpu, 0);
  }

  blockWalks(cpu: number, blocked: boolean): void {
    this.#machine.store.set(this.#blocked + cpu, blocked ? 1 : 0);
    this.#follow(cpu);
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

  #enter(cpu: number, level: number): void {
    this.#machine.store.set(this.#levels + cpu, level);
    this.#follow(cpu);
  }

  /** What the CPU may begin to walk now: at EL1 by VTTBR_EL2, at EL2 nothing, unless it has the errata about AT. */
  #follow(cpu: number): void {
    const { store } = this.#machine;
    const isHyp = store.get(this.#levels + cpu) === HYP;
    const mayWalk = !isHyp || (this.#configuration.speculativeAt && store.get(this.#blocked + cpu) === 0);
    const table = mayWalk ? this.#table(cpu) : 0;
    const context = table === 0 ? undefined : { table, vmid: this.vmid(cpu) };
    const before = this.#tlbs.loadedGuest(cpu);
    if (before?.table !== context?.table || before?.vmid !== context?.vmid) this.#tlbs.loadGuest(cpu, context);
  }

  #table(cpu: number): number {
    return this.#machine.store.get(this.#tables + cpu) >>> 0;
  }
}
