import { gpuModes, missingMode } from '../../core/backends/gpu/modes.ts'

/** Whether this is `npm run test:gpu`, which tests whatever the machine has. */
const onGpu = process.env.SPEC_BACKENDS === 'gpu'

/** `SPEC_GPU_MODES=webgpu npm run test:gpu` tests one mode only. */
export const askedModes = gpuModes.filter(mode => process.env.SPEC_GPU_MODES?.split(',').includes(mode) ?? true)

const presentGpuBackends = async (): Promise<readonly string[]> => {
  const present: string[] = []
  for (const mode of askedModes) if (!(await missingMode(mode))) present.push(`gpu:${mode}`)
  return present
}

/** Modes of the gpu backend under test: those that need nothing, or in `npm run test:gpu` all that are present. */
export const gpuBackendsUnderTest = onGpu ? await presentGpuBackends() : ['gpu:webasm', 'gpu:cpu']

/** Backends on which every invariant runs: the definition, the fast one, and one on which values only arrive later. */
export const backendsUnderTest = onGpu ? gpuBackendsUnderTest : ['reference', 'cpu', 'fakeAsync']

/** Whether a backend computes in float32; reference and fakeAsync compute in float64. */
export const isFloat32 = (backend: string): boolean => backend === 'cpu' || backend.startsWith('gpu:')
