import { Cell } from '../../../engine/cell.ts';
import type { Machine } from '../../../engine/machine.ts';
import {
  Arm64Context,
  Arm64Tlbflush,
  contextIdCell,
  type Arm64Cpu,
  type Arm64Layout,
  type Arm64MmContext,
  type ContextObserver,
} from '../arm64/index.ts';
import { CORRECT_PARTS, Kernel, type KernelBase, type KernelParts } from '../kernel.ts';
import type { Mm } from '../objects.ts';
import { arm_smmu_check_translated } from '../boot.ts';
import { BtmAts, BtmConfigWriter } from './ats.ts';
import type { BtmConfig } from './config.ts';
import { BtmContext } from './context.ts';
import { BtmDriver } from './driver.ts';
import { BtmMm } from './mm.ts';
import { BtmSva } from './sva.ts';

/** The parts of the kernel, each a class whose routines a hazard may override. */
export interface BtmParts extends Omit<KernelParts, 'context' | 'mm' | 'sva' | 'driver'> {
  readonly context: new (kernel: Kernel) => BtmContext;
  readonly mm: new (kernel: Kernel) => BtmMm;
  readonly sva: new (kernel: Kernel) => BtmSva;
  readonly driver: new (kernel: Kernel) => BtmDriver;
  readonly asidAllocator: new (
    machine: Machine,
    cpu: Arm64Cpu,
    layout: Arm64Layout,
    observer: ContextObserver,
  ) => Arm64Context;
  readonly tlbflush: new (machine: Machine, cpu: Arm64Cpu, kpti?: boolean) => Arm64Tlbflush;
  readonly ats: new (kernel: BtmKernel) => BtmAts;
}

/** The correct kernel. */
export const CORRECT_BTM_PARTS: BtmParts = {
  ...CORRECT_PARTS,
  context: BtmContext,
  mm: BtmMm,
  sva: BtmSva,
  driver: BtmDriver,
  asidAllocator: Arm64Context,
  tlbflush: Arm64Tlbflush,
  configWriter: BtmConfigWriter,
  ats: BtmAts,
};

/** What happens to the processes that CPUs run. Called inside a step. */
export interface ProcessObserver extends ContextObserver {
  /** A CPU is in the scheduler, and runs nothing until it has written TTBR0_EL1. */
  scheduling(cpu: number): void;
  /** A CPU runs no process any more; its TTBR0_EL1 is as it was. */
  stopped(cpu: number): void;
}

/** What the kernel stands on. */
export interface BtmBase extends KernelBase {
  /** Takes `THIS_CPU` for the one whose agent runs the step. */
  readonly cpu: Arm64Cpu;
  readonly observer: ProcessObserver;
  /** PCI configuration space, where ATS is switched on. */
  readonly pciAts: (streamId: number, enabled: boolean) => void;
}

/** `smp_processor_id()`, whatever it is. */
export const THIS_CPU = -1;

/** A kernel whose processes run on CPUs, over one SMMUv3 that may take part in broadcast TLB maintenance. */
export class BtmKernel extends Kernel {
  declare readonly config: BtmConfig;
  declare readonly context: BtmContext;
  declare readonly mm: BtmMm;
  declare readonly sva: BtmSva;
  declare readonly driver: BtmDriver;
  readonly cpu: Arm64Cpu;
  readonly observer: ProcessObserver;
  readonly asidAllocator: Arm64Context;
  readonly tlbflush: Arm64Tlbflush;
  readonly ats: BtmAts;
  readonly pciAts: BtmBase['pciAts'];
  /** Handle of the process whose table each CPU has loaded (`active_mm`), 0: the kernel's own. */
  readonly activeMms: readonly Cell[];
  /** Number of the process that each CPU runs, plus 1; 0 for none. */
  readonly running: readonly Cell[];
  /** 1 once a process has run, or was made by fork. */
  readonly born: readonly Cell[];
  readonly #contexts: readonly Arm64MmContext[];

  constructor(base: BtmBase, config: BtmConfig, parts: Partial<BtmParts> = {}) {
    const use: BtmParts = { ...CORRECT_BTM_PARTS, ...parts };
    super(base, config, use);
    const { machine } = base;
    this.cpu = base.cpu;
    this.observer = base.observer;
    const { cpus, cpuAsids: asids, taken, cnp, kpti } = config;
    this.asidAllocator = new use.asidAllocator(machine, base.cpu, { cpus, asids, taken, cnp, kpti }, base.observer);
    this.tlbflush = new use.tlbflush(machine, base.cpu, kpti);
    this.ats = new use.ats(this);
    this.pciAts = base.pciAts;
    if (config.ats) arm_smmu_check_translated(base.port);
    const cells = (name: string, count: number, internal = false): Cell[] =>
      Array.from({ length: count }, (_, at) => new Cell(machine, `${name} ${at}`, { internal }));
    this.activeMms = cells('active_mm of CPU', cpus, true);
    this.running = cells('runs on CPU', cpus, true);
    this.born = cells('born', config.processes.length, true);
    this.#contexts = config.processes.map((_, process) => this.#contextFields(machine, this.mms.at(process + 1)));
  }

  /** What the ASID allocator knows of a process. */
  contextOf(mm: Mm): Arm64MmContext {
    return this.#contexts[mm.index] as Arm64MmContext;
  }

  #contextFields(machine: Machine, mm: Mm): Arm64MmContext {
    return {
      name: mm.name,
      id: contextIdCell(machine, mm.name),
      pinned: new Cell(machine, `${mm.name}.context.pinned`),
      get pgd() {
        return mm.pgd.value >>> 0;
      },
    };
  }
}
