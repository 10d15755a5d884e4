/** A copy of a typed array with place for index `at`, twice as long or more, 0 where nothing was. */
export function grown<T extends Int32Array | Uint8Array | Float64Array>(array: T, at: number): T {
  const longer = new (array.constructor as new (length: number) => T)(Math.max(array.length * 2, at + 1));
  longer.set(array);
  return longer;
}
