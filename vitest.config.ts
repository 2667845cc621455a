import { defineConfig } from 'vitest/config'

/**
 * `--mode gpu` runs the laws of ops, the properties of the algorithms and the main job on every mode of the gpu backend that is present,
 * `--mode deep` everything with ten times the property runs.
 */
export default defineConfig(({ mode }) => ({
  test: {
    include:
      mode === 'gpu'
        ? ['spec/core/gpu/**/*.spec.ts', 'spec/algorithms/**/*.spec.ts', 'spec/experiments/gpu/mainJob.spec.ts']
        : ['spec/**/*.spec.ts'],
    setupFiles: ['spec/support/setup.ts'],
    ...(mode === 'gpu' && { globalSetup: ['spec/support/gpuSetup.ts'] }),
    env: {
      // Two test files run at a time: threads within ops would only compete with them.
      DBP_THREADS: '1',
      ...(mode === 'gpu' && { SPEC_BACKENDS: 'gpu' }),
      ...(mode === 'deep' && { SPEC_RUNS: process.env.SPEC_RUNS ?? '10' }),
    },
    testTimeout: { gpu: 120_000, deep: 600_000 }[mode] ?? 30_000,
    pool: 'forks',
    maxWorkers: 2,
  },
}))
