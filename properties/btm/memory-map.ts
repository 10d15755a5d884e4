/** Virtual address that the guest maps; its devices use it. */
export const VIRTUAL = 0x8000;
/** Intermediate physical addresses that stage 2 of KVM and of the SMMU map, by index. */
export const IPAS = [0x1000, 0x2000] as const;
/** Every address that a device may access. */
export const ADDRESSES: readonly number[] = [...IPAS, VIRTUAL];
export const PAGE_BYTES = 0x1000;
export const BLOCK_BYTES = 0x20_0000;

const FRAMES = 0x5000_0000;
const FRAMES_OF_PLACE = 2;
const PLACES = 4;

/** Number of a frame of memory that a stage 2 maps: each place has frames of its own, so that another's are told from them. */
export function frameIndex(place: number, frame: number): number {
  return FRAMES_OF_PLACE * place + frame;
}

/** Physical address of a frame, by its number. */
export function framePa(index: number): number {
  return FRAMES + index * PAGE_BYTES;
}

/** "G1" for a physical address. */
export function frameName(pa: number): string {
  const index = (pa - FRAMES) / PAGE_BYTES;
  return index >= 0 && index < FRAMES_OF_PLACE * PLACES ? `G${index}` : `0x${pa.toString(16)}`;
}
