/**
 * How many complete operations a second the live QEMU target does: write a descriptor, invalidate and synchronise, do a
 * DMA through the new translation, check where it landed. Each is checked; a wrong landing ends the benchmark.
 *
 * `node bin/run.js bench/qemu.ts`
 */
import { QemuMachine, rockerControl, rockerFill } from '../impl/qemu/index.ts';
import {
  CD,
  COMMAND_SYNC,
  COMMAND_TLBI,
  CR0,
  encode,
  OPCODE,
  REGISTER,
  STAGE1_LEAF,
  STE,
  STE_CONFIG,
  STRTAB_BASE,
  STRTAB_BASE_CFG,
  TABLE_DESCRIPTOR,
} from '../model/architecture/arm/layout/index.ts';

const streamTable = 0x4020_0000;
const contextDescriptor = 0x4021_0000;
const table = (level: number): number => 0x4100_0000 + level * 0x1000;
const frame = (index: number): number => 0x5000_0000 + (index % 256) * 0x1000;
const va = 0x1000;

const setUp = async (machine: QemuMachine, streamId: number): Promise<void> => {
  const { ram, smmu } = machine;
  const put = (pa: number, lanes: number[]): void => ram.write(pa, Int32Array.from(lanes));
  put(streamTable + streamId * 64, encode(STE, { V: 1, Config: STE_CONFIG.STAGE1, S1ContextPtr: contextDescriptor }));
  const cd = { V: 1, AA64: 1, A: 1, R: 1, T0SZ: 25, EPD1: 1, IPS: 4, ASID: 1, TTB0: table(1) };
  put(contextDescriptor, encode(CD, cd));
  put(table(1), encode(TABLE_DESCRIPTOR, { Valid: 1, Table: 1, Address: table(2) }));
  put(table(2), encode(TABLE_DESCRIPTOR, { Valid: 1, Table: 1, Address: table(3) }));
  const [base, top] = encode(STRTAB_BASE, { ADDR: streamTable });
  smmu.writeRegister(REGISTER.STRTAB_BASE, base as number, top as number);
  smmu.writeRegister(REGISTER.STRTAB_BASE_CFG, encode(STRTAB_BASE_CFG, { LOG2SIZE: 6 })[0] as number);
  smmu.resetQueues();
  smmu.writeRegister(REGISTER.CR0, encode(CR0, { CMDQEN: 1, EVENTQEN: 1, SMMUEN: 1 })[0] as number);
  await machine.settle();
};

/** One complete operation; throws if the DMA did not land where the new descriptor says. */
const operate = async (machine: QemuMachine, index: number): Promise<void> => {
  const { ram, smmu } = machine;
  const [device] = machine.devices;
  if (device?.kind !== 'rocker') throw new Error('the first device is not a rocker');
  const pa = frame(index);
  const leaf = encode(STAGE1_LEAF, { Valid: 1, Page: 1, AF: 1, nG: 1, AP: 1, Address: pa });
  ram.writeWord(table(3) + 8, leaf[0] as number, leaf[1] as number);
  smmu.push(encode(COMMAND_TLBI, { Opcode: OPCODE.TLBI_NH_VA, ASID: 1, Address: va }));
  smmu.push(encode(COMMAND_SYNC, { Opcode: OPCODE.SYNC }));
  smmu.ring();
  device.rocker.run(rockerControl.fill, va, 0);
  await machine.settle();
  if ((ram.read32(pa) & 0xff) !== rockerFill)
    throw new Error(`operation ${index}: nothing written at 0x${pa.toString(16)}`);
  ram.write32(pa, 0);
};

/**
 * Runs operations for a while.
 *
 * @returns complete operations per second.
 */
const benchQemu = async (seconds: number): Promise<number> => {
  const machine = await QemuMachine.start({
    ramBytes: 512 * 2 ** 20,
    commandQueue: { base: 0x4010_0000, log2Entries: 8 },
    eventQueue: { base: 0x4011_0000, log2Entries: 8 },
  });
  try {
    await setUp(machine, machine.devices[0]?.streamId ?? 0);
    const start = performance.now();
    let operations = 0;
    for (; performance.now() - start < seconds * 1000; operations++) await operate(machine, operations);
    return operations / ((performance.now() - start) / 1000);
  } finally {
    await machine.stop();
  }
};

const rates: number[] = [];
for (let round = 0; round < 5; round++) rates.push(await benchQemu(2));
const [median = 0] = rates.toSorted((a, b) => a - b).slice(2);
const line = `qemu-smmuv3: map + invalidate + DMA + check: ${Math.round(median)} operations/s (median of 5 runs of 2 s)`;
process.stdout.write(`${line}\n`);
