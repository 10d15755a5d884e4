import { Cell } from '../../engine/cell.ts';
import type { Machine } from '../../engine/machine.ts';
import { smp_mb } from '../../engine/memory-order/barriers.ts';
import { step, type Step, type Task } from '../../engine/step.ts';
import {
  Arm64Context,
  Arm64Mm,
  Arm64Pgtable,
  Arm64Sched,
  Arm64Tlbflush,
  showContextId,
  type Arm64Cpu,
  type Arm64Layout,
  type ContextNote,
  type ContextObserver,
  type PageOwner,
  type PgtableOptions,
} from '../../impl/kernel/arm64/index.ts';
import type { Memory } from '../../impl/platform/index.ts';
import type { CpuKernel, CpuMemories } from '../cpu-world.ts';
import { Tallies } from '../tallies.ts';
import { mmName, OPERATIONS, type RolloverConfiguration, type RolloverOperation } from './configuration.ts';
import { RolloverContract, type Allocator } from './contract.ts';
import { RolloverHardware, type HardwareOptions } from './hardware.ts';
import { checkLeaks } from './leaks.ts';
import { pageAddress, tableAddress } from './pages.ts';
import { Processes } from './processes.ts';

/** Replaced routines. */
export interface RolloverParts {
  readonly context: new (
    machine: Machine,
    cpu: Arm64Cpu,
    layout: Arm64Layout,
    observer: ContextObserver,
  ) => Arm64Context;
  readonly tlbflush: new (machine: Machine, cpu: Arm64Cpu, kpti?: boolean) => Arm64Tlbflush;
  readonly pgtable: new (
    memory: Memory,
    tlbflush: Arm64Tlbflush,
    owner: PageOwner,
    options: PgtableOptions,
  ) => Arm64Pgtable;
  readonly sched: new (...parts: ConstructorParameters<typeof Arm64Sched>) => Arm64Sched;
}

/** What is counted: all that the allocator notes, and what the world does about processes. */
export const NOTES = [
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
  'pinned and reserved ASIDs at one roll-over',
  'third generation on several CPUs',
  'roll-over of pairs of ASIDs',
  'process ended while a CPU had its table',
  'process took the place of one that ended',
  'lazy TLB used again',
  'table freed',
] as const satisfies readonly (ContextNote | string)[];

type Note = (typeof NOTES)[number];

/** The kernel of a world, its processes and its operations, with the contract listening. */
export class RolloverKernel implements CpuKernel<RolloverOperation> {
  readonly tallies: Tallies<Note, RolloverOperation['op']>;
  readonly #machine: Machine;
  readonly #contract: RolloverContract;
  readonly #hardware: RolloverHardware;
  readonly #context: Arm64Context;
  readonly #pgtable: Arm64Pgtable;
  readonly #sched: Arm64Sched;
  readonly #processes: Processes;
  readonly #mms: readonly Arm64Mm[];
  readonly #configuration: RolloverConfiguration;
  readonly #allocator: Allocator = {
    traceOf: (cpu) => this.#context.traceOf(cpu),
    idOf: (mm) => this.#mm(mm).id.peek(0),
    show: showContextId,
  };
  /** How many devices use each process. */
  readonly #pins: readonly Cell[];

  constructor(
    machine: Machine,
    { physical, memory }: CpuMemories,
    configuration: RolloverConfiguration,
    parts: Partial<RolloverParts>,
  ) {
    this.#machine = machine;
    this.tallies = new Tallies(machine, NOTES, OPERATIONS);
    this.#configuration = configuration;
    const { cpus, mms, kpti, levels } = configuration;
    this.#hardware = new RolloverHardware(machine.store, physical, tlbsOf(configuration), (cpu, pgd) =>
      this.#switched(cpu, pgd),
    );
    const contract = new RolloverContract(machine, this.#hardware, configuration);
    this.#contract = contract;
    const observer = { noted: (note: ContextNote) => this.#notedByContext(note) };
    this.#context = new (parts.context ?? Arm64Context)(machine, this.#hardware, configuration, observer);
    const tlbflush = new (parts.tlbflush ?? Arm64Tlbflush)(machine, this.#hardware, kpti);
    const notedHere = (note: Note): void => this.#noted(note);
    const processes = new Processes(
      machine,
      { physical, contract, mms: () => this.#mms, noted: notedHere },
      configuration,
    );
    this.#processes = processes;
    const options = { levels: levels === 2 ? 2 : 1 } as const;
    this.#pgtable = new (parts.pgtable ?? Arm64Pgtable)(memory, tlbflush, processes, options);
    const indices = Array.from({ length: mms }, (_, mm) => mm);
    this.#mms = indices.map((mm) => new Arm64Mm(machine, mmName(mm), tableAddress(mm)));
    this.#pins = indices.map((mm) => new Cell(machine, `pins of ${mmName(mm)}`, { internal: true }));
    this.#sched = new (parts.sched ?? Arm64Sched)(
      machine,
      { context: this.#context, pgtable: this.#pgtable, observer: processes },
      { mms: this.#mms, cpus },
    );
    physical.onWrite(() => contract.check());
    for (const mm of this.#mms) processes.mapAll(mm, this.#pgtable);
  }

  /** An operation on a CPU. */
  task(cpu: number, operation: RolloverOperation): Task {
    switch (operation.op) {
      case 'switch':
        return this.#switch(cpu, operation.mm);
      case 'idle':
        return this.#idle(cpu);
      case 'lazy':
        return this.#lazy(cpu);
      case 'unmap':
      case 'map':
        return this.#change(cpu, operation);
      case 'munmap':
        return this.#munmap(cpu, operation.mm);
      case 'pin':
        return this.#pin(operation.mm);
      case 'unpin':
        return this.#unpin(operation.mm);
      case 'fork':
        return this.#fork(cpu, operation.mm);
      case 'exec':
        return this.#exec(cpu, operation.mm);
      case 'exit':
        return this.#exit(cpu);
    }
  }

  /** What each CPU runs. */
  snapshot(): readonly string[] {
    return Array.from({ length: this.#configuration.cpus }, (_, cpu) => {
      const mm = this.#contract.running(cpu);
      const asid = this.#hardware.asid(cpu);
      return `CPU${cpu} ${mm < 0 ? 'runs nothing' : `runs ${mmName(mm)}`}${asid < 0 ? '' : `, ASID ${asid}`}`;
    });
  }

  /** See `checkLeaks`. */
  checkLeaks(): void {
    checkLeaks(this.#machine, {
      contract: this.#contract,
      context: this.#context,
      sched: this.#sched,
      processes: this.#processes,
      mms: this.#mms,
      usersOf: (mm) => this.#pinCell(mm).peek(0),
    });
  }

  /** `context_switch()` to a thread of a process, which does nothing if the CPU runs one of it. */
  *#switch(cpu: number, mm: number): Task {
    const plan = yield* this.#firstOf('switch', `schedule ${mmName(mm)}`, () => {
      if (this.#contract.running(cpu) === mm || !this.#processes.exist(mm)) return NOT;
      const next = this.#sched.begin(cpu, this.#mm(mm));
      if ((next & 1) === 1) this.#contract.switching(cpu);
      else {
        this.#noted('lazy TLB used again');
        this.#contract.switched(cpu, mm);
      }
      return next;
    });
    if (plan !== NOT) yield* this.#sched.finish(cpu, this.#mm(mm), plan);
  }

  /** `__switch_mm(&init_mm)`. */
  *#idle(cpu: number): Task {
    yield* this.#first('idle', 'TTBR0 := reserved', () => {
      if (this.#contract.running(cpu) < 0) return false;
      this.#sched.enterInitMm(cpu);
      this.#hardware.clearTtbr0(cpu);
      this.#contract.switched(cpu, -1);
      return true;
    });
  }

  /** `context_switch()` to a kernel thread. */
  *#lazy(cpu: number): Task {
    yield* this.#first('lazy', 'schedule a kernel thread', () => {
      if (this.#contract.running(cpu) < 0) return false;
      this.#sched.enterLazyTlb(cpu);
      this.#contract.switched(cpu, -1);
      return true;
    });
  }

  *#change(
    cpu: number,
    { op, mm, page }: { readonly op: 'unmap' | 'map'; readonly mm: number; readonly page: number },
  ): Task {
    const applies = yield* this.#first(op, `${op} page ${page} of ${mmName(mm)}`, () => this.#processes.isThere(mm));
    if (!applies) return;
    const va = pageAddress(page);
    const space = this.#mm(mm);
    yield* op === 'map' ? this.#pgtable.map(space, va) : this.#pgtable.unmap(cpu, space, va);
  }

  *#munmap(cpu: number, mm: number): Task {
    const applies = yield* this.#first('munmap', `munmap ${mmName(mm)}`, () => this.#processes.isThere(mm));
    if (applies) yield* this.#pgtable.unmap_region(cpu, this.#mm(mm), this.#processes.rangeOf(), true);
  }

  *#pin(mm: number): Task {
    const applies = yield* this.#first('pin', `bind ${mmName(mm)}`, () => {
      if (!this.#processes.exist(mm)) return false;
      this.#processes.binding(mm, 1);
      return true;
    });
    if (!applies) return;
    const asid = yield* this.#context.arm64_mm_context_get(this.#mm(mm));
    yield* step(`device uses ASID ${asid}`, () => {
      this.#processes.binding(mm, -1);
      if (asid === 0) return undefined;
      // The bond is there for others once the lock over it is given back.
      smp_mb(this.#machine);
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

  /** `dup_mm()` of what the CPU runs: a copy of the parent's `mm_struct`, and what `mm_init()` makes of it. */
  *#fork(cpu: number, mm: number): Task {
    yield* this.#first('fork', `dup_mm to ${mmName(mm)}`, () => {
      const parent = this.#contract.running(cpu);
      if (parent < 0 || !this.#processes.begin(mm, this.#pgtable)) return false;
      const { id, pinned } = this.#mm(parent);
      this.#mm(mm).id.value = id.value;
      this.#mm(mm).pinned.value = pinned.value;
      this.#sched.mm_init(this.#mm(mm));
      // The child runs after it was put on a run queue, under the lock of that.
      smp_mb(this.#machine);
      return true;
    });
  }

  /** `begin_new_exec()`: a new address space for what the CPU runs, whose other threads are gone. */
  *#exec(cpu: number, mm: number): Task {
    const before = yield* this.#firstOf('exec', `exec_mmap to ${mmName(mm)}`, () => {
      const old = this.#contract.running(cpu);
      if (old < 0 || !this.#isLast(cpu, old)) return NOT;
      if (!this.#processes.begin(mm, this.#pgtable)) return NOT;
      this.#processes.ending(old);
      this.#sched.mm_init(this.#mm(mm));
      this.#sched.begin(cpu, this.#mm(mm));
      this.#contract.switching(cpu);
      // As with fork, before another CPU runs a thread of it.
      smp_mb(this.#machine);
      return old;
    });
    if (before === NOT) return;
    yield* this.#sched.finish(cpu, this.#mm(mm), 1);
    yield* this.#sched.mmput(cpu, this.#mm(before));
  }

  /** `exit_mm()` of the last thread, on its CPU, which goes on as a kernel thread does. */
  *#exit(cpu: number): Task {
    const mm = yield* this.#firstOf('exit', 'exit_mm', () => {
      const old = this.#contract.running(cpu);
      if (old < 0 || !this.#isLast(cpu, old)) return NOT;
      this.#processes.ending(old);
      this.#sched.enterLazyTlb(cpu);
      this.#contract.switched(cpu, -1);
      this.#noted('process ended while a CPU had its table');
      return old;
    });
    if (mm !== NOT) yield* this.#sched.mmput(cpu, this.#mm(mm));
  }

  /** Whether no thread of a process is on another CPU, on its way there, or on its way from there. */
  #isLast(cpu: number, mm: number): boolean {
    if (this.#sched.isRunElsewhere(cpu, this.#mm(mm))) return false;
    for (let other = 0; other < this.#configuration.cpus; other++)
      if (other !== cpu && this.#contract.running(other) === mm) return false;
    return true;
  }

  /** The first step of an operation, which finds out whether it applies. */
  #first(op: RolloverOperation['op'], label: string, run: () => boolean): Step<boolean> {
    return step(
      label,
      () => {
        const applies = run();
        this.tallies.ran(op, applies);
        return applies;
      },
      (applies) => (applies ? undefined : 'does not apply'),
    );
  }

  /** The same where there is something to go on with; `NOT` if the operation does not apply. */
  #firstOf(op: RolloverOperation['op'], label: string, run: () => number): Step<number> {
    return step(
      label,
      () => {
        const found = run();
        this.tallies.ran(op, found !== NOT);
        return found;
      },
      (found) => (found === NOT ? 'does not apply' : undefined),
    );
  }

  #notedByContext(note: ContextNote): void {
    const { cpus, kpti } = this.#configuration;
    this.#noted(note);
    if (note === 'second roll-over' && cpus > 1) this.#noted('third generation on several CPUs');
    if ((note === 'roll-over' || note === 'second roll-over') && kpti) this.#noted('roll-over of pairs of ASIDs');
  }

  #noted(note: Note): void {
    this.tallies.noted(note);
  }

  #switched(cpu: number, pgd: number | undefined): void {
    if (pgd === undefined) return;
    this.#contract.switched(
      cpu,
      this.#mms.findIndex((mm) => mm.pgd === pgd),
    );
    this.#contract.checkTraces(this.#allocator);
  }

  #mm(mm: number): Arm64Mm {
    return this.#mms[mm] as Arm64Mm;
  }

  #pinCell(mm: number): Cell {
    return this.#pins[mm] as Cell;
  }
}

/** What `#firstOf` says of an operation that does not apply. */
const NOT = -1;

/** Tables with two levels, of which the upper one has two entries. */
const TWO_LEVELS = { granule: 12, inputBits: 22 } as const;

function tlbsOf({ cpus, asids, mms, pages, cnp, kpti, levels }: RolloverConfiguration): HardwareOptions {
  return {
    cpus,
    addresses: Array.from({ length: pages }, (_, page) => pageAddress(page)),
    common: cnp,
    kpti,
    // Of each process under each ASID: a start, a table, and for each address its two pages and what is nobody's.
    capacity: (kpti ? 2 : 1) * (asids + 2) * mms * (2 + 3 * pages),
    ...(levels > 1 ? { regime: TWO_LEVELS } : {}),
  };
}
