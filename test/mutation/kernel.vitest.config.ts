import { defineConfig } from 'vitest/config';

/** The tests that mutants of the kernel are run against: its own, and the litmus programs and rules of the family. */
export default defineConfig({
  test: {
    include: ['impl/{kernel,platform}/**/*.test.ts', 'properties/asid/{litmus,rules,faults}.test.ts'],
    pool: 'forks',
    testTimeout: 120_000,
    bail: 1,
  },
});
