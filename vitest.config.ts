import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['spec/**/*.spec.ts'],
    setupFiles: ['spec/support/setup.ts'],
    testTimeout: 30_000,
    pool: 'forks',
    maxWorkers: 2,
    // Test files run in parallel already; specs about threads set their number.
    env: { DBP_THREADS: '1' },
  },
})
