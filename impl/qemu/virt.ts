/**
 * The `virt` machine with an SMMUv3 in front of its PCI bus, and six devices that can do DMA.
 *
 * Three of them (rocker) write, or read and write back, within the register write that starts them; three (edu) can also
 * only read. Several of each kind, because a device is a StreamID: (device number << 3) on bus 0, bus << 8 behind a bridge.
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

/** The PCI devices of the machine, in order: four on bus 0, then one behind each of two root ports. */
export const virtDevices = [
  { name: 'rocker0', kind: 'rocker', bus: 0, slot: 2 },
  { name: 'rocker1', kind: 'rocker', bus: 0, slot: 3 },
  { name: 'edu0', kind: 'edu', bus: 0, slot: 4 },
  { name: 'edu1', kind: 'edu', bus: 0, slot: 5 },
  { name: 'rocker2', kind: 'rocker', bus: 1, slot: 0 },
  { name: 'edu2', kind: 'edu', bus: 2, slot: 0 },
] as const;

/** The root ports: where each is on bus 0, and the bus behind it. */
export const virtBridges = [
  { name: 'bridge1', slot: 6, bus: 1 },
  { name: 'bridge2', slot: 7, bus: 2 },
] as const;

/** StreamID of function 0 of a device: its bus number and its slot. */
export const streamIdOfSlot = (bus: number, slot: number): number => (bus << 8) | (slot << 3);

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
  const bridges = virtBridges.flatMap(({ name, slot, bus }) => [
    '-device',
    `pcie-root-port,id=${name},addr=${slot},chassis=${bus},slot=${bus}`,
  ]);
  const devices = virtDevices.flatMap(({ name, kind, bus, slot }) => {
    const behind = virtBridges.find((bridge) => bridge.bus === bus);
    const place = behind === undefined ? `addr=${slot}` : `bus=${behind.name},addr=${slot}`;
    return [
      '-device',
      kind === 'rocker' ? `rocker,name=${name},${place}` : `edu,id=${name},${place},dma_mask=0xffffffffffffffff`,
    ];
  });
  return ['-machine', `virt,iommu=smmuv3,${lowPci},memory-backend=ram0`, '-cpu', 'cortex-a57', ...bridges, ...devices];
};

/** Largest RAM of the machine for a version of QEMU, bytes: older ones keep all of it below 4 GiB. */
export const ramBytesMax = (version: QemuVersion): number => (version.major >= 8 ? 2 ** 36 : 2 ** 31);
