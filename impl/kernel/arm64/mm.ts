import { Cell } from '../../../engine/cell.ts';
import type { Machine } from '../../../engine/machine.ts';
import { step, type Step } from '../../../engine/step.ts';
import { SpinLock } from '../../../engine/sync/lock.ts';
import { ctxid2asid, showContextId, type ContextId } from './context-id.ts';

/** `struct mm_struct`, of it `mm_context_t` and the page table. */
export class Arm64Mm {
  readonly name: string;
  /** Physical address of the page table, which has one level. */
  readonly pgd: number;
  /** `context.id`, an `atomic64_t`. */
  readonly id: Cell;
  /** `context.pinned`, a `refcount_t`: how many devices use the ASID. */
  readonly pinned: Cell;
  /** The page table lock. */
  readonly ptl: SpinLock;

  constructor(machine: Machine, name: string, pgd: number) {
    this.name = name;
    this.pgd = pgd;
    const format = (_offset: number, id: number): string => showContextId(id);
    this.id = new Cell(machine, `${name}.context.id`, { buffered: true, format });
    this.pinned = new Cell(machine, `${name}.context.pinned`);
    this.ptl = new SpinLock(machine, `${name}.ptl`);
  }

  /** `atomic64_set(&mm->context.id, id)`. */
  storeId(id: ContextId): Step<undefined> {
    return step(`${this.name}.context.id := ${showContextId(id)}`, () => {
      this.id.value = id;
      return undefined;
    });
  }

  /** `ASID(mm)`, one load. */
  loadAsid(): Step<number> {
    return step(`load ASID(${this.name})`, () => ctxid2asid(this.id.value), String);
  }
}
