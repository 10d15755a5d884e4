/** Conformance programs as a fast-check arbitrary, for properties of the harness itself. */
import fc from 'fast-check';
import { generateProgram } from './generate.ts';
import type { GeneratedProgram } from './generate.ts';

/**
 * Programs of the same generator that the search uses, driven by fast-check's own stream of choices. Shrinking leaves out
 * operations: halves first, then single ones.
 */
class ProgramArbitrary extends fc.Arbitrary<GeneratedProgram> {
  override generate(random: fc.Random): fc.Value<GeneratedProgram> {
    return new fc.Value(generateProgram({ below: (n) => random.nextInt(0, n - 1) }), undefined);
  }

  override canShrinkWithoutContext(value: unknown): value is GeneratedProgram {
    return typeof value === 'object' && value !== null && 'operations' in value;
  }

  override shrink(program: GeneratedProgram): fc.Stream<fc.Value<GeneratedProgram>> {
    return fc.stream(smaller(program)).map((value) => new fc.Value(value, undefined));
  }
}

function* smaller(program: GeneratedProgram): Generator<GeneratedProgram> {
  const { operations } = program;
  for (let length = operations.length >> 1; length >= 1; length >>= 1)
    for (let at = 0; at + length <= operations.length; at += length)
      yield { ...program, operations: [...operations.slice(0, at), ...operations.slice(at + length)] };
}

/** An arbitrary of conformance programs. */
export const programArbitrary = (): fc.Arbitrary<GeneratedProgram> => new ProgramArbitrary();
