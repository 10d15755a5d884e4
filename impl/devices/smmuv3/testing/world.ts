/** A small world for tests of the device: memory, a stream table, CDs and tables, and a device over them. */
import { CD } from '../../../../model/architecture/arm/layout/cd.ts';
import { COMMAND_TLBI, OPCODE } from '../../../../model/architecture/arm/layout/command.ts';
import { EVENT_RECORD } from '../../../../model/architecture/arm/layout/event.ts';
import { decode, encode, type FieldValues } from '../../../../model/architecture/arm/layout/layout.ts';
import {
  CR0,
  CR2,
  QUEUE_BASE,
  REGISTER,
  STRTAB_BASE,
  STRTAB_BASE_CFG,
} from '../../../../model/architecture/arm/layout/register.ts';
import { STE, STE_CONFIG } from '../../../../model/architecture/arm/layout/ste.ts';
import { SmmuV3Device } from '../device.ts';
import type { SmmuFeatures } from '../../../../model/architecture/arm/layout/features.ts';
import type { DeviceAnswer, DeviceMemory, DeviceRequest } from '../request.ts';

/** A device with everything. */
export const FULL: SmmuFeatures = {
  oas: 48,
  granules: [12, 14, 16],
  asid16: true,
  vmid16: true,
  stage1: true,
  stage2: true,
  ats: true,
  pri: true,
  hyp: true,
  btm: false,
  fwb: true,
  xnx: true,
  ril: true,
  bbml: 2,
  stLevel: true,
  cd2l: true,
  sidSize: 16,
  ssidSize: 10,
  had: true,
  stt: false,
  permissionOverride: true,
  stallModel: 0,
  termModel: false,
};

/** Memory that is present below an end. */
export class TestMemory implements DeviceMemory {
  readonly words = new Map<number, readonly [number, number]>();
  end = 2 ** 32;

  present(pa: number): boolean {
    return pa < this.end;
  }

  low(pa: number): number {
    return this.words.get(pa)?.[0] ?? 0;
  }

  high(pa: number): number {
    return this.words.get(pa)?.[1] ?? 0;
  }

  writeWord(pa: number, low: number, high: number): void {
    this.words.set(pa, [low, high]);
  }

  /** Makes everything seen a second time, this far above. */
  mirror(distance: number): void {
    const copies = [...this.words].map(([pa, word]) => [pa + distance, word] as const);
    for (const [pa, word] of copies) this.words.set(pa, word);
  }

  /** Writes the lanes of a structure. */
  put(pa: number, lanes: readonly number[]): void {
    for (let at = 0; at < lanes.length; at += 2)
      this.writeWord(pa + 4 * at, lanes[at] as number, lanes[at + 1] as number);
  }
}

/** Where things are. */
export const PLACE = {
  STREAM_TABLE: 0x1_0000,
  CDS: 0x2_0000,
  /** Stage 1 tables of levels 1, 2, 3 (4 KiB granule, 39 bits). */
  TABLES: [0, 0x3_1000, 0x3_2000, 0x3_3000],
  STAGE2: 0x4_0000,
  COMMANDS: 0x8_0000,
  EVENTS: 0x9_0000,
} as const;

/** Bits of descriptors: valid page or table, block, AF, nG, AP[1] (unprivileged, or stage 2 read), AP[2]. */
export const BIT = { PAGE: 3, BLOCK: 1, AF: 1 << 10, NG: 1 << 11, AP1: 1 << 6, AP2: 1 << 7 } as const;
/** A page that every access may read and write. */
export const RW = BIT.PAGE | BIT.AF | BIT.NG | BIT.AP1;
/** A stage 2 block that every access may use, Normal memory. */
export const S2_RWX = BIT.BLOCK | BIT.AF | BIT.AP1 | BIT.AP2 | (15 << 2);

/** An STE of a kind with fields changed. */
export function ste(values: FieldValues<typeof STE>): number[] {
  return encode(STE, {
    V: 1,
    S2T0SZ: 25,
    S2SL0: 1,
    S2PS: 5,
    S2AA64: 1,
    S2R: 1,
    S2TTB: PLACE.STAGE2,
    S1ContextPtr: PLACE.CDS,
    ...values,
  });
}

/** A CD with one table of 39 bits and 4 KiB granules. */
export function cd(values: FieldValues<typeof CD> = {}): number[] {
  return encode(CD, {
    V: 1,
    T0SZ: 25,
    EPD1: 1,
    TG1: 2,
    IPS: 5,
    AA64: 1,
    A: 1,
    R: 1,
    ASID: 1,
    TTB0: PLACE.TABLES[1],
    ...values,
  });
}

/** A device over memory, switched on, with queues. */
export class World {
  readonly memory = new TestMemory();
  readonly device: SmmuV3Device;
  #prod = 0;
  #cons = 0;

  constructor(
    features: Partial<SmmuFeatures> = {},
    make: (memory: TestMemory, features: SmmuFeatures) => SmmuV3Device = (memory, all) =>
      new SmmuV3Device(memory, { features: all }),
  ) {
    const { memory } = this;
    this.device = make(memory, { ...FULL, ...features });
    for (const level of [1, 2] as const)
      memory.writeWord(PLACE.TABLES[level], (PLACE.TABLES[level + 1] as number) | BIT.PAGE, 0);
    memory.put(PLACE.CDS, cd());
    // Stage 2 maps the first GiB to itself.
    memory.writeWord(PLACE.STAGE2, S2_RWX, 0);
    this.wide(REGISTER.STRTAB_BASE, encode(STRTAB_BASE, { ADDR: PLACE.STREAM_TABLE }));
    this.narrow(REGISTER.STRTAB_BASE_CFG, encode(STRTAB_BASE_CFG, { LOG2SIZE: 4 }));
    this.wide(REGISTER.CMDQ_BASE, encode(QUEUE_BASE, { ADDR: PLACE.COMMANDS, LOG2SIZE: 3 }));
    this.wide(REGISTER.EVENTQ_BASE, encode(QUEUE_BASE, { ADDR: PLACE.EVENTS, LOG2SIZE: 2 }));
    this.narrow(REGISTER.CR2, encode(CR2, { RECINVSID: 1 }));
    this.on();
  }

  /** CR0 with both queues and translation on, and what is given. */
  on(values: FieldValues<typeof CR0> = {}): void {
    this.narrow(REGISTER.CR0, encode(CR0, { SMMUEN: 1, EVENTQEN: 1, CMDQEN: 1, ...values }));
  }

  narrow(offset: number, lanes: readonly number[]): void {
    this.device.writeRegister(offset, lanes[0] as number);
  }

  wide(offset: number, lanes: readonly number[]): void {
    this.device.writeRegister(offset, lanes[0] as number, lanes[1] as number);
  }

  /** Writes the STE of a stream. */
  stream(streamId: number, values: FieldValues<typeof STE>): void {
    this.memory.put(PLACE.STREAM_TABLE + 64 * streamId, ste(values));
  }

  /** Stream 1 with stage 1, stage 2 or both. */
  attach(config: keyof typeof STE_CONFIG, values: FieldValues<typeof STE> = {}): void {
    this.stream(1, { Config: STE_CONFIG[config], ...values });
  }

  /** Writes a stage 1 page descriptor of the page with a number. */
  page(number: number, low: number, high = 0): void {
    this.memory.writeWord(PLACE.TABLES[3] + 8 * number, low, high);
  }

  /** Puts a command into the queue. @returns CMDQ_CONS.ERR, or 0 if it was consumed. */
  command(lanes: readonly number[]): number {
    this.memory.put(PLACE.COMMANDS + 16 * (this.#prod % 8), lanes);
    this.#prod = (this.#prod + 1) % 16;
    this.device.writeRegister(REGISTER.CMDQ_PROD, this.#prod);
    const cons = this.device.readRegister(REGISTER.CMDQ_CONS);
    return (cons & 15) === this.#prod ? 0 : (cons >>> 24) & 0x7f;
  }

  /** A TLB invalidation. */
  tlbi(name: keyof typeof OPCODE, values: FieldValues<typeof COMMAND_TLBI> = {}): number {
    return this.command(encode(COMMAND_TLBI, { Opcode: OPCODE[name], ...values }));
  }

  /** An access of stream 1. */
  access(address: number, request: Partial<DeviceRequest> = {}): DeviceAnswer {
    return { ...this.device.translate(this.request(address, request)) };
  }

  /** A request of stream 1. */
  request(address: number, request: Partial<DeviceRequest> = {}): DeviceRequest {
    const place = { streamId: 1, substream: -1, low: (address % 2 ** 32) | 0, high: Math.floor(address / 2 ** 32) };
    const attributes = { write: false, privileged: false, instruction: false };
    return { ...place, ...attributes, kind: 'untranslated', ...request };
  }

  /** Event records since the last call. */
  events(): Record<keyof typeof EVENT_RECORD.fields, number>[] {
    const found: Record<keyof typeof EVENT_RECORD.fields, number>[] = [];
    const prod = this.device.readRegister(REGISTER.EVENTQ_PROD) & 7;
    for (; this.#cons !== prod; this.#cons = (this.#cons + 1) % 8) {
      const at = PLACE.EVENTS + 32 * (this.#cons % 4);
      const words = [0, 8, 16, 24].flatMap((word) => [this.memory.low(at + word), this.memory.high(at + word)]);
      found.push(decode(EVENT_RECORD, words));
    }
    this.device.writeRegister(
      REGISTER.EVENTQ_CONS,
      this.#cons | (this.device.readRegister(REGISTER.EVENTQ_PROD) & (1 << 31)),
    );
    return found;
  }
}
