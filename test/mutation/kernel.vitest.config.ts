import { defineConfig } from 'vitest/config';

/** The tests that mutants of the kernel are run against: its own, what the families check of it, and rules of the harness. */
export default defineConfig({
  test: {
    include: [
      'impl/{kernel,platform}/**/*.test.ts',
      'test/mutation/families/*.ts',
      'properties/asid/{rules,faults,designs}.test.ts',
      'properties/vmid/pinned-series.test.ts',
    ],
    pool: 'forks',
    testTimeout: 120_000,
    bail: 1,
  },
});
