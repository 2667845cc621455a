import { gpuModes, missingMode } from '../../core/backends/gpu/modes.ts'
import { openWebgpu } from '../../core/backends/gpu/webgpu/open.ts'

/** Before the gpu specs: says which modes they run on, and what the others need. */
export default async (): Promise<void> => {
  for (const mode of gpuModes) {
    const missing = await missingMode(mode)
    const adapter = mode === 'webgpu' && !missing ? ` on ${(await openWebgpu())!.adapter}` : ''
    process.stdout.write(missing ? `not tested: ${missing.what}\n` : `tested: gpu:${mode}${adapter}\n`)
  }
}
