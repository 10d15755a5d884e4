import type { Failure } from '../../engine/failure.ts';
import type { Machine } from '../../engine/machine.ts';
import { ctxid2asid, showContextId, type Arm64Tlbi } from '../../impl/kernel/arm64/index.ts';
import type { BtmKernel } from '../../impl/kernel/btm/index.ts';
import type { PhysicalMemory } from '../../impl/platform/index.ts';
import { EVENT } from '../../model/architecture/arm/layout/index.ts';
import { PERMISSION } from '../../model/architecture/arm/outcomes/outcome.ts';
import type { SmmuV3 } from '../../model/architecture/arm/smmuv3.ts';
import { Contract } from '../../model/contract/contract.ts';
import type { ContractEvent } from '../../model/contract/events.ts';
import { InvalidationMonitor } from '../../model/contract/invalidation.ts';
import { observe, type ArchitectureOutcome, type Vocabulary } from '../../model/contract/observe.ts';
import type { ContractWorld } from '../../model/contract/world.ts';
import { RolloverContract, type Allocator } from '../rollover/contract.ts';
import type { SvaConfiguration } from './configuration.ts';
import type { SvaHardware } from './hardware.ts';
import { PAGES } from './pages.ts';
import { CPU_STREAM, Reach } from './reach.ts';
import type { Witnesses } from './witnesses.ts';

const WORDS: Vocabulary = {
  missing: [EVENT.F_TRANSLATION],
  conflict: [EVENT.F_TLB_CONFLICT, EVENT.F_CFG_CONFLICT],
  read: PERMISSION.UR,
  write: PERMISSION.UW,
};
/** ASIDs are below. */
const TAGS = 32;
/** The private domain; then come the processes, and last short-lived domains. */
const DOMAINS = 1;

/** What the judge looks at. */
export interface JudgeParts {
  readonly machine: Machine;
  readonly memory: PhysicalMemory;
  readonly smmu: SmmuV3;
  readonly hardware: SvaHardware;
  /** The (stream, substream) pairs of the SMMU's slots, in their order. */
  readonly contexts: readonly { readonly stream: number; readonly substream: number }[];
  readonly witnesses: Witnesses;
  readonly report: (violation: Failure) => void;
  /** How much is held at each broadcast is counted, which takes time. */
  readonly cost: boolean;
}

/**
 * All that is promised of processes that CPUs and devices share. Where either may get is one contract (a CPU is a stream,
 * attached to the process that it runs); what context switches promise about ASIDs is that of the family of roll-overs; and a
 * broadcast for a process takes nothing from a private domain.
 */
export class Judge {
  readonly contract: Contract<ArchitectureOutcome>;
  readonly rollover: RolloverContract;
  readonly invalidations: InvalidationMonitor;
  readonly #parts: JudgeParts;
  readonly #reach: Reach;
  #kernel: BtmKernel | undefined;
  #allocator: Allocator | undefined;

  constructor(parts: JudgeParts, { cpus, processes }: SvaConfiguration) {
    const { machine, memory, smmu, hardware, contexts } = parts;
    this.#parts = parts;
    const nameOf = (mm: number): string => `mm${mm}`;
    this.rollover = new RolloverContract(machine, hardware, { cpus, mms: processes, pages: 0, nameOf });
    this.#reach = new Reach(smmu, hardware, memory, cpus, this.rollover);
    const streams = [...contexts, ...Array.from({ length: cpus }, (_, cpu) => streamOf(cpu))];
    const world = { streams, spaces: DOMAINS + processes + 1, pages: PAGES, tags: TAGS };
    this.invalidations = this.#monitor(world);
    this.contract = new Contract({
      store: machine.store,
      world,
      use: {
        asidInUse: (asid) => smmu.asidInUse(asid),
        tableHeld: (pa, size) => smmu.tableHeld(pa, size) ?? this.#tableWalked(pa, size),
      },
      observe: (outcome) => observe(outcome, WORDS),
      report: parts.report,
      invalidation: this.invalidations,
    });
  }

  /** Whether a walk of a CPU may still read from some memory. */
  #tableWalked(pa: number, size: number) {
    const allocator = this.#kernel?.asidAllocator;
    return this.#parts.hardware.tableWalked(
      pa,
      size,
      (cpu) => !this.rollover.isSwitching(cpu),
      (cpu) => allocator?.flushIsPending(cpu) === true,
    );
  }

  /** The kernel is there, and set-up may begin. */
  begin(kernel: BtmKernel): void {
    this.#kernel = kernel;
    this.#allocator = {
      traceOf: (cpu) => kernel.asidAllocator.traceOf(cpu),
      idOf: (mm) => this.#idOf(mm),
      show: showContextId,
    };
  }

  /** The kernel promises something. */
  emit(event: ContractEvent): void {
    this.contract.emit(event);
    this.#note(event);
    if (event.type !== 'tag.assign' && event.type !== 'tag.release') return;
    const process = event.space - DOMAINS;
    if (process < 0 || this.#kernel === undefined || process >= this.#kernel.config.processes.length) return;
    this.rollover.pinned(process, event.type === 'tag.assign' ? event.tag : 0);
  }

  /** A step is over. */
  check(): void {
    this.contract.check(this.#reach);
  }

  /** What happened before does not count. */
  forget(): void {
    this.#reach.takeDirtySlots();
    this.contract.translation.narrowed.clear();
  }

  /** A CPU is in the scheduler. */
  scheduling(cpu: number): void {
    this.rollover.switching(cpu);
    this.#reach.changed();
  }

  /** A CPU runs no process any more. */
  stopped(cpu: number): void {
    this.rollover.switched(cpu, -1);
    this.#reach.changed();
  }

  /** A CPU has written TTBR0_EL1: it runs the process whose table that is, or is still in the scheduler. */
  loaded(cpu: number, pgd: number | undefined): void {
    this.#reach.changed();
    const { running } = this.#kernel ?? {};
    const process = (running?.[cpu]?.value ?? 0) - 1;
    if (pgd === undefined && process >= 0) return;
    this.rollover.switched(cpu, process);
    if (process < 0 || this.#allocator === undefined) return;
    const { stream, substream } = streamOf(cpu);
    this.contract.emit({ type: 'attach.begin', stream, substream, to: DOMAINS + process, hitless: false });
    this.contract.emit({ type: 'attach.end', stream, substream });
    this.rollover.checkTraces(this.#allocator);
  }

  /** A CPU is about to broadcast a TLBI, in the name of a process that has this ASID. */
  broadcasts(instruction: Arm64Tlbi): void {
    if (!('asid' in instruction)) return;
    const processes = this.#kernel?.config.processes.length ?? 0;
    for (let mm = 0; mm < processes; mm++)
      if (ctxid2asid(this.#idOf(mm)) === this.#ofKernel(instruction.asid))
        return this.contract.emit({ type: 'tlbi', by: 'broadcast', space: DOMAINS + mm });
  }

  /** Entries of CPUs may have changed. */
  changed(): void {
    this.#reach.changed();
  }

  /** The number that the allocator gave out. */
  #ofKernel(asid: number): number {
    return this.#kernel?.config.kpti === true ? asid & ~1 : asid;
  }

  #idOf(mm: number): number {
    const kernel = this.#kernel;
    return kernel === undefined ? 0 : kernel.contextOf(kernel.mms.at(mm + 1)).id.peek(0);
  }

  #monitor(world: ContractWorld): InvalidationMonitor {
    const { smmu, witnesses, cost } = this.#parts;
    const held = (): number => smmu.heldTranslations().filter(({ kind }) => kind === 'translation').length;
    const use = {
      ownerOf: ({ asid }: { readonly asid: number }) =>
        asid < 0 ? undefined : this.contract.tags.owners('asid', asid)[0],
      isPrivate: (space: number) => space < DOMAINS || space === world.spaces - 1,
      ...(cost ? { held } : {}),
    };
    smmu.onInvalidation((entry, { by }) => {
      if (by === 'broadcast' && entry.required && !entry.valid) witnesses.reach('taken');
      if (by === 'broadcast' && entry.aset === 1 && entry.valid) witnesses.reach('keptOut');
      this.contract.covered(entry, by);
    });
    return new InvalidationMonitor(world, use, ['private']);
  }

  #note(event: ContractEvent): void {
    const { witnesses } = this.#parts;
    const kernel = this.#kernel;
    if (kernel === undefined) return;
    const isProcess =
      'space' in event && event.space !== 'all' && event.space >= DOMAINS && event.space <= kernel.mms.capacity;
    switch (event.type) {
      case 'tlbi.left-out':
        return witnesses.reach('skipped');
      case 'tag.assign':
        if (!isProcess && kernel.masters.some(({ domain }) => domain.value !== 0)) witnesses.reach('reassigned');
        return;
      case 'tag.release':
        if (isProcess) witnesses.reach('lastUnbind');
        return;
      case 'unmap.begin': {
        if (!isProcess || kernel.mms.at(event.space - DOMAINS + 1).bonds.value === 0) return;
        if (event.iova === 0) witnesses.reach('exitedBound');
        else if (kernel.running.some(({ value }) => value === event.space - DOMAINS + 1)) witnesses.reach('bothReach');
      }
    }
  }
}

/** A CPU as a stream of the contract. */
function streamOf(cpu: number): { readonly stream: number; readonly substream: number } {
  return { stream: CPU_STREAM + cpu, substream: 0 };
}
