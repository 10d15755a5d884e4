import type { Operation } from './family.ts';
import { isWithin } from './flat-configuration.ts';

/** For each kind of operation, its arguments with their least and greatest values: what traces are checked against. */
export type Bounds<Op extends string> = { readonly [K in Op]: Readonly<Record<string, readonly [number, number]>> };

/** The kinds of operations, in the order in which they are written. */
export function kindsOf<Op extends string>(bounds: Bounds<Op>): readonly Op[] {
  return Object.keys(bounds) as Op[];
}

/** The same operation with one argument smaller; the simplest first. */
export function simplifyBy<Op extends string>(bounds: Bounds<Op>, operation: Operation): readonly Operation[] {
  const simpler: Operation[] = [];
  for (const [argument, [least]] of Object.entries(bounds[operation.op as Op])) {
    const value = operation[argument];
    if (typeof value === 'number')
      for (let smaller = least; smaller < value; smaller++) simpler.push({ ...operation, [argument]: smaller });
  }
  return simpler;
}

/**
 * Reads an operation of a family from a trace.
 *
 * @throws RangeError saying what is wrong with it.
 */
export function readOperation<Known extends { readonly op: string }>(
  family: string,
  bounds: Bounds<Known['op']>,
  operation: Operation,
): Known {
  const kinds = kindsOf(bounds);
  const kind = kinds.find((candidate) => candidate === operation.op);
  if (kind === undefined)
    throw new RangeError(`family ${family} has no operation "${operation.op}"; it has ${kinds.join(', ')}`);
  for (const [argument, [least, most]] of Object.entries(bounds[kind]))
    if (!isWithin(operation[argument], least, most))
      throw new RangeError(`operation ${kind}: "${argument}" must be an integer from ${least} to ${most}`);
  return operation as unknown as Known;
}

/**
 * Every operation with any arguments.
 *
 * @param later an argument that is drawn when the operation is: here it has its least value.
 */
export function optionsOf<Known extends { readonly op: string }>(
  bounds: Bounds<Known['op']>,
  later?: string,
): readonly Known[] {
  return kindsOf(bounds).flatMap((op) => {
    let options: readonly Record<string, number>[] = [{}];
    for (const [argument, [least, most]] of Object.entries(bounds[op])) {
      const values = Array.from({ length: argument === later ? 1 : most - least + 1 }, (_, index) => least + index);
      options = options.flatMap((others) => values.map((value) => ({ ...others, [argument]: value })));
    }
    return options.map((values) => ({ op, ...values }) as unknown as Known);
  });
}
