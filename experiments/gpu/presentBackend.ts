import { chooseMode, gpuModes, missingMode } from '../../core/backends/gpu/modes.ts'
import { missingHalf } from '../../core/backends/gpu/webgpu/half.ts'
import { openWebgpu } from '../../core/backends/gpu/webgpu/open.ts'
import { UserError } from '../support/errors.ts'

/** The backends a run may name. */
export const runBackends = ['cpu', 'reference', 'gpu', 'gpu:webgpu', 'gpu:webgpu:half', 'gpu:headlessgl', 'gpu:webasm', 'gpu:cpu'] as const

export type RunBackend = (typeof runBackends)[number]

/** What to say, on the same line, when there is no graphics card behind a mode. */
const softwareWarning = (software: boolean): string =>
  software ? ', which computes on the processor; --backend cpu is usually faster there' : ''

/**
 * The backend as results name it: `gpu` becomes its best mode present, which is said on standard error; others stay.
 *
 * @throws UserError when the mode is missing, with what it needs
 */
export const presentBackend = async (name: RunBackend): Promise<RunBackend> => {
  if (name === 'gpu') {
    const mode = await chooseMode('best')
    const opened = mode === 'webgpu' ? await openWebgpu() : undefined
    process.stderr.write(
      `--backend gpu takes gpu:${mode}${opened ? ` on ${opened.adapter}` : ''}${softwareWarning(opened?.software ?? true)}\n`,
    )
    return `gpu:${mode}`
  }
  const half = name === 'gpu:webgpu:half'
  const mode = half ? 'webgpu' : gpuModes.find(each => name === `gpu:${each}`)
  const missing = mode && ((await missingMode(mode)) ?? (half ? missingHalf((await openWebgpu())!) : undefined))
  if (missing) throw new UserError(missing.what, missing.remedy)
  return name
}
