import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { linearSchedule, type Schedule } from '../../algorithms/diffusion/schedule.ts'
import type { EpsilonModel } from '../../algorithms/models/types.ts'
import { createUnet2d, renameUnet2dParameters, type Unet2d } from '../../algorithms/models/unet2d.ts'
import { FileError } from '../../core/io/fileError.ts'
import { readFileBytes } from '../../core/io/files.ts'
import { loadWeights } from './loadWeights.ts'

export interface DiffusersModel {
  readonly network: Unet2d
  readonly epsilonTheta: EpsilonModel
  readonly schedule: Schedule
  /** The file the weights came from. */
  readonly weights: string
}

/** Names of weights, the preferred first. */
export const WEIGHTS = ['diffusion_pytorch_model.safetensors', 'diffusion_pytorch_model.bin', 'model.safetensors', 'pytorch_model.bin']

/** What of `scheduler_config.json` decides the noise of each timestep. */
const schedulerConfig = z.object({
  num_train_timesteps: z.number().int().min(2).max(1e6).default(1000),
  beta_start: z.number().gt(0).lt(1).default(1e-4),
  beta_end: z.number().gt(0).lt(1).default(0.02),
  beta_schedule: z.literal('linear').default('linear'),
  trained_betas: z.null().default(null),
  prediction_type: z.literal('epsilon').default('epsilon'),
})

const readJson = (path: string): unknown => {
  const text = new TextDecoder().decode(readFileBytes(path))
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new FileError(path, `this is no JSON: ${(cause as Error).message}`, 'fetch it again', { cause })
  }
}

const readScheduler = (path: string): Schedule => {
  const result = schedulerConfig.safeParse(existsSync(path) ? readJson(path) : {})
  if (!result.success) {
    const { path: place, message } = result.error.issues[0]!
    throw new FileError(path, `"${place.join('.')}": ${message}`, 'only linear schedules with predicted noise are supported')
  }
  const { num_train_timesteps: timesteps, beta_start: betaStart, beta_end: betaEnd } = result.data
  try {
    return linearSchedule({ timesteps, betaStart, betaEnd })
  } catch (cause) {
    throw new FileError(path, (cause as Error).message, 'correct it', { cause })
  }
}

const readNetwork = (path: string): Unet2d => {
  const config = readJson(path)
  if (typeof config !== 'object' || config === null || Array.isArray(config))
    throw new FileError(path, 'this is no JSON object', 'give the configuration of a UNet2DModel')
  try {
    return createUnet2d(config as Record<string, unknown>)
  } catch (cause) {
    // Anything but a refused configuration is a bug, to be seen as one.
    if (cause instanceof TypeError || cause instanceof RangeError) throw cause
    throw new FileError(path, (cause as Error).message, 'only unconditional UNet2DModel configurations are supported', { cause })
  }
}

/**
 * Loads a noise predictor as diffusers saves it: `config.json` and the weights, safetensors or PyTorch, in the folder itself
 * or in its `unet`; the noise schedule from `scheduler_config.json` there or in `scheduler`, and the one of Ho et al. 2020 if
 * there is none. Old and new names of attention weights load.
 * @throws FileError when a file is missing, damaged, not supported, or the weights do not fit the configuration
 */
export const loadDiffusersFolder = (folder: string): DiffusersModel => {
  if (!existsSync(folder) || !statSync(folder).isDirectory())
    throw new FileError(folder, 'no such folder', 'give a folder with config.json and weights as diffusers saves them')
  const pipeline = existsSync(join(folder, 'unet', 'config.json'))
  const unet = pipeline ? join(folder, 'unet') : folder
  const network = readNetwork(join(unet, 'config.json'))
  const weights = WEIGHTS.map(name => join(unet, name)).find(existsSync)
  if (weights === undefined) throw new FileError(unet, 'there are no weights', `add one of ${WEIGHTS.join(', ')}`)
  const parameters = loadWeights(weights, network.parameterShapes(), { rename: renameUnet2dParameters })
  return {
    network,
    epsilonTheta: (xT, t) => network.apply(parameters, xT, t),
    schedule: readScheduler(join(folder, pipeline ? 'scheduler' : '', 'scheduler_config.json')),
    weights,
  }
}
