/** Rounds an address down to a power of two. */
export function alignDown(address: number, size: number): number {
  return Math.floor(address / size) * size;
}
