/** PCI configuration of the machine's devices through the memory-mapped configuration space. */
import type { QtestClient } from './qtest.ts';

const bar0 = 0x10;
const command = 0x04;
/** COMMAND.Memory Space Enable and COMMAND.Bus Master Enable: without either, DMA is dropped silently. */
const memoryAndBusMaster = 0x6;

/** Address of a configuration register of function 0 of a device on bus 0. */
export const configAddress = (ecam: number, slot: number, register: number): number => ecam + (slot << 15) + register;

/**
 * Places a device's first BAR and lets the device answer and do DMA. Queued: a reset forgets both, so this runs often.
 *
 * @param bar physical address for BAR 0, aligned to its size.
 */
export const enablePciDevice = (qtest: QtestClient, ecam: number, slot: number, bar: number): void => {
  qtest.writel(configAddress(ecam, slot, bar0), bar);
  qtest.writel(configAddress(ecam, slot, bar0 + 4), 0);
  qtest.writel(configAddress(ecam, slot, command), memoryAndBusMaster);
};

/** Vendor and device id of a slot, as one 32-bit number (device id in the upper half); 0xffffffff if it is empty. */
export const pciIdentity = (qtest: QtestClient, ecam: number, slot: number): Promise<number> =>
  qtest.readl(configAddress(ecam, slot, 0));
