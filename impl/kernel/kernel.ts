import { Cell } from '../../engine/cell.ts';
import { HarnessError } from '../../engine/failure.ts';
import type { Machine } from '../../engine/machine.ts';
import { ObjectPool } from '../../engine/object.ts';
import { Mutex } from '../../engine/sync/lock.ts';
import type { ContractEvent, EventSink } from '../../model/contract/events.ts';
import { CpuMemory, PageAllocator, type Memory, type PhysicalMemory, type SmmuPort } from '../platform/index.ts';
import { AsidXa, type AsidOwner } from './asid-xa.ts';
import { arm_smmu_device_reset } from './boot.ts';
import { CommandQueue } from './cmdq.ts';
import type { KernelConfig } from './config.ts';
import { ArmSmmuConfigWriter } from './config-writer.ts';
import { MmContext } from './context.ts';
import { DmaIommu } from './dma-iommu.ts';
import { FailNth } from './fail-nth.ts';
import { ArmSmmuDriver } from './driver.ts';
import { ArmLpaeIoPgtable } from './io-pgtable.ts';
import { ArmMm } from './mm.ts';
import {
  domainFields,
  masterFields,
  mmFields,
  sharedCdFields,
  type Domain,
  type Master,
  type Mm,
  type SharedCd,
} from './objects.ts';
import { PageOwnership } from './ownership.ts';
import { ArmSmmuSva } from './sva.ts';
import { ArmSmmuTlb } from './tlb.ts';

/** The parts of the kernel, each a class whose routines a hazard may override. */
export interface KernelParts {
  readonly configWriter: new (kernel: Kernel) => ArmSmmuConfigWriter;
  readonly tlb: new (kernel: Kernel) => ArmSmmuTlb;
  readonly pgtable: new (kernel: Kernel) => ArmLpaeIoPgtable;
  readonly driver: new (kernel: Kernel) => ArmSmmuDriver;
  readonly context: new (kernel: Kernel) => MmContext;
  readonly mm: new (kernel: Kernel) => ArmMm;
  readonly sva: new (kernel: Kernel) => ArmSmmuSva;
  readonly dma: new (kernel: Kernel) => DmaIommu;
}

/** The correct kernel. */
export const CORRECT_PARTS: KernelParts = {
  configWriter: ArmSmmuConfigWriter,
  tlb: ArmSmmuTlb,
  pgtable: ArmLpaeIoPgtable,
  driver: ArmSmmuDriver,
  context: MmContext,
  mm: ArmMm,
  sva: ArmSmmuSva,
  dma: DmaIommu,
};

/** What a kernel stands on. */
export interface KernelBase {
  readonly machine: Machine;
  /** Holds the region `config.memory`. */
  readonly memory: PhysicalMemory;
  readonly port: SmmuPort;
  /** Where promises go. */
  readonly sink: EventSink;
}

const CMDQ_LOG2_ENTRIES = 7;

/**
 * Kernel software over one SMMUv3: its objects in the store, its structures in memory, and the parts that work on them.
 * Making one lays out the store and boots the SMMU, so it must be done before a program runs.
 */
export class Kernel {
  readonly config: KernelConfig;
  readonly machine: Machine;
  /** Memory as the CPU that runs sees it. */
  readonly memory: Memory;
  readonly pages: PageAllocator;
  /** Asked at each allocation of memory, of an ASID or of an IOVA. */
  readonly failNth: FailNth;
  readonly cmdq: CommandQueue;
  readonly asids: AsidXa;
  /** `arm_smmu_asid_lock`: over owners of ASIDs, devices of a domain, and context descriptors. */
  readonly asidLock: Mutex;
  readonly domains: ObjectPool<Domain>;
  readonly mms: ObjectPool<Mm>;
  readonly sharedCds: ObjectPool<SharedCd>;
  readonly masters: readonly Master[];
  /** Handle of the domain in each place where a caller keeps one; 0: none, -1: being made or freed. */
  readonly domainSlots: readonly Cell[];
  /** Operations under way in each of these places. */
  readonly domainUsers: readonly Cell[];
  /** 1 while the caller holds the first user reference of a process. */
  readonly alive: readonly Cell[];
  /** Address + 1 of the mapping that each DMA buffer has, 0: none, -1: busy. */
  readonly buffers: readonly Cell[];
  readonly ownership: PageOwnership;

  readonly configWriter: ArmSmmuConfigWriter;
  readonly tlb: ArmSmmuTlb;
  readonly pgtable: ArmLpaeIoPgtable;
  readonly driver: ArmSmmuDriver;
  readonly context: MmContext;
  readonly mm: ArmMm;
  readonly sva: ArmSmmuSva;
  readonly dma: DmaIommu;

  readonly #sink: EventSink;

  constructor(base: KernelBase, config: KernelConfig, parts: Partial<KernelParts> = {}) {
    const { machine, memory, port, sink } = base;
    const use: KernelParts = { ...CORRECT_PARTS, ...parts };
    this.config = config;
    this.machine = machine;
    this.memory = machine.buffers === undefined ? memory : new CpuMemory(memory, machine.buffers);
    this.#sink = sink;
    this.pages = new PageAllocator(machine, this.memory, config.memory, 2 ** config.granule);
    this.failNth = new FailNth(machine);
    this.asids = new AsidXa(machine, config.asidMax);
    this.asidLock = new Mutex(machine, 'asid_lock');
    this.domains = new ObjectPool(machine, 'domain', config.objects, domainFields);
    this.mms = new ObjectPool(machine, 'mm', config.processes.length, mmFields);
    this.sharedCds = new ObjectPool(machine, 'cd', config.objects, sharedCdFields);
    this.domainSlots = this.#cells('domain slot', config.domains + 1);
    this.domainUsers = this.#cells('domain users', config.domains + 1, true);
    this.alive = this.#cells('alive', config.processes.length);
    this.buffers = this.#cells('buffer', config.iovas.length + 1);

    const strtab = this.pages.alloc();
    this.cmdq = new CommandQueue(machine, memory, port, this.pages.alloc(), CMDQ_LOG2_ENTRIES);
    this.masters = config.streams.map((streamId, index) => {
      if (streamId >= 64) throw new HarnessError(`StreamID ${streamId} is outside the stream table`);
      const place = { index, streamId, ste: strtab + streamId * 64, cdTable: this.pages.alloc() };
      return masterFields(machine, { ...place, processes: config.processes.length });
    });

    this.configWriter = new use.configWriter(this);
    this.tlb = new use.tlb(this);
    this.pgtable = new use.pgtable(this);
    this.driver = new use.driver(this);
    this.context = new use.context(this);
    this.mm = new use.mm(this);
    this.sva = new use.sva(this);
    this.dma = new use.dma(this);
    const { pageBytes, blockBytes } = this.pgtable;
    this.ownership = new PageOwnership(machine, this.spaces, config.pages, pageBytes, blockBytes);
    arm_smmu_device_reset(this, port, strtab);
    for (const asid of config.processes) this.#createProcess(asid);
  }

  /** Number of spaces: private domains, processes, and one for short-lived domains (`asidPressure`). */
  get spaces(): number {
    return this.config.domains + this.config.processes.length + 1;
  }

  /** Space of a process. */
  spaceOfProcess(process: number): number {
    return this.config.domains + process;
  }

  /** Index of the place that short-lived domains use; their space is the last one. */
  get spareSlot(): number {
    return this.config.domains;
  }

  /** Space of the domain in a place. */
  spaceOfSlot(slot: number): number {
    return slot === this.spareSlot ? this.spaces - 1 : slot;
  }

  /** Tells the monitors of a promise. Inside a step, or during set-up. */
  emit(event: ContractEvent): void {
    this.#sink.emit(event);
  }

  /** `kzalloc` of an object inside a step: its handle, 0 if there is no memory. */
  kzalloc(pool: ObjectPool<unknown>): number {
    return this.failNth.shouldFail() ? 0 : pool.alloc();
  }

  /** `xa_alloc` of an ASID inside a step: 0 if there is none, or no memory. */
  allocAsid(owner: AsidOwner): number {
    return this.failNth.shouldFail() ? 0 : this.asids.alloc(owner);
  }

  /** The devices in a bit set. */
  mastersOf(set: number): Master[] {
    return this.masters.filter(({ index }) => ((set >>> index) & 1) === 1);
  }

  #cells(name: string, count: number, internal = false): Cell[] {
    return Array.from({ length: count }, (_, at) => new Cell(this.machine, `${name} ${at}`, { internal }));
  }

  #createProcess(asid: number): void {
    const handle = this.mms.alloc();
    const mm = this.mms.at(handle);
    mm.id.value = this.spaceOfProcess(mm.index);
    mm.asid.value = asid;
    mm.mm_users.value = 1;
    mm.mm_count.value = 1;
    mm.pgd.value = this.pgtable.allocPage();
    const alive = this.alive[mm.index] as Cell;
    alive.value = 1;
  }
}
