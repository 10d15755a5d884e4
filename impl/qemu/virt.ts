/**
 * The `virt` machine with an SMMUv3 in front of its PCI bus, and four devices that can do DMA.
 *
 * Two of them (rocker) write, or read and write back, within the register write that starts them; two (edu) can also
 * only read. Two of each kind, because a device is a StreamID: (device number << 3) on bus 0.
 */
import type { QemuVersion } from './binary.ts';

/** Where things are in the guest's physical address space. */
export const virtMap = {
  /** SMMUv3 registers: page 0; page 1 is at + 0x10000. */
  smmu: 0x0905_0000,
  /** PCI configuration space (ECAM) when it is kept below 4 GiB. */
  ecam: 0x3f00_0000,
  /** First address of the window for 32-bit PCI memory. */
  pciMemory: 0x1000_0000,
  ram: 0x4000_0000,
} as const;

/** The PCI devices of the machine, in order. */
export const virtDevices = [
  { name: 'rocker0', kind: 'rocker', slot: 2 },
  { name: 'rocker1', kind: 'rocker', slot: 3 },
  { name: 'edu0', kind: 'edu', slot: 4 },
  { name: 'edu1', kind: 'edu', slot: 5 },
] as const;

/** StreamID of the device in a PCI slot of bus 0. */
export const streamIdOfSlot = (slot: number): number => slot << 3;

/** `wfi; b .-4`, repeated over 64 KiB: the virtual CPU waits from its first instruction on. */
export const idleFirmware = (): Uint8Array => {
  const image = new Uint8Array(65_536);
  const loop = [0x7f, 0x20, 0x03, 0xd5, 0xff, 0xff, 0xff, 0x17];
  for (let at = 0; at < image.length; at++) image[at] = loop[at % loop.length] as number;
  return image;
};

/** Command line of the machine for a version of QEMU (older ones know less). */
export const virtArguments = (version: QemuVersion): string[] => {
  const lowPci = version.major >= 8 ? 'highmem-ecam=off' : 'highmem=off';
  const devices = virtDevices.flatMap(({ name, kind, slot }) => [
    '-device',
    kind === 'rocker' ? `rocker,name=${name},addr=${slot}` : `edu,id=${name},addr=${slot},dma_mask=0xffffffffffffffff`,
  ]);
  return ['-machine', `virt,iommu=smmuv3,${lowPci},memory-backend=ram0`, '-cpu', 'cortex-a57', ...devices];
};
