import {
  CD,
  COMMAND_TLBI,
  decode,
  extract,
  OPCODE,
  QUEUE_BASE,
  REGISTER,
  STE,
  STE_CONFIG,
  STRTAB_BASE,
} from '../../model/architecture/arm/layout/index.ts';
import type { BenchDevice, FlatMemory } from '../workloads/smmu-world.ts';

interface Table {
  readonly address: number;
  readonly level: number;
}

interface Config {
  readonly vmid: number;
  readonly asid: number;
  readonly stage1: Table;
  readonly stage2: Table | undefined;
}

interface Entry {
  readonly vmid: number;
  readonly asid: number;
  readonly outputPage: number;
}

interface Leaf {
  readonly pa: number;
}

/**
 * The simplest SMMUv3 that we can write which is right for stage 1 and nested translation of private pages of 4 KiB: a
 * `Map` of translations and one of configurations, both by strings, walks of decoded objects, and an invalidation by tag
 * goes through all entries. When it is full everything is dropped, as in QEMU.
 */
export class MapDevice implements BenchDevice {
  readonly name = 'Map device';
  readonly #memory: FlatMemory;
  readonly #entriesMax: number;
  readonly #tlb = new Map<string, Entry>();
  readonly #configs = new Map<string, Config>();
  #streamTable = 0;
  #queue = 0;
  #queueLog2 = 0;
  #cons = 0;

  constructor(memory: FlatMemory, entriesMax: number) {
    this.#memory = memory;
    this.#entriesMax = entriesMax;
  }

  writeRegister(offset: number, low: number, high = 0): void {
    switch (offset) {
      case REGISTER.STRTAB_BASE:
        this.#streamTable = extract(STRTAB_BASE.fields.ADDR, low, high);
        return;
      case REGISTER.CMDQ_BASE:
        this.#queue = extract(QUEUE_BASE.fields.ADDR, low, high);
        this.#queueLog2 = extract(QUEUE_BASE.fields.LOG2SIZE, low, high);
        return;
      case REGISTER.CMDQ_PROD:
        while (this.#cons !== low) this.#command();
    }
  }

  translate(streamId: number, low: number, high: number): number {
    const config = this.#configOf(streamId);
    const { vmid, asid, stage1, stage2 } = config;
    const address = (high >>> 0) * 2 ** 32 + (low >>> 0);
    const page = Math.floor(address / 4096);
    const key = `${vmid}/${asid}/${page}`;
    let entry = this.#tlb.get(key);
    if (entry === undefined) {
      const leaf = this.#walk(stage1, address, stage2);
      const output = stage2 === undefined || leaf === undefined ? leaf : this.#walk(stage2, leaf.pa, undefined);
      if (output === undefined) return -1;
      if (this.#tlb.size >= this.#entriesMax) this.#tlb.clear();
      entry = { vmid, asid, outputPage: Math.floor(output.pa / 4096) };
      this.#tlb.set(key, entry);
    }
    return entry.outputPage * 4096 + (address % 4096);
  }

  #configOf(streamId: number): Config {
    const known = this.#configs.get(`${streamId}`);
    if (known !== undefined) return known;
    const ste = decode(STE, this.#lanes(this.#streamTable + 64 * streamId, 16));
    const cd = decode(CD, this.#lanes(ste.S1ContextPtr, 16));
    const config = {
      vmid: ste.S2VMID,
      asid: cd.ASID,
      stage1: { address: cd.TTB0, level: cd.T0SZ < 25 ? 0 : 1 },
      stage2: ste.Config === STE_CONFIG.NESTED ? { address: ste.S2TTB, level: 2 - ste.S2SL0 } : undefined,
    };
    this.#configs.set(`${streamId}`, config);
    return config;
  }

  #lanes(pa: number, count: number): number[] {
    return Array.from({ length: count }, (_, lane) =>
      lane % 2 === 0 ? this.#memory.low(pa + 4 * lane) : this.#memory.high(pa + 4 * (lane - 1)),
    );
  }

  /** Walks a table; the descriptors of stage 1 are at addresses that stage 2 translates, if it is on. */
  #walk(table: Table, address: number, stage2: Table | undefined): Leaf | undefined {
    let { address: at } = table;
    for (let { level } = table; level <= 3; level++) {
      const shift = 39 - 9 * level;
      const place = at + 8 * (Math.floor(address / 2 ** shift) % 512);
      const pa = stage2 === undefined ? place : this.#walk(stage2, place, undefined)?.pa;
      if (pa === undefined || !this.#memory.present(pa)) return undefined;
      const low = this.#memory.low(pa);
      if ((low & 3) !== 3) return undefined;
      at = (this.#memory.high(pa) & 0xffff) * 2 ** 32 + ((low & -4096) >>> 0);
      if (level === 3) return (low & (1 << 10)) === 0 ? undefined : { pa: at + (address % 4096) };
    }
    return undefined;
  }

  #command(): void {
    const lanes = this.#lanes(this.#queue + 16 * (this.#cons % 2 ** this.#queueLog2), 4);
    this.#cons = (this.#cons + 1) % 2 ** (this.#queueLog2 + 1);
    const { Opcode, VMID, ASID, Address } = decode(COMMAND_TLBI, lanes);
    switch (Opcode) {
      case OPCODE.TLBI_NH_VA:
        this.#tlb.delete(`${VMID}/${ASID}/${Address / 4096}`);
        return;
      case OPCODE.TLBI_NH_ASID:
        for (const [key, entry] of this.#tlb) if (entry.vmid === VMID && entry.asid === ASID) this.#tlb.delete(key);
        return;
      case OPCODE.TLBI_S12_VMALL:
        for (const [key, entry] of this.#tlb) if (entry.vmid === VMID) this.#tlb.delete(key);
        return;
      case OPCODE.TLBI_NSNH_ALL:
        this.#tlb.clear();
    }
  }
}
