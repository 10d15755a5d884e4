import { defineConfig } from 'vitest/config';

/** The tests that mutants of the contract and of the architecture are run against: those beside them. */
export default defineConfig({
  test: {
    include: ['model/{contract,architecture}/**/*.test.ts'],
    pool: 'forks',
    testTimeout: 120_000,
    bail: 1,
  },
});
