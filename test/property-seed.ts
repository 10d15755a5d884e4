/** The seed in continuous integration, where what is tested must depend on the change alone. */
const FIXED = 1;

/**
 * The seed that every property test starts from, unless it has one of its own.
 *
 * @param environment `STALEMATE_TEST_SEED` is the seed; without it, `CI` means a fixed one.
 * @returns an integer of 32 bits; undefined: each test draws one, and prints it when it fails.
 * @throws RangeError if `STALEMATE_TEST_SEED` is not such an integer.
 */
export function propertySeed(environment: Readonly<Record<string, string | undefined>>): number | undefined {
  const { STALEMATE_TEST_SEED: given = '', CI: continuous = '' } = environment;
  if (given === '') return continuous === '' ? undefined : FIXED;
  const seed = Number(given);
  if (seed !== (seed | 0)) throw new RangeError(`STALEMATE_TEST_SEED is not an integer of 32 bits: ${given}`);
  return seed;
}
