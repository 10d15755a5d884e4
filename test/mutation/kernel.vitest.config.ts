import { defineConfig } from 'vitest/config';

/** The tests that mutants of the kernel are run against: its own, and the litmus programs and rules of the families. */
export default defineConfig({
  test: {
    include: [
      'impl/{kernel,platform}/**/*.test.ts',
      'properties/{asid,smmu,rollover,vmid,sva,btm}/litmus.test.ts',
      'properties/asid/{rules,faults}.test.ts',
    ],
    pool: 'forks',
    testTimeout: 120_000,
    bail: 1,
  },
});
