import type { Store } from '../../../../engine/store.ts';

/** A table and the number that what is read through it is tagged with. */
export interface TableBase {
  /** Address of the table, below 4 GiB. */
  readonly table: number;
  readonly tag: number;
}

/** What TTBR0_EL1, TTBR1_EL1 or VTTBR_EL2 of each CPU has: a table with an ASID or VMID, or nothing. */
export class BaseRegister {
  readonly #store: Store;
  readonly #tables: number;
  /** The tag plus 1; 0 for nothing. */
  readonly #tags: number;

  /** @param names of the register and of the tag, for reports. */
  constructor(store: Store, cpus: number, [register, tag]: readonly [string, string]) {
    this.#store = store;
    this.#tables = store.reserve(cpus, register, (_cpu, table) => `table 0x${(table >>> 0).toString(16)}`);
    this.#tags = store.reserve(cpus, tag, (_cpu, value) => (value === 0 ? 'none' : String(value - 1)));
  }

  get(cpu: number): TableBase | undefined {
    const tag = this.#store.get(this.#tags + cpu);
    return tag === 0 ? undefined : { table: this.#store.get(this.#tables + cpu) >>> 0, tag: tag - 1 };
  }

  /** @throws RangeError if the table is at 4 GiB or beyond. */
  set(cpu: number, base: TableBase | undefined): void {
    if (base !== undefined && base.table >= 2 ** 32) throw new RangeError(`table ${base.table} is not below 4 GiB`);
    this.#store.set(this.#tables + cpu, base?.table ?? 0);
    this.#store.set(this.#tags + cpu, base === undefined ? 0 : base.tag + 1);
  }
}
