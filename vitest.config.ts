import { defineConfig } from 'vitest/config'

/** `vitest run --mode gpu` runs the laws of ops and of the DW-box attack on every mode of the gpu backend that is present. */
export default defineConfig(({ mode }) => ({
  test: {
    include: mode === 'gpu' ? ['spec/core/gpu/**/*.spec.ts', 'spec/algorithms/attacks/dwBox.spec.ts'] : ['spec/**/*.spec.ts'],
    setupFiles: ['spec/support/setup.ts'],
    ...(mode === 'gpu' && { globalSetup: ['spec/support/gpuSetup.ts'], env: { SPEC_BACKENDS: 'gpu' } }),
    testTimeout: mode === 'gpu' ? 120_000 : 30_000,
    pool: 'forks',
    maxWorkers: 2,
  },
}))
