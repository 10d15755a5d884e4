import { Store } from '../../../../engine/store.ts';
import { FULL_FEATURES, type SmmuFeatures } from '../layout/features.ts';
import { CD, TG0, TG1 } from '../layout/cd.ts';
import { COMMAND_ATC_INV, COMMAND_CFGI, COMMAND_SYNC, COMMAND_TLBI, OPCODE } from '../layout/command.ts';
import { STAGE1_LEAF, TABLE_DESCRIPTOR, levelShift, type GranuleBits } from '../layout/descriptor.ts';
import { encode, type FieldValues } from '../layout/layout.ts';
import { REGISTER } from '../layout/register.ts';
import { STE } from '../layout/ste.ts';
import type { PhysicalMemory } from '../memory.ts';
import type { Outcome } from '../outcomes/outcome.ts';
import { SmmuV3, type SmmuCapacity } from '../smmuv3.ts';
import type { Slot } from '../universe.ts';

/** Memory for the model's own tests: 2 MiB from 0, every lane a cell of the store. */
export class TestMemory implements PhysicalMemory {
  readonly #store: Store;
  readonly #base: number;
  readonly #bytes: number;

  constructor(store: Store, bytes = 0x20_0000) {
    this.#store = store;
    this.#bytes = bytes;
    this.#base = store.reserve(bytes / 4, 'memory');
  }

  low(pa: number): number {
    return this.#store.get(this.#base + pa / 4);
  }

  high(pa: number): number {
    return this.#store.get(this.#base + pa / 4 + 1);
  }

  present(pa: number): boolean {
    return pa >= 0 && pa < this.#bytes;
  }

  /** Sets one word, without telling anybody. */
  set(pa: number, low: number, high: number): void {
    this.#store.set(this.#base + pa / 4, low);
    this.#store.set(this.#base + pa / 4 + 1, high);
  }
}

/** Where things are in the memory of a `TestWorld`. */
export const AT = { streamTable: 0x1_0000, cds: 0x2_0000, commands: 0x3_0000, tables: 0x10_0000 } as const;

const QUEUE_LOG2 = 8;

/** A small world around the model: linear stream table, one CD for each stream, table pages on demand. */
export class TestWorld {
  readonly store = new Store();
  readonly memory = new TestMemory(this.store);
  readonly smmu: SmmuV3;
  prod = 0;
  #nextTable: number = AT.tables;

  constructor(slots: readonly Slot[], features: Partial<SmmuFeatures> = {}, capacity: SmmuCapacity = {}) {
    this.smmu = new SmmuV3(this.store, this.memory, { ...FULL_FEATURES, ...features }, { slots }, capacity);
    this.smmu.writeRegister(REGISTER.STRTAB_BASE, AT.streamTable, 0);
    this.smmu.writeRegister(REGISTER.STRTAB_BASE_CFG, 6);
    this.smmu.writeRegister(REGISTER.CMDQ_BASE, AT.commands | QUEUE_LOG2, 0);
    this.smmu.writeRegister(REGISTER.CR2, 2);
    this.smmu.writeRegister(REGISTER.CR0, 8);
  }

  /** Sets CR0.SMMUEN; the command queue stays enabled. */
  enable(on = true): void {
    this.smmu.writeRegister(REGISTER.CR0, on ? 9 : 8);
  }

  /** Writes words given as lanes, each as one atomic store. */
  write(pa: number, lanes: ArrayLike<number>): void {
    for (let at = 0; at < lanes.length; at += 2) this.word(pa + 4 * at, lanes[at] as number, lanes[at + 1] as number);
  }

  word(pa: number, low: number, high: number): void {
    this.memory.set(pa, low, high);
    this.smmu.memoryWritten(pa);
  }

  /** A fresh, empty table page of 64 KiB alignment. */
  table(): number {
    const table = this.#nextTable;
    this.#nextTable += 0x1_0000;
    return table;
  }

  /** Writes a stage 1 STE with the CD at `AT.cds` + 64 * StreamID. */
  ste(streamId: number, values: FieldValues<typeof STE> = {}): void {
    const lanes = encode(STE, { V: 1, Config: 5, S1ContextPtr: AT.cds + 0x1000 * streamId, ...values });
    this.structure(AT.streamTable + 64 * streamId, lanes);
  }

  /** Writes a CD for 4 KiB tables from level 1 (39-bit inputs), TTB1 disabled. */
  cd(streamId: number, values: FieldValues<typeof CD>, index = 0): void {
    this.structure(AT.cds + 0x1000 * streamId + 64 * index, cdLanes(values));
  }

  /** Replaces a CD as the architecture recommends (IHI 0070 §3.21.3.1), and waits for each step. */
  replaceCd(streamId: number, values: FieldValues<typeof CD>): void {
    const pa = AT.cds + 0x1000 * streamId;
    const lanes = cdLanes(values);
    const invalidate = cfgi('CFGI_CD', { StreamID: streamId, Leaf: 1 });
    this.word(pa, 0, 0);
    this.sync(invalidate);
    this.write(pa + 8, lanes.slice(2));
    this.sync(invalidate);
    this.write(pa, lanes.slice(0, 2));
    this.sync(invalidate);
  }

  /** Writes the words of a structure, the one with the valid bit last. */
  structure(pa: number, lanes: readonly number[]): void {
    this.write(pa + 8, lanes.slice(2));
    this.write(pa, lanes.slice(0, 2));
  }

  /** Makes a CD invalid by its first word alone, as software should: the other words stay. */
  clearCd(streamId: number, index = 0): void {
    this.word(AT.cds + 0x1000 * streamId + 64 * index, 0, 0);
  }

  /** Address of the descriptor of an address at a level of a table. */
  entry(table: number, va: number, level = 3, granule: GranuleBits = 12): number {
    return table + 8 * (Math.floor(va / 2 ** levelShift(granule, level)) % 2 ** (granule - 3));
  }

  /** Links a table (or unlinks, without `next`) at a level. */
  link(
    table: number,
    va: number,
    level: number,
    next?: number,
    values: FieldValues<typeof TABLE_DESCRIPTOR> = {},
  ): void {
    const lanes =
      next === undefined ? [0, 0] : encode(TABLE_DESCRIPTOR, { Valid: 1, Table: 1, Address: next, ...values });
    this.write(this.entry(table, va, level), lanes);
  }

  /** Maps a 4 KiB page in a level 3 table, readable and writable by all; without `pa`, clears the entry. */
  map(table: number, va: number, pa?: number, values: FieldValues<typeof STAGE1_LEAF> = {}, level = 3): void {
    this.write(this.entry(table, va, level), pa === undefined ? [0, 0] : leafLanes(pa, values, level));
  }

  /** Tables of levels 1, 2 and 3 that lead to an address; returns their addresses. */
  tree(va: number): { top: number; middle: number; bottom: number } {
    const top = this.table();
    const middle = this.table();
    const bottom = this.table();
    this.link(top, va, 1, middle);
    this.link(middle, va, 2, bottom);
    return { top, middle, bottom };
  }

  /** Submits commands (four lanes each). */
  issue(...commands: readonly number[][]): void {
    for (const command of commands) {
      const index = this.prod % 2 ** QUEUE_LOG2;
      this.memory.set(AT.commands + 16 * index, command[0] as number, command[1] as number);
      this.memory.set(AT.commands + 16 * index + 8, command[2] as number, command[3] as number);
      this.prod = (this.prod + 1) % 2 ** (QUEUE_LOG2 + 1);
    }
    this.smmu.writeRegister(REGISTER.CMDQ_PROD, this.prod);
  }

  /** Submits commands and a CMD_SYNC, and waits. */
  sync(...commands: readonly number[][]): void {
    this.issue(...commands, SYNC);
    this.complete();
  }

  /** Software sees that everything submitted has been consumed. */
  complete(): void {
    this.smmu.completeCommands(this.prod);
  }

  /** The outcomes of a slot as short strings, sorted. */
  see(slot = 0): string[] {
    return this.smmu.outcomes(slot).map(shortly).sort();
  }
}

/** CMD_SYNC. */
export const SYNC = encode(COMMAND_SYNC, { Opcode: OPCODE.SYNC });

/** A CMD_TLBI_*. */
export function tlbi(name: keyof typeof OPCODE, values: FieldValues<typeof COMMAND_TLBI> = {}): number[] {
  return encode(COMMAND_TLBI, { Opcode: OPCODE[name], ...values });
}

/** A CMD_CFGI_* other than the range form. */
export function cfgi(name: keyof typeof OPCODE, values: FieldValues<typeof COMMAND_CFGI> = {}): number[] {
  return encode(COMMAND_CFGI, { Opcode: OPCODE[name], ...values });
}

/** A CMD_ATC_INV. */
export function atcInv(values: FieldValues<typeof COMMAND_ATC_INV>): number[] {
  return encode(COMMAND_ATC_INV, { Opcode: OPCODE.ATC_INV, ...values });
}

/** A valid CD for 4 KiB tables of 39-bit inputs, TTB1 disabled, faults aborted and recorded. */
export function cdLanes(values: FieldValues<typeof CD>): number[] {
  const usual = { V: 1, AA64: 1, A: 1, R: 1, IPS: 5, T0SZ: 25, TG0: TG0.GRANULE_4K, T1SZ: 25, TG1: TG1.GRANULE_4K };
  return encode(CD, { ...usual, EPD1: 1, ...values });
}

/** A block or page descriptor, non-global, readable and writable by all. */
export function leafLanes(pa: number, values: FieldValues<typeof STAGE1_LEAF> = {}, level = 3): number[] {
  const usual = { Valid: 1, Page: level === 3 ? 1 : 0, AF: 1, nG: 1, AP: 1, Address: pa };
  return encode(STAGE1_LEAF, { ...usual, ...values });
}

/** An outcome in a few letters: `→pa`, `bypass`, `abort`, `?`, or the number of an event; with `⇒` by way of an ATC. */
export function shortly(outcome: Outcome): string {
  switch (outcome.kind) {
    case 'translation':
      return `→${outcome.pa.toString(16)}`;
    case 'fault':
      return `f${outcome.event.toString(16)}`;
    case 'unpredictable':
      return '?';
    case 'translated':
      return `⇒${outcome.pa < 0 ? shortly(outcome.end) : outcome.pa.toString(16)}`;
    default:
      return outcome.kind;
  }
}

/** A world made by `attach`. */
export interface Attached {
  readonly world: TestWorld;
  readonly top: number;
  readonly middle: number;
  readonly bottom: number;
}

/** Streams from 1 on, each with the given addresses, translated by one tree of 4 KiB tables (for 0x1000) under ASID 5. */
export function attach(
  addresses: number[],
  cd: FieldValues<typeof CD> = {},
  features: Partial<SmmuFeatures> = {},
  streams = 1,
): Attached {
  const slots = [];
  for (let streamId = 1; streamId <= streams; streamId++)
    for (const va of addresses) slots.push({ streamId, substream: -1, va });
  const world = new TestWorld(slots, features);
  const tables = world.tree(0x1000);
  for (let streamId = 1; streamId <= streams; streamId++) {
    world.cd(streamId, { ASID: 5, TTB0: tables.top, ...cd });
    world.ste(streamId);
  }
  world.enable();
  return { world, ...tables };
}
