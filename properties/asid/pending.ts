import type { PendingStore } from '../../engine/memory-order/store-buffers.ts';
import { addressOf, isLeaf, LEAF_LEVEL, type Kernel } from '../../impl/kernel/index.ts';
import type { PhysicalMemory } from '../../impl/platform/index.ts';
import { frameName } from './configuration.ts';
import { pendingLine } from './late-stores.ts';

const ENTRY_BYTES = 64;

/** Names the stores of a weakly ordered world, between steps: "PTE(0x1000) := 0", "domain0.invs := {1, 2}". */
export class StoreNames {
  readonly #kernel: Kernel;
  readonly #memory: PhysicalMemory;
  readonly #frameName: (pa: number) => string;

  /** @param name of the page of memory at an address; an address that is none stands for itself, in hexadecimal. */
  constructor(kernel: Kernel, memory: PhysicalMemory, name: (pa: number) => string = frameName) {
    this.#kernel = kernel;
    this.#memory = memory;
    this.#frameName = name;
  }

  /** A store that has just reached memory. */
  arrived(cell: number): string {
    const { store } = this.#kernel.machine;
    return this.#text(cell, store.get(cell), store.get(cell + 1));
  }

  /** A store that is still in a buffer. */
  pending({ agent, cell, low, high }: PendingStore): string {
    return pendingLine(this.#kernel.machine.agentName(agent), this.#text(cell, low, high ?? 0));
  }

  #text(cell: number, low: number, high: number): string {
    const pa = this.#memory.addressOf(cell);
    if (pa >= 0) return `${this.#wordName(pa)} := ${valueText(low, high, this.#frameName)}`;
    const { region, offset } = this.#kernel.machine.store.locate(cell);
    return `${region.name} := ${region.format?.(offset, low) ?? low}`;
  }

  /** What a word of memory is: part of an entry of configuration, an entry of a page table, or just an address. */
  #wordName(pa: number): string {
    const { masters, config, domains, mms } = this.#kernel;
    const inside = (base: number, bytes: number): boolean => pa >= base && pa < base + bytes;
    for (const { name, ste, cdTable } of masters) {
      if (inside(ste, ENTRY_BYTES)) return `STE(${name})[${(pa - ste) / 8}]`;
      const offset = pa - cdTable;
      if (inside(cdTable, ENTRY_BYTES * 2 ** config.substreamBits))
        return `CD(${name}, ${Math.floor(offset / ENTRY_BYTES)})[${(offset % ENTRY_BYTES) / 8}]`;
    }
    const spaces = [...domains.live().map((at) => domains.at(at)), ...mms.live().map((at) => mms.at(at))];
    for (const { pgd } of spaces) {
      const name = this.#entryName(pa, pgd.value >>> 0, this.#kernel.pgtable.startLevel, 0);
      if (name !== undefined) return name;
    }
    return `0x${pa.toString(16)}`;
  }

  /** Name of the entry at `pa`, if it is in `table` or below; `iova` is the first address that the table translates. */
  #entryName(pa: number, table: number, level: number, iova: number): string | undefined {
    const { pgtable, config } = this.#kernel;
    const each = pgtable.levelBytes(level);
    if (pa >= table && pa < table + pgtable.pageBytes)
      return `${level === LEAF_LEVEL ? 'PTE' : `L${level}`}(0x${(iova + ((pa - table) / 8) * each).toString(16)})`;
    if (level === LEAF_LEVEL) return undefined;
    const used = new Set([...config.pages, ...config.iovas].map((page) => Math.floor(page / each)));
    for (const index of used) {
      const entry = pgtable.decode(table + 8 * (index % 512), level);
      if (entry === 0 || isLeaf(entry)) continue;
      const found = this.#entryName(pa, addressOf(entry), level + 1, index * each);
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

/** A word of an entry as a report shows it; of a descriptor what it points to. */
function valueText(low: number, high: number, nameOf: (pa: number) => string): string {
  if (low === 0 && high === 0) return '0';
  const address = (high & 0xffff) * 2 ** 32 + (((low >>> 12) << 12) >>> 0);
  if ((low & 1) === 1 && nameOf(address) !== `0x${address.toString(16)}`) return nameOf(address);
  return `0x${(high >>> 0).toString(16).padStart(8, '0')}_${(low >>> 0).toString(16).padStart(8, '0')}`;
}
