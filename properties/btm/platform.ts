import type { Machine } from '../../engine/machine.ts';
import { attachedOf, type NestedParts } from '../../impl/kernel/nested/index.ts';
import { generationOf } from '../../impl/kernel/generations/index.ts';
import { showVmid, vmidOf } from '../../impl/kernel/kvm/index.ts';
import {
  CACHE,
  DeviceProbe,
  vbtmConfig,
  vbtmKernelConfig,
  VbtmKernel,
  type VbtmConfig,
  type VbtmParts,
} from '../../impl/kernel/vbtm/index.ts';
import { PhysicalMemory } from '../../impl/platform/index.ts';
import { FULL_FEATURES, type SmmuFeatures } from '../../model/architecture/arm/layout/features.ts';
import { EVENT } from '../../model/architecture/arm/layout/index.ts';
import { PERMISSION, type Outcome } from '../../model/architecture/arm/outcomes/outcome.ts';
import { SmmuV3 } from '../../model/architecture/arm/smmuv3.ts';
import { Contract } from '../../model/contract/contract.ts';
import type { ContractEvent } from '../../model/contract/events.ts';
import { InvalidationMonitor, type CoveredEntry, type MaintenanceKind } from '../../model/contract/invalidation.ts';
import { observe, type Vocabulary } from '../../model/contract/observe.ts';
import type { Violation } from '../../model/contract/violation.ts';
import { related, type ContractWorld } from '../../model/contract/world.ts';
import { CommandCounter } from '../cost/commands.ts';
import type { Costs } from '../cost/scenario.ts';
import { VmidContract } from '../vmid/contract.ts';
import { tableAddress, TABLES } from '../vmid/pages.ts';
import { TlbCommands, type TlbCommand } from './charges.ts';
import type { BtmConfiguration } from './configuration.ts';
import { BtmHardware } from './hardware.ts';
import { Machines, MACHINES_ALL, type KvmParts } from './machines.ts';
import { ADDRESSES, IPAS } from './memory-map.ts';
import { kvmSpace } from './naming.ts';
import type { Witnesses } from './witnesses.ts';

/** Replaced routines of the SMMU's driver, of KVM, or of the guest. */
export type BtmParts = VbtmParts & KvmParts;

const WORDS: Vocabulary = {
  missing: [EVENT.F_TRANSLATION],
  conflict: [EVENT.F_TLB_CONFLICT, EVENT.F_CFG_CONFLICT],
  read: PERMISSION.UR,
  write: PERMISSION.UW,
};
const FEATURES: SmmuFeatures = { ...FULL_FEATURES, sidSize: 6, ssidSize: 0, bbml: 0, ats: false, ril: true, btm: true };
const ASIDS = 16;
/** The greatest VMID of 8 bits, and how many of KVM's numbers are not greater where that matters. */
const VMIDS_SMALL = 0xff;
const FITTING = 2;

/** What the world gives to it. */
interface Surroundings {
  readonly witnesses: Witnesses;
  readonly cpuNow: () => number;
  readonly report: (violation: Violation) => void;
  readonly cost: boolean;
}

/** Hardware, software and contracts of a world, tied to each other. */
export class Platform {
  readonly kernel: VbtmKernel;
  readonly architecture: SmmuV3;
  readonly hardware: BtmHardware;
  readonly machines: Machines;
  readonly contract: Contract<Outcome>;
  /** The contract of what runs on the CPUs. */
  readonly virtual: VmidContract;
  readonly costs: Costs;
  readonly #around: Surroundings;
  readonly #world: ContractWorld;
  /** On whose behalf the maintenance of this step is, -1: all or nobody. */
  #behalf = -1;
  readonly #nesting: VbtmConfig;
  readonly #firstGuestSpace: number;
  readonly #pins: boolean;

  constructor(machine: Machine, configuration: BtmConfiguration, parts: Partial<BtmParts>, around: Surroundings) {
    this.#around = around;
    const { cpus, vmids, stage1, vmid16 } = configuration;
    const design = new (parts.probe ?? DeviceProbe)().design(configuration.design, stage1, vmid16);
    // Where the SMMU has VMIDs of 8 bits, a few of KVM's are left that fit.
    const vmidBase = vmid16 ? 0 : VMIDS_SMALL - FITTING;
    const { store } = machine;
    const nesting = vbtmConfig(design, vmids, stage1, vmidBase);
    const config = vbtmKernelConfig(design, ADDRESSES);
    this.#nesting = nesting;
    this.#firstGuestSpace = nesting.firstGuestSpace;
    this.#pins = design === 'pinned';
    const memory = new PhysicalMemory(store, [
      config.memory,
      nesting.guestMemory,
      { base: TABLES, frames: MACHINES_ALL },
    ]);
    const slots = config.streams.flatMap((streamId) => ADDRESSES.map((va) => ({ streamId, substream: -1, va })));
    const features = { ...FEATURES, stage1, vmid16 };
    this.architecture = new SmmuV3(store, memory, features, { slots }, { entries: 1 << 13, commands: 1 << 10 });
    memory.onWrite((pa) => this.architecture.memoryWritten(pa));
    this.hardware = new BtmHardware(
      machine,
      memory,
      { cpus, receivers: [this.architecture.dvm], vmidBase },
      this.#watcher(),
    );
    this.machines = new Machines(
      machine,
      {
        memory,
        hardware: this.hardware,
        vmidBase,
        contract: () => this.virtual,
        cpuNow: around.cpuNow,
        noted: (note) => around.witnesses.ofAllocator(note),
      },
      configuration,
      parts,
    );
    this.virtual = new VmidContract(machine, this.hardware, this.#allocator(), {
      cpus,
      vms: MACHINES_ALL,
      pages: IPAS.length,
    });
    memory.onWrite((pa) => {
      if (pa >= TABLES && pa < tableAddress(MACHINES_ALL)) this.virtual.check();
    });
    this.#world = contractWorld(nesting);
    this.contract = new Contract({
      store,
      world: this.#world,
      use: this.#use(),
      observe: (outcome) => observe(outcome, WORDS),
      report: around.report,
    });
    const counter = new CommandCounter(this.architecture, memory);
    this.costs = { invalidations: this.#monitor(configuration.design === 'private' && stage1), commands: counter };
    const port = new TlbCommands(counter, memory, (command) => this.#commanded(command));
    this.architecture.onInvalidation((entry, { by }) => this.#covered(entry, by));
    const { side, guestCpu } = this.machines;
    const sink = { emit: (event: ContractEvent): void => this.#emit(event) };
    const base = { machine, memory, port, sink, pciAts: () => undefined, kvm: side, guestCpu };
    this.kernel = new VbtmKernel(base, config, nesting, parts as Partial<NestedParts> & Partial<VbtmParts>);
    this.machines.connect(this.kernel.iommufd, nesting.machines);
  }

  /** Called after each step. */
  afterStep(): void {
    this.contract.check(this.architecture);
    this.costs.invalidations.settle();
    this.#behalf = -1;
  }

  /** The world is at its initial state: nothing has changed. */
  clearChanges(): void {
    this.architecture.takeDirtySlots();
    this.contract.translation.narrowed.clear();
  }

  /** What the monitors of tags and tables ask of the architecture. */
  #use() {
    const { architecture, hardware } = this;
    const tableHeld = (pa: number, size: number) => architecture.tableHeld(pa, size);
    // A guest's ASIDs are its own, under its VMID.
    const smmu = {
      asidInUse: (asid: number) => architecture.asidInUse(asid, 0),
      vmidInUse: (vmid: number) => architecture.vmidInUse(vmid),
    };
    const cpus = { asidInUse: () => undefined, vmidInUse: (vmid: number) => hardware.tlbs.vmidInUse(vmid) };
    return { tableHeld, ...smmu, caches: [smmu, cpus] };
  }

  #watcher() {
    return {
      broadcast: (_cpu: number, pgd: number | undefined, byGuest: boolean): void => {
        const machine = pgd === undefined ? -1 : machineOf(pgd);
        const space =
          machine < 0 ? 'all' : byGuest ? this.#firstGuestSpace : kvmSpace({ nesting: this.#nesting }, machine);
        this.#behalf = space === 'all' ? -1 : space;
        this.#emit({ type: 'tlbi', by: 'broadcast', space });
      },
      entered: (cpu: number, pgd: number): void => {
        const machine = machineOf(pgd);
        const space = kvmSpace({ nesting: this.#nesting }, machine);
        const vmid = this.hardware.vmid(cpu);
        const tag = vmid + this.#nesting.vmidBase;
        const others = this.#othersRun(cpu, machine, vmid);
        this.virtual.entered(cpu, machine, machine);
        if (!others) this.#emit({ type: 'tag.assign', kind: 'vmid', tag, space, cache: CACHE.CPU });
      },
      left: (cpu: number): void => {
        const machine = this.virtual.running(cpu);
        if (machine < 0) return;
        this.virtual.left(cpu);
        const vmid = this.hardware.vmid(cpu);
        const tag = vmid + this.#nesting.vmidBase;
        if (this.#othersRun(cpu, machine, vmid)) return;
        this.#emit({
          type: 'tag.release',
          kind: 'vmid',
          tag,
          space: kvmSpace({ nesting: this.#nesting }, machine),
          cache: CACHE.CPU,
        });
      },
    };
  }

  /** Whether another CPU is in a machine under a VMID. */
  #othersRun(cpu: number, machine: number, vmid: number): boolean {
    for (let other = 0; other < this.hardware.cpus; other++)
      if (other !== cpu && this.virtual.running(other) === machine && this.hardware.vmid(other) === vmid) return true;
    return false;
  }

  #allocator() {
    return {
      traceOf: (cpu: number) => this.machines.vmid.traceOf(cpu),
      idOf: (machine: number) => this.machines.side.kvm(machine).id.peek(0),
      vmidOf,
      show: (id: number) => (generationOf(id) === 0 ? 'none' : showVmid(id)),
    };
  }

  /** @param shares VMIDs of two allocators may be the same: entries are lost, and nothing is wrong. */
  #monitor(shares: boolean): InvalidationMonitor {
    const { architecture } = this;
    const held = (): number => architecture.heldTranslations().filter(({ kind }) => kind === 'translation').length;
    const use = {
      ownerOf: (entry: CoveredEntry) => this.#ownerOf(entry.vmid, entry.stage === 2),
      isPrivate: () => false,
      ...(this.#around.cost ? { held } : {}),
    };
    return new InvalidationMonitor(this.#world, use, shares ? [] : ['unrelated', 'private']);
  }

  /** The space in whose name the SMMU has an entry: stage 2, or the guest's stage 1 on top of its own. */
  #ownerOf(vmid: number, stage2: boolean): number | undefined {
    const [owner] = this.contract.tags.owners('vmid', vmid, CACHE.SMMU);
    return owner === this.#nesting.parentPlace && !stage2 ? this.#firstGuestSpace : owner;
  }

  #commanded({ vmid, stage2 }: TlbCommand): void {
    const space = this.#ownerOf(vmid, stage2) ?? 'all';
    this.#behalf = space === 'all' ? -1 : space;
    this.#emit({ type: 'tlbi', by: 'command', space });
  }

  #covered(entry: CoveredEntry, by: MaintenanceKind): void {
    const verdict = this.costs.invalidations.covered(entry, by);
    if (verdict !== undefined) this.#around.report(verdict);
    if (by === 'command' || !entry.required || this.#behalf < 0) return;
    const owner = this.#ownerOf(entry.vmid, entry.stage === 2);
    const { witnesses } = this.#around;
    if (owner === this.#behalf && !entry.valid) witnesses.reach('guestTlbi');
    if (owner === undefined || owner === this.#behalf || !entry.valid) return;
    witnesses.reach(related(this.#world, owner, this.#behalf) ? 'machineLoss' : 'unrelatedLoss');
  }

  #emit(event: ContractEvent): void {
    this.contract.emit(event);
    this.costs.invalidations.on(event);
    const { witnesses } = this.#around;
    if (event.type === 'unmap.begin') this.#unmapping(event.space);
    if ((event.type !== 'tag.assign' && event.type !== 'tag.release') || event.kind !== 'vmid') return;
    const { machineOf: machines } = this.#nesting;
    if (event.cache === CACHE.CPU) return;
    if (event.type === 'tag.assign') witnesses.assigned(event.tag, event.space);
    const machine = machines[event.space] ?? -1;
    if (machine < 0 || !this.#pins) return;
    this.virtual.pinned(machine, event.type === 'tag.assign' ? event.tag - this.#nesting.vmidBase : 0);
    if (event.type === 'tag.assign') witnesses.reach('pinned');
    else if (!this.machines.side.isOpen(machine)) witnesses.reach('kvmOutlives');
  }

  /** A space loses pages: who may be using it. */
  #unmapping(space: number): void {
    const { devices, guest } = this.kernel;
    const nested = devices.filter((device) => attachedOf(device.attached.value).kind === 'nested');
    const reaching = nested.some(({ index }) => this.#reaches(index));
    if (!reaching) return;
    if (space === this.#nesting.parentPlace) this.#around.witnesses.reach('unmapNested');
    if (space >= this.#firstGuestSpace && guest.privateAsids) this.#around.witnesses.reach('guestCommand');
  }

  /** Whether a device may reach memory. */
  #reaches(device: number): boolean {
    const { streamIds, slots } = this.architecture.universe;
    return slots.some(
      ({ streamId }, slot) =>
        streamId === streamIds[device] && this.architecture.outcomes(slot).some(({ kind }) => kind === 'translation'),
    );
  }
}

function machineOf(pgd: number): number {
  return (pgd - TABLES) / 4096;
}

function contractWorld(nesting: VbtmConfig): ContractWorld {
  const {
    firstGuestSpace,
    guestSpaces,
    parentPlace,
    machineOf: machines,
    vmidMax,
    kvmVmids,
    vmidBase,
    design,
  } = nesting;
  const guests = Array.from({ length: guestSpaces }, (_, index) => firstGuestSpace + index);
  const kvm = (machine: number): number => kvmSpace({ nesting }, machine);
  const ofMachine = (machine: number): number[] => [
    ...machines.flatMap((each, place) => (each === machine ? [place] : [])),
    ...(machine === machines[parentPlace] ? guests : []),
    kvm(machine),
  ];
  return {
    streams: vbtmKernelConfig(design, ADDRESSES).streams.map((stream) => ({ stream, substream: 0 })),
    spaces: kvm(MACHINES_ALL),
    pages: ADDRESSES,
    tags: ASIDS,
    vmids: Math.max(vmidMax, vmidBase + kvmVmids + 1) + 1,
    nested: guests.map((space) => ({ space, parent: parentPlace })),
    caches: ['SMMU', 'TLBs of the CPUs'],
    machines: Array.from({ length: nesting.machines }, (_, machine) => ofMachine(machine)),
    // Of design `disjoint` it shows in what is invalidated.
    ...(design === 'pinned' ? { disjoint: ['vmid' as const] } : {}),
  };
}
