import { Cell } from '../../engine/cell.ts';
import type { Machine } from '../../engine/machine.ts';
import { smp_mb } from '../../engine/memory-order/barriers.ts';
import { step, type Step, type Task } from '../../engine/step.ts';
import {
  Arm64Context,
  Arm64Mm,
  Arm64Pgtable,
  Arm64Tlbflush,
  showContextId,
  type Arm64Cpu,
  type Arm64Layout,
  type ContextNote,
  type ContextObserver,
  type PageOwner,
} from '../../impl/kernel/arm64/index.ts';
import type { Memory, PhysicalMemory } from '../../impl/platform/index.ts';
import { mmName, OPERATIONS, type RolloverConfiguration, type RolloverOperation } from './configuration.ts';
import { RolloverContract, type Allocator } from './contract.ts';
import { RolloverHardware } from './hardware.ts';
import { pageAddress, pageAt, physicalAddress, tableAddress } from './pages.ts';

/** Replaced routines. */
export interface RolloverParts {
  readonly context: new (
    machine: Machine,
    cpu: Arm64Cpu,
    layout: Arm64Layout,
    observer: ContextObserver,
  ) => Arm64Context;
  readonly tlbflush: new (machine: Machine, cpu: Arm64Cpu, kpti?: boolean) => Arm64Tlbflush;
  readonly pgtable: new (memory: Memory, tlbflush: Arm64Tlbflush, owner: PageOwner) => Arm64Pgtable;
}

/** What is counted: all that the allocator notes. */
export const NOTES: readonly ContextNote[] = [
  'roll-over',
  'second roll-over',
  'running ASID reserved',
  'reserved ASID reserved again',
  'reserved ASID found',
  'pinned ASID kept',
  'no ASID left to pin',
  'fast path after a roll-over',
  'fast path met a roll-over',
  'flush after a roll-over',
];

/** Entries, and starts of walks, that a TLB can ever see: each process under each ASID with each of its pages. */
const CAPACITY = 256;

/** The kernel of a world, its processes and its operations, with the contract listening. */
export class RolloverKernel {
  readonly #machine: Machine;
  readonly #contract: RolloverContract;
  readonly #hardware: RolloverHardware;
  readonly #context: Arm64Context;
  readonly #pgtable: Arm64Pgtable;
  readonly #mms: readonly Arm64Mm[];
  readonly #cpus: number;
  readonly #allocator: Allocator = {
    traceOf: (cpu) => this.#context.traceOf(cpu),
    idOf: (mm) => this.#mm(mm).id.peek(0),
    show: showContextId,
  };
  /** How many devices use each process. */
  readonly #pins: readonly Cell[];
  /** The process has run, or was made by fork: it cannot be made again. */
  readonly #born: readonly Cell[];

  constructor(
    machine: Machine,
    { physical, memory }: { readonly physical: PhysicalMemory; readonly memory: Memory },
    configuration: RolloverConfiguration,
    parts: Partial<RolloverParts>,
  ) {
    this.#machine = machine;
    const { cpus, mms, pages } = configuration;
    this.#cpus = cpus;
    const addresses = Array.from({ length: pages }, (_, page) => pageAddress(page));
    const hardware = { ...configuration, common: configuration.cnp, addresses, capacity: CAPACITY };
    const written = (cpu: number, pgd: number | undefined): void => this.#switched(cpu, pgd);
    this.#hardware = new RolloverHardware(machine.store, physical, hardware, written);
    this.#contract = new RolloverContract(machine, this.#hardware, configuration);
    const observer = { noted: (note: ContextNote) => machine.tally(NOTES.indexOf(note)) };
    this.#context = new (parts.context ?? Arm64Context)(machine, this.#hardware, configuration, observer);
    const tlbflush = new (parts.tlbflush ?? Arm64Tlbflush)(machine, this.#hardware, configuration.kpti);
    this.#pgtable = new (parts.pgtable ?? Arm64Pgtable)(memory, tlbflush, this.#owner());
    const indices = Array.from({ length: mms }, (_, mm) => mm);
    this.#mms = indices.map((mm) => new Arm64Mm(machine, mmName(mm), tableAddress(mm)));
    this.#pins = indices.map((mm) => new Cell(machine, `pins of ${mmName(mm)}`, { internal: true }));
    this.#born = indices.map((mm) => new Cell(machine, `${mmName(mm)} exists`, { internal: true }));
    physical.onWrite(() => this.#contract.check());
    for (const [mm, each] of this.#mms.entries())
      for (let page = 0; page < pages; page++)
        this.#pgtable.setPte(each, pageAddress(page), physicalAddress({ mm, page, version: 0 }));
  }

  /** An operation on a CPU. */
  task(cpu: number, operation: RolloverOperation): Task {
    switch (operation.op) {
      case 'switch':
        return this.#switch(cpu, operation.mm);
      case 'idle':
        return this.#idle(cpu);
      case 'unmap':
      case 'map':
        return this.#change(cpu, operation);
      case 'pin':
        return this.#pin(operation.mm);
      case 'unpin':
        return this.#unpin(operation.mm);
      case 'fork':
        return this.#fork(cpu, operation.mm);
    }
  }

  /** What each CPU runs. */
  snapshot(): readonly string[] {
    return Array.from({ length: this.#cpus }, (_, cpu) => {
      const mm = this.#contract.running(cpu);
      const asid = this.#hardware.asid(cpu);
      return `CPU${cpu} ${mm < 0 ? 'runs nothing' : `runs ${mmName(mm)}`}${asid < 0 ? '' : `, ASID ${asid}`}`;
    });
  }

  /** `switch_mm()`, which does nothing if the process is the same. */
  *#switch(cpu: number, mm: number): Task {
    const goes = yield* this.#first('switch', `schedule ${mmName(mm)}`, () => {
      if (this.#contract.running(cpu) === mm) return false;
      this.#contract.switching(cpu);
      this.#exists(mm);
      return true;
    });
    if (goes) yield* this.#context.check_and_switch_context(cpu, this.#mm(mm));
  }

  /** `__switch_mm(&init_mm)`. */
  *#idle(cpu: number): Task {
    yield* this.#first('idle', 'TTBR0 := reserved', () => {
      if (this.#contract.running(cpu) < 0) return false;
      this.#hardware.clearTtbr0(cpu);
      this.#contract.switched(cpu, -1);
      return true;
    });
  }

  *#change(
    cpu: number,
    { op, mm, page }: { readonly op: 'unmap' | 'map'; readonly mm: number; readonly page: number },
  ): Task {
    yield* this.#first(op, `${op} page ${page} of ${mmName(mm)}`, () => true);
    const va = pageAddress(page);
    const space = this.#mm(mm);
    yield* op === 'map' ? this.#pgtable.map(space, va) : this.#pgtable.unmap(cpu, space, va);
  }

  *#pin(mm: number): Task {
    yield* this.#first('pin', `bind ${mmName(mm)}`, () => this.#exists(mm));
    const asid = yield* this.#context.arm64_mm_context_get(this.#mm(mm));
    yield* step(`device uses ASID ${asid}`, () => {
      if (asid === 0) return undefined;
      this.#pinCell(mm).value++;
      this.#contract.pinned(mm, asid);
      return undefined;
    });
  }

  *#unpin(mm: number): Task {
    const goes = yield* this.#first('unpin', `unbind ${mmName(mm)}`, () => {
      const pins = this.#pinCell(mm);
      if (pins.value === 0) return false;
      pins.value--;
      if (pins.value === 0) this.#contract.pinned(mm, 0);
      return true;
    });
    if (goes) yield* this.#context.arm64_mm_context_put(this.#mm(mm));
  }

  /** `dup_mm()` of what the CPU runs: a copy of the parent's `mm_struct`, and what `init_new_context()` makes of it. */
  *#fork(cpu: number, mm: number): Task {
    yield* this.#first('fork', `dup_mm to ${mmName(mm)}`, () => {
      const parent = this.#contract.running(cpu);
      if (parent < 0 || (this.#born[mm] as Cell).value === 1) return false;
      this.#exists(mm);
      this.#mm(mm).pinned.value = this.#mm(parent).pinned.value;
      this.#context.init_new_context(this.#mm(mm));
      // The child runs after it was put on a run queue, under the lock of that.
      smp_mb(this.#machine);
      return true;
    });
  }

  /** The first step of an operation, which finds out whether it applies. */
  #first(op: RolloverOperation['op'], label: string, run: () => boolean): Step<boolean> {
    return step(
      label,
      () => {
        const applies = run();
        const at = NOTES.length + OPERATIONS.indexOf(op);
        this.#machine.tally(at);
        if (!applies) this.#machine.tally(at + OPERATIONS.length);
        return applies;
      },
      (applies) => (applies ? undefined : 'does not apply'),
    );
  }

  #exists(mm: number): boolean {
    (this.#born[mm] as Cell).value = 1;
    return true;
  }

  #switched(cpu: number, pgd: number | undefined): void {
    if (pgd === undefined) return;
    this.#contract.switched(
      cpu,
      this.#mms.findIndex((mm) => mm.pgd === pgd),
    );
    this.#contract.checkTraces(this.#allocator);
  }

  #owner(): PageOwner {
    const index = (mm: Arm64Mm): number => this.#mms.indexOf(mm);
    return {
      unmapping: (mm, va) => this.#contract.unmapping(index(mm), pageAt(va)),
      freed: (mm, va) => this.#contract.freed(index(mm), pageAt(va)),
      mapping: (mm, va) => {
        const [at, page] = [index(mm), pageAt(va)];
        return physicalAddress({ mm: at, page, version: this.#contract.mapping(at, page) });
      },
    };
  }

  #mm(mm: number): Arm64Mm {
    return this.#mms[mm] as Arm64Mm;
  }

  #pinCell(mm: number): Cell {
    return this.#pins[mm] as Cell;
  }
}
