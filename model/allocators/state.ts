import { Machine } from '../../engine/machine.ts';
import type { Store } from '../../engine/store.ts';
import type { Waitable } from '../../engine/waitable.ts';
import { TagFormat } from './tag.ts';

/** How large a model is, and where its exploration ends. */
export interface AllocatorConfig {
  readonly cpus: number;
  /** Address spaces: tasks for ASIDs, virtual machines for VMIDs. */
  readonly spaces: number;
  /** Numbers that the hardware knows, 0 included, which is never given out. */
  readonly tags: number;
  /** The last generation explored: a state with a later one is reached and not left. */
  readonly generations: number;
  /** How many spaces, the last ones, end and are followed by others: two then use up any number of tags. Default 0. */
  readonly replaced?: number;
  /** Values that are not used any more stay in the state, as in PlusCal: for comparing counts. Default false. */
  readonly plusCal?: boolean;
  /** How many spaces, the first ones, unmap pages meanwhile. Default: all. */
  readonly unmapped?: number;
}

/** Of what a row has a cell each: the CPUs, the spaces, both (CPU by CPU). */
export type RowOf = 'one' | 'cpu' | 'space' | 'both';

/** Some cells of one name. */
export class Row {
  readonly base: number;
  readonly length: number;
  readonly of: RowOf;
  /** Whether a value names a space: 0 for none, else its index plus 1. */
  readonly namesSpace: boolean;
  readonly #store: Store;

  constructor(store: Store, name: string, of: RowOf, length: number, format: (value: number) => string) {
    this.#store = store;
    this.of = of;
    this.length = length;
    this.namesSpace = format === showSpace;
    this.base = store.reserve(length, name, (_offset, value) => format(value));
  }

  get(at = 0): number {
    return this.#store.get(this.base + at);
  }

  set(at: number, value: number): undefined {
    this.#store.set(this.base + at, value);
    return undefined;
  }

  fill(value: number): void {
    for (let at = 0; at < this.length; at++) this.set(at, value);
  }
}

/** What stands in a page-table entry of a space. */
export const PTE = { mapped: 0, unmapped: 1, invalidated: 2 } as const;

/** Name of a space in reports: A, B, … */
export function spaceName(space: number): string {
  return String.fromCharCode(65 + space);
}

/**
 * The shared state of a model: variables of the allocator under the kernel's names, one page-table entry of each space, and
 * for each CPU what it runs and what its TLB holds.
 */
export class AllocatorState {
  readonly machine = new Machine();
  readonly format: TagFormat;
  readonly cpus: number;
  readonly spaces: number;

  /** cpu_asid_lock, asid_generation, asid_map (a bit for each number), and where the search for a free number begins. */
  readonly lock: Row;
  readonly generation: Row;
  readonly map: Row;
  readonly cursor: Row;
  /** For each CPU: active_asids, reserved_asids, and whether tlb_flush_pending has it. */
  readonly active: Row;
  readonly reserved: Row;
  readonly flushPending: Row;
  /** For each space: its tag (mm->context.id), and its page-table entry (`PTE`). */
  readonly context: Row;
  readonly pte: Row;
  /** For each CPU: the space that it runs plus 1, 0 for none; and the number in the translation table base register. */
  readonly running: Row;
  readonly runningNumber: Row;
  /** What the TLB of each CPU holds of each space: a bit for each number. See `tlbAt`. */
  readonly tlb: Row;
  /** For each CPU: the space that it is switching to. Then: the space of which a page is being unmapped. */
  readonly switching: Row;
  readonly unmapping: Row;
  /** For each CPU: the results of check_update_reserved_asid and new_context that were returned last. */
  readonly hit: Row;
  readonly returned: Row;

  /** All rows. */
  readonly rows: Row[] = [];

  constructor({ cpus, spaces, tags }: AllocatorConfig) {
    this.cpus = cpus;
    this.spaces = spaces;
    this.format = new TagFormat(tags);
    const showTag = (tag: number): string => this.format.show(tag);
    this.lock = this.row('lock', 'one');
    this.generation = this.row('generation', 'one');
    this.map = this.row('map', 'one', showSet);
    this.cursor = this.row('cur_idx', 'one');
    this.active = this.row('active', 'cpu', showTag);
    this.reserved = this.row('reserved', 'cpu', showTag);
    this.flushPending = this.row('flush pending', 'cpu');
    this.context = this.row('context.id', 'space', showTag);
    this.pte = this.row('pte', 'space', (value) => ['mapped', 'unmapped', 'invalidated'][value] ?? '?');
    this.running = this.row('running', 'cpu', showSpace);
    this.runningNumber = this.row('running tag', 'cpu');
    this.tlb = this.row('tlb', 'both', showSet);
    this.switching = this.row('switching to', 'cpu', showSpace);
    this.unmapping = this.row('unmapping', 'one', showSpace);
    this.hit = this.row('hit', 'cpu');
    this.returned = this.row('returned', 'cpu', showTag);
    this.generation.set(0, 1);
    this.cursor.set(0, 1);
  }

  /** Adds a row. A row of CPUs has one cell more, for what runs on no CPU in particular. */
  row(name: string, of: RowOf, format: (value: number) => string = String): Row {
    const { cpus, spaces } = this;
    const length = { one: 1, cpu: cpus + 1, space: spaces, both: cpus * spaces }[of];
    const row = new Row(this.machine.store, name, of, length, format);
    this.rows.push(row);
    return row;
  }

  /** Where in `tlb` the entries of a space on a CPU are. */
  tlbAt(cpu: number, space: number): number {
    return cpu * this.spaces + space;
  }

  /** Ready when a cell is 0: a spinlock, a CPU that is in the middle of something. */
  untilZero(row: Row, at: number, name: string): Waitable {
    return { name, ready: () => row.get(at) === 0, ender: 'its release' };
  }
}

/** "B", for a cell that names a space (index plus 1). */
export function showSpace(value: number): string {
  return value === 0 ? 'none' : spaceName(value - 1);
}

function showSet(set: number): string {
  const members = Array.from({ length: 32 }, (_, bit) => bit).filter((bit) => ((set >>> bit) & 1) === 1);
  return `{${members.join(',')}}`;
}
