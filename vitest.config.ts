import { defineConfig } from 'vitest/config'

/** These look at a process of their own (its memory's high-water mark, the first load of a backend) or put another module in place of one. */
const alone = ['spec/experiments/bench/memory.spec.ts', 'spec/experiments/dwBox/pool.spec.ts', 'spec/experiments/profile/option.spec.ts']

/**
 * `--mode gpu` runs the laws of ops, the properties of the algorithms and the main job on every mode of the gpu backend that is
 * present, `--mode deep` everything with ten times the property runs.
 */
export default defineConfig(({ mode }) => {
  const include =
    mode === 'gpu'
      ? ['spec/core/gpu/**/*.spec.ts', 'spec/algorithms/**/*.spec.ts', 'spec/experiments/gpu/mainJob.spec.ts']
      : ['spec/**/*.spec.ts']
  const common = {
    pool: 'forks' as const,
    setupFiles: ['spec/support/setup.ts'],
    ...(mode === 'gpu' && { globalSetup: ['spec/support/gpuSetup.ts'] }),
    env: {
      // Two test files run at a time: threads within ops would only compete with them.
      DBP_THREADS: '1',
      ...(mode === 'gpu' && { SPEC_BACKENDS: 'gpu' }),
      ...(mode === 'deep' && { SPEC_RUNS: process.env.SPEC_RUNS ?? '10' }),
    },
    // A software driver builds a kernel in seconds, and some tests need dozens of kernels.
    testTimeout: { gpu: 300_000, deep: 600_000 }[mode] ?? 30_000,
  }
  return {
    test: {
      maxWorkers: 2,
      // Loading the modules anew for each of two hundred files would take a third of the time.
      projects: [
        { test: { ...common, name: 'shared', include, exclude: alone, isolate: false } },
        { test: { ...common, name: 'alone', include: mode === 'gpu' ? [] : alone } },
      ],
    },
  }
})
