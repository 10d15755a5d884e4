import { Cell } from '../../engine/cell.ts';
import type { Machine } from '../../engine/machine.ts';
import type { Arm64Mm, Arm64Pgtable, PageOwner, SchedObserver, VaRange } from '../../impl/kernel/arm64/index.ts';
import type { PhysicalMemory } from '../../impl/platform/index.ts';
import { encode, STAGE1_LEAF, AP } from '../../model/architecture/arm/layout/index.ts';
import { mmName, type RolloverConfiguration } from './configuration.ts';
import type { RolloverContract } from './contract.ts';
import { GARBAGE, lastTableAddress, pageAddress, pageAt, pageRange, physicalAddress } from './pages.ts';

/** What becomes of a process. One that nobody has spoken of comes into being by itself. */
const [UNKNOWN, ALIVE, ENDING, GONE] = [0, 1, 2, 3];

/** What the processes stand on. */
interface Around {
  readonly physical: PhysicalMemory;
  readonly contract: RolloverContract;
  /** Asked when everything is built. */
  readonly mms: () => readonly Arm64Mm[];
  readonly noted: (note: 'process took the place of one that ended' | 'table freed') => void;
}

/** The processes of a world: which there are, and who owns the pages that they have, tables included. */
export class Processes implements PageOwner, SchedObserver {
  readonly #around: Around;
  readonly #configuration: RolloverConfiguration;
  readonly #states: readonly Cell[];
  /** 1 while the table of the last level is allocated. */
  readonly #tables: readonly Cell[];
  readonly #machine: Machine;
  /** Operations under way that pin the ASID of each process. */
  readonly #binding: readonly Cell[];

  constructor(machine: Machine, around: Around, configuration: RolloverConfiguration) {
    this.#around = around;
    this.#configuration = configuration;
    const each = (name: string): Cell[] =>
      Array.from(
        { length: configuration.mms },
        (_, mm) => new Cell(machine, `${mmName(mm)} ${name}`, { internal: true }),
      );
    this.#states = each('exists');
    this.#binding = each('is being bound');
    this.#tables = each('has a table');
    this.#machine = machine;
  }

  /** Whether there is the process; if nobody has spoken of it before, there is. Inside a step. */
  exist(mm: number): boolean {
    const state = this.#state(mm);
    if (state.value === UNKNOWN) state.value = ALIVE;
    return state.value === ALIVE;
  }

  /** Whether the process has pages. */
  isThere(mm: number): boolean {
    return this.#state(mm).value <= ALIVE;
  }

  /** A new process takes the place, if that is free, with all its pages. */
  begin(mm: number, pgtable: Arm64Pgtable): boolean {
    const state = this.#state(mm);
    const before = state.value;
    if (before === ALIVE || before === ENDING) return false;
    const space = this.#around.mms()[mm] as Arm64Mm;
    if (before === GONE && (space.pinned.value !== 0 || this.#bindingOf(mm).value !== 0)) return false;
    state.value = ALIVE;
    if (before === GONE) {
      this.mapAll(space, pgtable);
      this.#around.noted('process took the place of one that ended');
    }
    return true;
  }

  /** Its last thread is about to go. */
  ending(mm: number): void {
    this.#state(mm).value = ENDING;
  }

  /** For checks: whether it has no users any more, but is there. */
  isEnding(mm: number): boolean {
    return this.#state(mm).peek(0) === ENDING;
  }

  /** An operation that pins its ASID begins (1) or ends (-1). */
  binding(mm: number, by: 1 | -1): void {
    this.#bindingOf(mm).value += by;
  }

  /** Maps what is not mapped of a process, inside a step or during set-up. */
  mapAll(mm: Arm64Mm, pgtable: Arm64Pgtable): void {
    const at = this.#indexOf(mm);
    for (let page = 0; page < this.#configuration.pages; page++) {
      const va = pageAddress(page);
      pgtable.populate(mm, va);
      const begins = this.#state(at).value === UNKNOWN;
      pgtable.setPte(mm, va, begins ? physicalAddress({ mm: at, page, version: 0 }) : this.mapping(mm, va));
    }
  }

  rangeOf(): VaRange {
    return pageRange(this.#configuration.pages);
  }

  pgdFreed(mm: Arm64Mm): void {
    const at = this.#indexOf(mm);
    this.#around.contract.pgdFreed(at, mm.pgd);
    if (this.#around.contract.hasPage(at, 'mapped') || this.hasTable(at))
      this.#fail('leak', `The top-level table of ${mm.name} is freed with what is below it`);
    this.#state(at).value = GONE;
  }

  hasVma(mm: Arm64Mm): boolean {
    return this.isThere(this.#indexOf(mm));
  }

  unmapping(mm: Arm64Mm, va: number): void {
    this.#around.contract.unmapping(this.#indexOf(mm), pageAt(va));
  }

  freed(mm: Arm64Mm, va: number): void {
    this.#around.contract.freed(this.#indexOf(mm), pageAt(va));
  }

  mapping(mm: Arm64Mm, va: number): number {
    const [at, page] = [this.#indexOf(mm), pageAt(va)];
    return physicalAddress({ mm: at, page, version: this.#around.contract.mapping(at, page) });
  }

  allocTable(mm: Arm64Mm): number {
    const table = lastTableAddress(this.#indexOf(mm), this.#configuration.mms);
    this.#around.physical.clear(table, 64);
    this.#count(mm, 1, 'leak', 'is made a second table, and forgets the first one');
    return table;
  }

  /** The page goes to somebody who writes to it at once what a walk takes for entries. */
  tableFreed(mm: Arm64Mm, table: number): void {
    this.#count(mm, 0, 'double-free', 'has a table freed a second time');
    this.#around.noted('table freed');
    for (let page = 0; page < this.#configuration.pages; page++) {
      const Address = GARBAGE + pageAddress(page);
      const entry = encode(STAGE1_LEAF, { Valid: 1, Page: 1, AP: AP.ANY_RW, AF: 1, nG: 1, Address });
      this.#around.physical.writeWords(table + (pageAddress(page) / 4096) * 8, entry);
    }
  }

  /** For checks: whether there is a table of the last level. */
  hasTable(mm: number): boolean {
    return (this.#tables[mm] as Cell).peek(0) === 1;
  }

  #count(mm: Arm64Mm, tables: 0 | 1, rule: string, what: string): void {
    const cell = this.#tables[this.#indexOf(mm)] as Cell;
    if (cell.value === tables) this.#fail(rule, `${mm.name} ${what}`);
    cell.value = tables;
  }

  #fail(rule: string, message: string): void {
    this.#machine.fail({ monitor: 'safety', rule, message: `${message}.`, data: { kind: 'table' } });
  }

  #indexOf(mm: Arm64Mm): number {
    return this.#around.mms().indexOf(mm);
  }

  #state(mm: number): Cell {
    return this.#states[mm] as Cell;
  }

  #bindingOf(mm: number): Cell {
    return this.#binding[mm] as Cell;
  }
}
