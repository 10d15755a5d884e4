import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{engine,bench,model,impl,properties,traces,cli,test}/**/*.test.ts'],
    setupFiles: ['test/setup.ts'],
    pool: 'forks',
    testTimeout: 120_000,
    hookTimeout: 60_000,
    coverage: {
      provider: 'v8',
      include: ['engine/**/*.ts', 'model/**/*.ts'],
      exclude: ['**/*.test.ts'],
    },
  },
});
