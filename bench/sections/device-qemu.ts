import { readFileSync } from 'node:fs';
import { QemuMachine, QemuMissing, rockerControl, rockerFill, type DmaDevice } from '../../impl/qemu/index.ts';
import {
  COMMAND_TLBI,
  COMMAND_SYNC,
  CR0,
  encode,
  OPCODE,
  REGISTER,
} from '../../model/architecture/arm/layout/index.ts';
import { alternate, showRate, table } from '../measure.ts';
import { OurDevice } from '../peers/our-device.ts';
import { BASE, COMMANDS, EVENTS, QUEUE_LOG2, SmmuWorld } from '../workloads/smmu-world.ts';

/** Pages that DMA goes to in turn: QEMU's TLB holds 256. */
const USED = 16;
/** DMAs that are sent before an answer is awaited. */
const BATCH = 50;
const queue = (base: number): { base: number; log2Entries: number } => ({ base, log2Entries: QUEUE_LOG2 });
const SYNC = encode(COMMAND_SYNC, { Opcode: OPCODE.SYNC });
const invalidation = (streamId: number, page: number): number[] =>
  encode(COMMAND_TLBI, {
    Opcode: OPCODE.TLBI_NH_VA,
    VMID: streamId >> 4,
    ASID: 1 + (streamId & 15),
    Address: page * 4096,
  });

/** A machine with the world of the benchmarks in its memory, and its first rocker. */
class QemuWorld {
  readonly machine: QemuMachine;
  readonly device: DmaDevice & { kind: 'rocker' };
  readonly #world = new SmmuWorld();

  constructor(machine: QemuMachine) {
    this.machine = machine;
    const [device] = machine.devices;
    if (device?.kind !== 'rocker') throw new Error('the first device is not a rocker');
    this.device = device;
    machine.ram.write(BASE, this.#world.memory.words);
  }

  async enable(on: boolean): Promise<void> {
    const { smmu } = this.machine;
    smmu.writeRegister(REGISTER.CR0, 0);
    smmu.resetQueues();
    if (on)
      this.#world.enable({
        writeRegister: (offset, low, high) => {
          // The queues are the port's.
          const queues: readonly number[] = [
            REGISTER.CMDQ_BASE,
            REGISTER.EVENTQ_BASE,
            REGISTER.CMDQ_PROD,
            REGISTER.CR0,
          ];
          if (!queues.includes(offset)) smmu.writeRegister(offset, low, high);
        },
      });
    const bits = { CMDQEN: 1, EVENTQEN: 1, SMMUEN: on ? 1 : 0 };
    smmu.writeRegister(REGISTER.CR0, encode(CR0, bits)[0] as number);
    await this.machine.settle();
  }

  /** Writes to pages in turn. @param at what is done before each. */
  async write(amount: number, addressOf: (index: number) => number, before?: (index: number) => void): Promise<void> {
    for (let index = 0; index < amount; index++) {
      before?.(index);
      this.device.rocker.run(rockerControl.fill, addressOf(index), 0);
      if (index % BATCH === BATCH - 1) await this.machine.settle();
    }
    await this.machine.settle();
  }

  /** Maps a page anew and invalidates it. */
  change(page: number, frame: number): void {
    const { ram, smmu } = this.machine;
    this.#world.map(page, frame);
    const at = this.#world.leafOf(page);
    ram.writeWord(at, this.#world.memory.low(at), 0);
    smmu.push(invalidation(this.device.streamId, page));
    smmu.push(SYNC);
    smmu.ring();
  }

  /** Fails if a frame has not been written; makes it clean. */
  expectWritten(frame: number): void {
    const { ram } = this.machine;
    const pa = this.#world.frame(frame);
    if ((ram.read32(pa) & 0xff) !== rockerFill) throw new Error(`QEMU: nothing is written at 0x${pa.toString(16)}`);
    ram.write32(pa, 0);
  }

  frame(index: number): number {
    return this.#world.frame(index);
  }
}

/** Milliseconds of processor time that a process has used, in steps of 10 (Linux). */
function processorTimeOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** Translations of QEMU as they are seen through DMA, beside ours; a note where there is no QEMU. */
export async function deviceBesideQemu(rounds: number, seconds: number): Promise<string> {
  let machine: QemuMachine;
  try {
    machine = await QemuMachine.start({
      ramBytes: 512 * 2 ** 20,
      commandQueue: queue(COMMANDS),
      eventQueue: queue(EVENTS),
    });
  } catch (error) {
    if (error instanceof QemuMissing) return `Beside QEMU: skipped, ${error.message}`;
    throw error;
  }
  try {
    return await compare(new QemuWorld(machine), rounds, seconds);
  } finally {
    await machine.stop();
  }
}

async function compare(qemu: QemuWorld, rounds: number, seconds: number): Promise<string> {
  const pageOf = (index: number): number => (index % USED) * 4096;
  // Each with the frame that its last DMA goes to.
  const works: Record<string, [work: (amount: number) => Promise<void>, frameOf: (index: number) => number]> = {
    'DMA without the SMMU': [
      (amount) => qemu.write(amount, (index) => qemu.frame(index % USED)),
      (index) => index % USED,
    ],
    'DMA, hit': [(amount) => qemu.write(amount, pageOf), (index) => index % USED],
    'DMA, page changed and invalidated by VA': [
      (amount) => qemu.write(amount, pageOf, (index) => qemu.change(index % USED, index)),
      (index) => index,
    ],
  };
  const ours = await ourRates(rounds, seconds, qemu.device.streamId);
  const rows: string[][] = [['', 'QEMU', 'stalemate', 'ours is']];
  for (const [name, [work, frameOf]] of Object.entries(works)) {
    await qemu.enable(!name.includes('without'));
    const best = await rateOf(qemu, work, frameOf, rounds, seconds);
    const own = ours[name];
    rows.push([
      name,
      showRate(best),
      ...(own === undefined ? ['', ''] : [showRate(own), `${Number((own / best).toPrecision(2))} ×`]),
    ]);
  }
  return [
    `Our SMMUv3 beside ${qemu.machine.version.text}: DMAs of 4 bytes, ${BATCH} sent at a time, per second of processor time of QEMU alone`,
    table(rows),
    '  QEMU is driven over a socket, so its numbers are those of the protocol and the DMA too: the first row is what these cost alone.',
  ].join('\n');
}

async function rateOf(
  qemu: QemuWorld,
  work: (amount: number) => Promise<void>,
  frameOf: (index: number) => number,
  rounds: number,
  seconds: number,
): Promise<number> {
  const pid = qemu.machine.process.pid as number;
  const amount = BATCH * Math.ceil((seconds * 100_000) / BATCH);
  let best = 0;
  for (let round = 0; round < Math.min(rounds, 3); round++) {
    const from = processorTimeOf(pid);
    await work(amount);
    best = Math.max(best, (amount * 1000) / Math.max(10, processorTimeOf(pid) - from));
    qemu.expectWritten(frameOf(amount - 1));
  }
  return best;
}

/** The same requests to our device. */
async function ourRates(rounds: number, seconds: number, streamId: number): Promise<Record<string, number>> {
  const world = new SmmuWorld();
  const device = new OurDevice(world.memory);
  world.enable(device);
  const commands = Array.from({ length: USED }, (_, page) => invalidation(streamId, page));
  const turn = (change: boolean) => (amount: number) => {
    for (let index = 0; index < amount; index++) {
      const page = index % USED;
      if (change) {
        world.map(page, index);
        world.invalidate(device, commands[page] as number[], 0);
      }
      const pa = device.translate(streamId, page * 4096, 0);
      if (pa < 0 || (change && pa !== world.frame(index))) throw new Error('ours: a wrong address');
    }
    return Promise.resolve({ units: amount, events: 1 });
  };
  const names = ['DMA, hit', 'DMA, page changed and invalidated by VA'] as const;
  const rates: Record<string, number> = {};
  for (const [index, name] of names.entries()) {
    const [rate] = await alternate([{ name, run: turn(index === 1) }], { rounds, seconds: seconds / 4 });
    rates[name] = rate?.best ?? Number.NaN;
  }
  return rates;
}
