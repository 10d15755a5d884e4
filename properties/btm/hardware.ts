import type { Machine } from '../../engine/machine.ts';
import type { KvmCpu } from '../../impl/kernel/kvm/index.ts';
import type { GuestTlbi } from '../../impl/kernel/vbtm/index.ts';
import type { PhysicalMemory } from '../../impl/platform/index.ts';
import { CpuTlbs } from '../../model/architecture/arm/cpu/cpu-tlbs.ts';
import type { TlbMaintenance } from '../../model/architecture/arm/cpu/maintenance.ts';
import type { DvmReceiver } from '../../model/architecture/arm/dvm/bus.ts';
import type { Hardware } from '../vmid/contract.ts';
import { IPAS } from './memory-map.ts';

/** Entries, and starts of walks, that a TLB can ever see. */
const CAPACITY = 512;
/** Stage 2 of KVM: one level of 4 KiB pages. */
const STAGE_TWO = { granule: 12, inputBits: 16, ipas: IPAS } as const;

/** Told of what CPUs do, each inside its step. */
export interface CpuWatcher {
  /** A broadcast is about to be executed. `pgd`: of the virtual machine that it is for; undefined: for all. */
  broadcast(cpu: number, pgd: number | undefined, byGuest: boolean): void;
  /** A CPU goes into a guest. */
  entered(cpu: number, pgd: number): void;
  /** An exception takes it out, or it was in none. */
  left(cpu: number): void;
}

/** The CPUs: what KVM and guests tell them goes to the saturated TLBs, and broadcasts to the SMMU too. */
export class BtmHardware implements KvmCpu, Hardware {
  readonly tlbs: CpuTlbs;
  readonly cpus: number;
  readonly #vmidBase: number;
  readonly #watcher: CpuWatcher;
  readonly #machine: Machine;
  /** VTTBR_EL2 of each CPU: table and VMID; 0 and 0 is the host's. */
  readonly #tables: number;
  readonly #vmids: number;

  constructor(
    machine: Machine,
    memory: PhysicalMemory,
    {
      cpus,
      receivers,
      vmidBase,
    }: { readonly cpus: number; readonly receivers: readonly DvmReceiver[]; readonly vmidBase: number },
    watcher: CpuWatcher,
  ) {
    const { store } = machine;
    this.#machine = machine;
    this.#watcher = watcher;
    this.cpus = cpus;
    this.#vmidBase = vmidBase;
    this.tlbs = new CpuTlbs(store, memory, {
      cpus,
      addresses: [],
      common: false,
      capacity: CAPACITY,
      stageTwo: STAGE_TWO,
      receivers,
    });
    this.#tables = store.reserve(cpus, 'VTTBR_EL2.BADDR');
    this.#vmids = store.reserve(cpus, 'VTTBR_EL2.VMID');
    memory.onWrite((pa) => this.tlbs.written(pa));
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
    this.#watcher.entered(cpu, this.#table(cpu));
  }

  enterHyp(cpu: number): void {
    this.tlbs.loadGuest(cpu, undefined);
    this.#watcher.left(cpu);
  }

  enterHost(cpu: number): void {
    if (this.#table(cpu) !== 0) this.#inContext(cpu);
  }

  outcomes(cpu: number, ipa: number): readonly number[] {
    return this.tlbs.guestOutcomes(cpu, ipa);
  }

  vmid(cpu: number): number {
    return this.#machine.store.get(this.#vmids + cpu);
  }

  tlbiIpas2e1is(cpu: number, ipa: number): void {
    this.#tlbi(cpu, { kind: 'IPAS2E1', vmid: this.#numbered(cpu), ipa }, true);
  }

  tlbiIpas2e1(cpu: number, ipa: number): void {
    this.#tlbi(cpu, { kind: 'IPAS2E1', vmid: this.#numbered(cpu), ipa }, false);
  }

  tlbiVmalle1is(cpu: number): void {
    this.#tlbi(cpu, { kind: 'VMALLE1', vmid: this.#numbered(cpu) }, true);
  }

  tlbiVmalle1(cpu: number): void {
    this.#tlbi(cpu, { kind: 'VMALLE1', vmid: this.#numbered(cpu) }, false);
  }

  tlbiVmalls12e1is(cpu: number): void {
    this.#tlbi(cpu, { kind: 'VMALLS12E1', vmid: this.#numbered(cpu) }, true);
  }

  tlbiAlle1is(cpu: number): void {
    this.#watcher.broadcast(cpu, undefined, false);
    this.tlbs.tlbi(cpu, { kind: 'ALLE1' }, true);
  }

  tlbiAlle1(cpu: number): void {
    this.#tlbi(cpu, { kind: 'ALLE1' }, false);
  }

  dsbNsh(cpu: number): void {
    this.tlbs.dsb(cpu, false);
  }

  dsbIsh(cpu: number): void {
    this.tlbs.dsb(cpu, true);
  }

  /** A guest executes a TLBI, which concerns its VMID (Arm ARM D8.17.5). */
  guestTlbi(cpu: number, tlbi: GuestTlbi, shareable: boolean): void {
    const vmid = this.#numbered(cpu);
    if (shareable) this.#watcher.broadcast(cpu, this.#table(cpu), true);
    this.tlbs.tlbi(cpu, { ...tlbi, vmid }, shareable);
  }

  #tlbi(cpu: number, maintenance: TlbMaintenance, broadcast: boolean): void {
    if (broadcast) this.#watcher.broadcast(cpu, this.#table(cpu), false);
    this.tlbs.tlbi(cpu, maintenance, broadcast);
  }

  /** EL1 runs by what VTTBR_EL2 says. */
  #inContext(cpu: number): void {
    this.tlbs.loadGuest(cpu, { table: this.#table(cpu), vmid: this.#numbered(cpu) });
  }

  /** The VMID in VTTBR_EL2 as hardware has it; 0 is the host's. */
  #numbered(cpu: number): number {
    const vmid = this.vmid(cpu);
    return vmid === 0 ? 0 : vmid + this.#vmidBase;
  }

  #table(cpu: number): number {
    return this.#machine.store.get(this.#tables + cpu) >>> 0;
  }
}
