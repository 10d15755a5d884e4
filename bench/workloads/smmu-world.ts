import {
  CD,
  COMMAND,
  COMMAND_SYNC,
  COMMAND_TLBI,
  CR0,
  encode,
  OPCODE,
  QUEUE_BASE,
  REGISTER,
  STE,
  STE_CONFIG,
  STRTAB_BASE,
  STRTAB_BASE_CFG,
} from '../../model/architecture/arm/layout/index.ts';

/** Where memory begins: where the RAM of QEMU's `virt` machine does, so that one world serves both. */
export const BASE = 0x4000_0000;
const BYTES = 0x40_0000;

const STREAM_TABLE = BASE;
const CDS = BASE + 0x1_0000;
/** Queues of 256 entries. */
export const COMMANDS = BASE + 0x2_0000;
export const EVENTS = BASE + 0x3_0000;
export const QUEUE_LOG2 = 8;
const STAGE1 = BASE + 0x10_0000;
const STAGE1_LEAVES = BASE + 0x11_0000;
const STAGE2 = BASE + 0x20_0000;
const FRAMES = 0x4400_0000;

/** Pages that differ; beyond them the address space repeats. */
export const PAGES = 1 << 14;
/** Streams with stage 1 alone: 4 VMIDs with 16 ASIDs each. */
export const STREAMS = 64;
/** Streams from here on are nested, of VMID 9, with an ASID each. */
export const NESTED = 128;
/** A stream whose translations are invalidated while those of the others stay. */
export const VICTIM = 100;
export const VICTIM_VMID = 8;
export const VICTIM_ASID = 1;

/** A device to be measured. */
export interface BenchDevice {
  readonly name: string;
  writeRegister(offset: number, low: number, high?: number): void;
  /** Translates a read. @returns the physical address, or -1. */
  translate(streamId: number, low: number, high: number): number;
}

/** Memory in one typed array. */
export class FlatMemory {
  readonly words = new Int32Array(BYTES / 4);

  present(pa: number): boolean {
    return pa >= BASE && pa < BASE + BYTES;
  }

  low(pa: number): number {
    return this.words[(pa - BASE) / 4] as number;
  }

  high(pa: number): number {
    return this.words[(pa - BASE) / 4 + 1] as number;
  }

  writeWord(pa: number, low: number, high: number): void {
    this.words[(pa - BASE) / 4] = low;
    this.words[(pa - BASE) / 4 + 1] = high;
  }

  put(pa: number, lanes: readonly number[]): void {
    this.words.set(lanes, (pa - BASE) / 4);
  }
}

/** Invalidations that are measured. */
export const INVALIDATION = {
  va: encode(COMMAND_TLBI, { Opcode: OPCODE.TLBI_NH_VA, VMID: VICTIM_VMID, ASID: VICTIM_ASID }),
  asid: encode(COMMAND_TLBI, { Opcode: OPCODE.TLBI_NH_ASID, VMID: VICTIM_VMID, ASID: VICTIM_ASID }),
  vmid: encode(COMMAND_TLBI, { Opcode: OPCODE.TLBI_S12_VMALL, VMID: VICTIM_VMID }),
} as const;
const SYNC = encode(COMMAND_SYNC, { Opcode: OPCODE.SYNC });

const descriptor = (address: number, bits: number): number => address | bits | 0;

/** Tables of four levels at both stages, which map every address: page number modulo `PAGES` to a frame. */
export class SmmuWorld {
  readonly memory = new FlatMemory();
  #prod = 0;

  constructor() {
    const { memory } = this;
    const table = (level: number): number => STAGE1 + 0x1000 * level;
    for (let index = 0; index < 512; index++) {
      memory.writeWord(table(0) + 8 * index, descriptor(table(1), 3), 0);
      memory.writeWord(table(1) + 8 * index, descriptor(table(2), 3), 0);
      memory.writeWord(table(2) + 8 * index, descriptor(STAGE1_LEAVES + 0x1000 * (index % (PAGES / 512)), 3), 0);
    }
    for (let page = 0; page < PAGES; page++) this.map(page, page);
    this.#stageTwo();
    const plain = { V: 1, Config: STE_CONFIG.STAGE1 };
    for (let stream = 0; stream < STREAMS; stream++)
      this.attach(stream, { ...plain, S2VMID: stream >> 4 }, 1 + (stream & 15));
    this.attach(VICTIM, { ...plain, S2VMID: VICTIM_VMID }, VICTIM_ASID);
    const nested = {
      V: 1,
      Config: STE_CONFIG.NESTED,
      S2VMID: 9,
      S2T0SZ: 16,
      S2SL0: 2,
      S2PS: 5,
      S2AA64: 1,
      S2R: 1,
      S2TTB: STAGE2,
    };
    for (let stream = 0; stream < STREAMS; stream++) this.attach(NESTED + stream, nested, 1 + stream);
  }

  /** Gives a stream its STE and a CD. */
  attach(stream: number, ste: Readonly<Record<string, number>>, asid: number): void {
    const cd = { V: 1, AA64: 1, A: 1, R: 1, T0SZ: 16, EPD1: 1, TG1: 2, IPS: 5, ASID: asid, TTB0: STAGE1 };
    this.memory.put(CDS + 64 * stream, encode(CD, cd));
    this.memory.put(STREAM_TABLE + 64 * stream, encode(STE, { ...ste, S1ContextPtr: CDS + 64 * stream }));
  }

  /** Maps a page to a frame: not global, readable and writable by all. */
  map(page: number, frame: number): void {
    this.memory.writeWord(this.leafOf(page), descriptor(this.frame(frame), 0xc43), 0);
  }

  /** Where the descriptor of a page is. */
  leafOf(page: number): number {
    return STAGE1_LEAVES + 8 * (page % PAGES);
  }

  /** The address of a frame. */
  frame(index: number): number {
    return FRAMES + 4096 * (index % PAGES);
  }

  /** Identity from `BASE` on, in pages of 4 KiB. */
  #stageTwo(): void {
    const { memory } = this;
    const leaves = STAGE2 + 0x1_0000;
    memory.writeWord(STAGE2, descriptor(STAGE2 + 0x1000, 3), 0);
    memory.writeWord(STAGE2 + 0x1000 + 8, descriptor(STAGE2 + 0x2000, 3), 0);
    for (let block = 0; block < 64; block++) {
      memory.writeWord(STAGE2 + 0x2000 + 8 * block, descriptor(leaves + 0x1000 * block, 3), 0);
      for (let page = 0; page < 512; page++)
        memory.writeWord(
          leaves + 0x1000 * block + 8 * page,
          descriptor(BASE + 0x20_0000 * block + 0x1000 * page, 0x4ff),
          0,
        );
    }
  }

  /** Switches a device on, with nothing cached. */
  enable(device: Pick<BenchDevice, 'writeRegister'>): void {
    const wide = (offset: number, [low = 0, high = 0]: readonly number[]): void =>
      device.writeRegister(offset, low, high);
    wide(REGISTER.STRTAB_BASE, encode(STRTAB_BASE, { ADDR: STREAM_TABLE }));
    device.writeRegister(REGISTER.STRTAB_BASE_CFG, encode(STRTAB_BASE_CFG, { LOG2SIZE: 8 })[0] as number);
    wide(REGISTER.CMDQ_BASE, encode(QUEUE_BASE, { ADDR: COMMANDS, LOG2SIZE: QUEUE_LOG2 }));
    wide(REGISTER.EVENTQ_BASE, encode(QUEUE_BASE, { ADDR: EVENTS, LOG2SIZE: QUEUE_LOG2 }));
    device.writeRegister(REGISTER.CR0, encode(CR0, { SMMUEN: 1, EVENTQEN: 1, CMDQEN: 1 })[0] as number);
    this.#push(encode(COMMAND, { Opcode: OPCODE.TLBI_NSNH_ALL }), 0);
    this.#ring(device);
  }

  /** Has a device invalidate, and wait for that, through the command queue. @param low lane of the address. */
  invalidate(device: BenchDevice, command: readonly number[], low: number): void {
    this.#push(command, low);
    this.#ring(device);
  }

  #push(command: readonly number[], low: number): void {
    const at = COMMANDS + 16 * (this.#prod % 2 ** QUEUE_LOG2);
    this.memory.writeWord(at, command[0] as number, command[1] as number);
    this.memory.writeWord(at + 8, (command[2] as number) | low, command[3] as number);
    this.#prod = (this.#prod + 1) % 2 ** (QUEUE_LOG2 + 1);
  }

  #ring(device: Pick<BenchDevice, 'writeRegister'>): void {
    this.#push(SYNC, 0);
    device.writeRegister(REGISTER.CMDQ_PROD, this.#prod);
  }
}
