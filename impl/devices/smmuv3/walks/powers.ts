/** 2^n for n from 0 to 63: `**` and `%` of numbers that are not small integers are slow, and walks are full of them. */
export const POWER: Float64Array = Float64Array.from({ length: 64 }, (_, exponent) => 2 ** exponent);

/** The bits of an address below 2^shift. */
export function offsetWithin(address: number, shift: number): number {
  return address - alignedTo(address, shift);
}

/** An address with the bits below 2^shift cleared. */
export function alignedTo(address: number, shift: number): number {
  const unit = POWER[shift] as number;
  return Math.floor(address / unit) * unit;
}
