import { missingMode } from '../../core/backends/gpu/modes.ts'
import { openWebgpu } from '../../core/backends/gpu/webgpu/open.ts'
import { askedModes } from './backends.ts'

/** Before the gpu specs: says which modes they run on, and what the others need. */
export default async (): Promise<void> => {
  for (const mode of askedModes) {
    const missing = await missingMode(mode)
    const adapter = mode === 'webgpu' && !missing ? ` on ${(await openWebgpu())!.adapter}` : ''
    process.stdout.write(missing ? `not tested: ${missing.what}\n` : `tested: gpu:${mode}${adapter}\n`)
  }
}
