import { Cell, type Lifetime } from '../../../engine/cell.ts';
import type { Machine } from '../../../engine/machine.ts';
import { step, type Step } from '../../../engine/step.ts';
import { SpinLock } from '../../../engine/sync/lock.ts';
import { Refcount } from '../../../engine/sync/refcount.ts';
import { ctxid2asid, showContextId, type ContextId } from './context-id.ts';

/** Of `struct mm_struct` what the ASID allocator and the TLB routines use: `mm_context_t` and the page table. */
export interface Arm64MmContext {
  readonly name: string;
  /** Physical address of the page table. Asked inside a step. */
  readonly pgd: number;
  /** `context.id`, an `atomic64_t`. */
  readonly id: Cell;
  /** `context.pinned`, a `refcount_t`: how many devices use the ASID. */
  readonly pinned: Cell;
}

/** `atomic64_set(&mm->context.id, id)`. */
export function storeId(mm: Arm64MmContext, id: ContextId): Step<undefined> {
  return step(`${mm.name}.context.id := ${showContextId(id)}`, () => {
    mm.id.value = id;
    return undefined;
  });
}

/** `ASID(mm)`, one load; with KPTI the kernel's half. */
export function loadAsid(mm: Arm64MmContext): Step<number> {
  return step(`load ASID(${mm.name})`, () => ctxid2asid(mm.id.value), String);
}

/** A cell for `context.id`, which stores reach late on a machine with store buffers. */
export function contextIdCell(machine: Machine, name: string, lifetime?: Lifetime): Cell {
  const format = (_offset: number, id: number): string => showContextId(id);
  return new Cell(machine, `${name}.context.id`, {
    buffered: true,
    format,
    ...(lifetime === undefined ? {} : { lifetime }),
  });
}

/** `struct mm_struct`. */
export class Arm64Mm implements Arm64MmContext {
  readonly name: string;
  readonly pgd: number;
  readonly id: Cell;
  readonly pinned: Cell;
  /** The page table lock. */
  readonly ptl: SpinLock;
  /** Who uses the address space (`mm_users`), and who uses the structure and the top-level table (`mm_count`). */
  readonly mm_users: Refcount;
  readonly mm_count: Refcount;

  constructor(machine: Machine, name: string, pgd: number) {
    this.name = name;
    this.pgd = pgd;
    this.id = contextIdCell(machine, name);
    this.pinned = new Cell(machine, `${name}.context.pinned`);
    this.ptl = new SpinLock(machine, `${name}.ptl`);
    this.mm_users = new Refcount(machine, `${name}.mm_users`);
    this.mm_count = new Refcount(machine, `${name}.mm_count`);
    this.mm_users.value = 1;
    this.mm_count.value = 1;
  }
}
