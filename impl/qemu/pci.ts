/** PCI configuration of the machine's devices through the memory-mapped configuration space. */
import type { QtestClient } from './qtest.ts';

const bar0 = 0x10;
const command = 0x04;
/** COMMAND.Memory Space Enable and COMMAND.Bus Master Enable: without either, DMA is dropped silently. */
const memoryAndBusMaster = 0x6;

/** Bus and device number. */
export interface PciPlace {
  readonly bus: number;
  readonly slot: number;
}

/** Address of a configuration register of function 0 of a device. */
export const configAddress = (ecam: number, { bus, slot }: PciPlace, register: number): number =>
  ecam + (bus << 20) + (slot << 15) + register;

/** Registers of a bridge: primary, secondary and subordinate bus number; base and limit of what it forwards. */
const busNumbers = 0x18;
const memoryWindow = 0x20;

/**
 * Gives a bridge its bus and the 2 MiB of PCI memory that it forwards, and lets it pass DMA on. Queued, like
 * `enablePciDevice`, which the devices behind it then need.
 *
 * @param window physical address, a multiple of 1 MiB.
 */
export const enablePciBridge = (qtest: QtestClient, ecam: number, slot: number, bus: number, window: number): void => {
  const place = { bus: 0, slot };
  qtest.writel(configAddress(ecam, place, busNumbers), (bus << 16) | (bus << 8));
  const base = window >>> 16;
  const limit = (window + 0x10_0000) >>> 16;
  qtest.writel(configAddress(ecam, place, memoryWindow), (limit << 16) | base);
  qtest.writel(configAddress(ecam, place, command), memoryAndBusMaster);
};

/**
 * Places a device's first BAR and lets the device answer and do DMA. Queued: a reset forgets both, so this runs often.
 *
 * @param bar physical address for BAR 0, aligned to its size.
 */
export const enablePciDevice = (qtest: QtestClient, ecam: number, place: PciPlace, bar: number): void => {
  qtest.writel(configAddress(ecam, place, bar0), bar);
  qtest.writel(configAddress(ecam, place, bar0 + 4), 0);
  qtest.writel(configAddress(ecam, place, command), memoryAndBusMaster);
};

/** Vendor and device id of a place, as one 32-bit number (device id in the upper half); 0xffffffff if it is empty. */
export const pciIdentity = (qtest: QtestClient, ecam: number, place: PciPlace): Promise<number> =>
  qtest.readl(configAddress(ecam, place, 0));
