import { Store } from '../../../../../engine/store.ts';
import type { PhysicalMemory } from '../../memory.ts';
import { AP, encode, STAGE1_LEAF, STAGE2_LEAF, TABLE_DESCRIPTOR } from '../../layout/index.ts';
import { CpuTlbs, type CpuTlbOptions } from '../cpu-tlbs.ts';

/** What a descriptor says, in the terms of the tests. */
export type Descriptor =
  | { readonly kind: 'none' }
  | { readonly kind: 'table'; readonly table: number }
  | {
      readonly kind: 'block' | 'page';
      readonly pa: number;
      readonly global?: boolean;
      /** What is refused; nothing if it is not given. Only stage 2 can refuse to read. */
      readonly refuses?: 'read' | 'write';
      readonly contiguous?: boolean;
    };

/** Bytes of memory, from 0: tables lie there. */
const BYTES = 0x1_0000;

/** CPUs over a memory in the store, which tells them of every write. */
export class CpuWorld {
  readonly store = new Store();
  readonly cpus: CpuTlbs;
  readonly #memory: number;

  constructor(options: Partial<CpuTlbOptions>) {
    this.#memory = this.store.reserve(BYTES / 4, 'memory');
    const memory: PhysicalMemory = {
      low: (pa) => this.store.get(this.#memory + pa / 4),
      high: (pa) => this.store.get(this.#memory + pa / 4 + 1),
      present: (pa) => pa < BYTES,
    };
    this.cpus = new CpuTlbs(this.store, memory, { cpus: 2, addresses: [], common: false, capacity: 400, ...options });
  }

  /** Writes a descriptor of a stage. */
  write(stage: 1 | 2, pa: number, descriptor: Descriptor): void {
    const lanes = lanesOf(stage, descriptor);
    this.store.set(this.#memory + pa / 4, lanes[0] as number);
    this.store.set(this.#memory + pa / 4 + 1, lanes[1] as number);
    this.cpus.written(pa);
  }
}

function lanesOf(stage: 1 | 2, descriptor: Descriptor): ArrayLike<number> {
  if (descriptor.kind === 'none') return [0, 0];
  if (descriptor.kind === 'table') return encode(TABLE_DESCRIPTOR, { Valid: 1, Table: 1, Address: descriptor.table });
  const { kind, pa, global = false, refuses, contiguous = false } = descriptor;
  const leaf = { Valid: 1, Page: kind === 'page' ? 1 : 0, AF: 1, Address: pa, Contiguous: contiguous ? 1 : 0 };
  if (stage === 2)
    return encode(STAGE2_LEAF, { ...leaf, S2AP: refuses === undefined ? 3 : refuses === 'write' ? 1 : 2, MemAttr: 15 });
  return encode(STAGE1_LEAF, { ...leaf, AP: refuses === 'write' ? AP.ANY_RO : AP.ANY_RW, nG: global ? 0 : 1 });
}
