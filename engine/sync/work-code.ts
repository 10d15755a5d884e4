/**
 * A deferred call (function number and argument) as one number, since a step's result is a plain value: 53 bits hold both.
 */
export function workCode(number: number, argument: number): number {
  return number * 0x1_0000_0000 + (argument >>> 0);
}

/** Number of the function of a `workCode`. */
export function codeNumber(code: number): number {
  return Math.floor(code / 0x1_0000_0000);
}

/** Argument of a `workCode`: 32 bits, signed. */
export function codeArgument(code: number): number {
  return (code % 0x1_0000_0000) | 0;
}
