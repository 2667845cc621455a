import { chooseMode, gpuModes, missingMode } from '../../core/backends/gpu/modes.ts'
import { openWebgpu } from '../../core/backends/gpu/webgpu/open.ts'
import { UserError } from '../support/errors.ts'

/** The backends a run may name. */
export const runBackends = ['cpu', 'reference', 'gpu', 'gpu:webgpu', 'gpu:headlessgl', 'gpu:webasm', 'gpu:cpu'] as const

export type RunBackend = (typeof runBackends)[number]

/**
 * The backend as results name it: `gpu` becomes its best mode present, which is said on standard error; others stay.
 *
 * @throws UserError when the mode is missing, with what it needs
 */
export const presentBackend = async (name: RunBackend): Promise<RunBackend> => {
  if (name === 'gpu') {
    const mode = await chooseMode('best')
    const adapter = mode === 'webgpu' ? ` on ${(await openWebgpu())!.adapter}` : ''
    process.stderr.write(`--backend gpu takes gpu:${mode}${adapter}\n`)
    return `gpu:${mode}`
  }
  const mode = gpuModes.find(each => name === `gpu:${each}`)
  const missing = mode && (await missingMode(mode))
  if (missing) throw new UserError(missing.what, missing.remedy)
  return name
}
