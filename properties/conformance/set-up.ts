/** Register values at the start of a program, for the device and for the architecture model alike. */
import {
  CR0,
  CR2,
  encode,
  GBPA,
  QUEUE_BASE,
  REGISTER,
  STRTAB_BASE,
  STRTAB_BASE_CFG,
} from '../../model/architecture/arm/layout/index.ts';
import type { ConformanceConfiguration } from './configuration.ts';
import { commandQueue, eventQueue, isBridged, streamTable, streamTableL1, streamTableLog2 } from './world.ts';

const lane = (lanes: readonly number[], index: 0 | 1): number => lanes[index] as number;

/** CR0 with both queues enabled, and translation on or off. */
export const controlValue = (on: boolean): number =>
  lane(encode(CR0, { CMDQEN: 1, EVENTQEN: 1, SMMUEN: on ? 1 : 0 }), 0);

/** A register to write: offset, low lane, high lane of a 64-bit register. */
export type RegisterWrite = readonly [offset: number, low: number, high?: number];

/** log2 of the entries of the event queue of an overflow, and the number of faulting writes: one more than it holds. */
export const overflowLog2 = 1;
export const overflowWrites = 2 ** overflowLog2 + 1;

/** Registers for an overflow, while everything is disabled: a short event queue, and a stream table of one entry. */
export const overflowRegisters = (): RegisterWrite[] => {
  const queue = encode(QUEUE_BASE, { ADDR: eventQueue.base, LOG2SIZE: overflowLog2 });
  return [
    [REGISTER.CR0, lane(encode(CR0, { CMDQEN: 1 }), 0)],
    [REGISTER.CR2, lane(encode(CR2, { RECINVSID: 1 }), 0)],
    [REGISTER.STRTAB_BASE_CFG, lane(encode(STRTAB_BASE_CFG, { LOG2SIZE: 0 }), 0)],
    [REGISTER.EVENTQ_BASE, lane(queue, 0), lane(queue, 1)],
    [REGISTER.EVENTQ_PROD, 0],
    [REGISTER.EVENTQ_CONS, 0],
    [REGISTER.CR0, controlValue(true)],
  ];
};

/** Registers to go back to what they were before an overflow; ends with translation off. */
export const afterOverflowRegisters = (configuration: ConformanceConfiguration, twoLevel: boolean): RegisterWrite[] => {
  const queue = encode(QUEUE_BASE, { ADDR: eventQueue.base, LOG2SIZE: eventQueue.log2Entries });
  return [
    [REGISTER.CR0, lane(encode(CR0, { CMDQEN: 1 }), 0)],
    [REGISTER.CR2, lane(encode(CR2, { RECINVSID: configuration.recordBadStreamId ? 1 : 0 }), 0)],
    ...streamTableRegisters(configuration, twoLevel),
    [REGISTER.EVENTQ_BASE, lane(queue, 0), lane(queue, 1)],
    [REGISTER.EVENTQ_PROD, 0],
    [REGISTER.EVENTQ_CONS, 0],
    [REGISTER.CR0, controlValue(false)],
  ];
};

/** GBPA: bypass without change, or abort; UPDATE asks for the change (§6.3.14). */
export const globalBypass = (abort: boolean): RegisterWrite => [
  REGISTER.GBPA,
  lane(encode(GBPA, { ABORT: abort ? 1 : 0, UPDATE: 1 }), 0),
];

/** log2 of the StreamIDs where a device is behind a bridge: the buses 0 to 3. */
const bridgedLog2 = 10;

/** Stream table registers for either format; both tables are always in memory. */
export const streamTableRegisters = (configuration: ConformanceConfiguration, two: boolean): RegisterWrite[] => {
  const table = encode(STRTAB_BASE, { ADDR: two ? streamTableL1 : streamTable });
  const bridged = configuration.devices.some(isBridged);
  const log2 = bridged ? bridgedLog2 : streamTableLog2;
  // Split at bit 6, so one descriptor covers every device on bus 0.
  const format = encode(
    STRTAB_BASE_CFG,
    two
      ? { LOG2SIZE: log2 + 1, SPLIT: 6, FMT: 1 }
      : { LOG2SIZE: configuration.shortStreamTable ? streamTableLog2 - 1 : log2 },
  );
  return [
    [REGISTER.STRTAB_BASE, lane(table, 0), lane(table, 1)],
    [REGISTER.STRTAB_BASE_CFG, lane(format, 0)],
  ];
};

/**
 * Registers to write while everything is disabled. Ends with the queues
 * on. CR2 resets to an UNKNOWN value (IHI 0070 §6.3.12), so it is written.
 */
export const setUpRegisters = (configuration: ConformanceConfiguration): readonly RegisterWrite[] => {
  const queue = ({ base, log2Entries }: { base: number; log2Entries: number }): number[] =>
    encode(QUEUE_BASE, { ADDR: base, LOG2SIZE: log2Entries });
  return [
    [REGISTER.CR0, 0],
    [REGISTER.CR2, lane(encode(CR2, { RECINVSID: configuration.recordBadStreamId ? 1 : 0 }), 0)],
    globalBypass(false),
    ...streamTableRegisters(configuration, configuration.twoLevelStreams),
    [REGISTER.CMDQ_BASE, lane(queue(commandQueue), 0), lane(queue(commandQueue), 1)],
    [REGISTER.CMDQ_PROD, 0],
    [REGISTER.CMDQ_CONS, 0],
    [REGISTER.EVENTQ_BASE, lane(queue(eventQueue), 0), lane(queue(eventQueue), 1)],
    [REGISTER.EVENTQ_PROD, 0],
    [REGISTER.EVENTQ_CONS, 0],
    [REGISTER.CR0, controlValue(false)],
  ];
};
