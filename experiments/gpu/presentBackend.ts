import { chooseMode, gpuModes, missingMode } from '../../core/backends/gpu/modes.ts'
import { UserError } from '../support/errors.ts'

/** The backends a run may name. */
export const runBackends = ['cpu', 'reference', 'gpu', 'gpu:webgpu', 'gpu:headlessgl', 'gpu:webasm', 'gpu:cpu'] as const

export type RunBackend = (typeof runBackends)[number]

/**
 * The backend as results name it: `gpu` becomes its best mode present, others stay.
 *
 * @throws UserError when the mode is missing, with what it needs
 */
export const presentBackend = (name: RunBackend): RunBackend => {
  if (name === 'gpu') return `gpu:${chooseMode('best')}`
  const mode = gpuModes.find(each => name === `gpu:${each}`)
  const missing = mode && missingMode(mode)
  if (missing) throw new UserError(missing.what, missing.remedy)
  return name
}
