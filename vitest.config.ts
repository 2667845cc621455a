import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['spec/**/*.spec.ts'],
    setupFiles: ['spec/support/setup.ts'],
    testTimeout: 30_000,
    pool: 'forks',
    maxWorkers: 2,
    // The audit can read these results instead of running the specs again: npm run audit -- --reuse runs/specs.json
    reporters: ['default', ['json', { outputFile: 'runs/specs.json' }]],
  },
})
