import { ShapeError, type Tensor, tensor } from '../../core/index.ts'
import {
  conv2dLayer,
  convShapes,
  type DropoutKey,
  groupNormLayer,
  type Initialiser,
  initialise,
  normalWith,
  normShapes,
  type ParameterShapes,
  scope,
} from '../../core/nn/index.ts'
import type { Key } from '../../core/random/key.ts'
import { checkImages, type ImageInput } from './checkImages.ts'
import type { Parameters } from './types.ts'
import { modernName } from './unet2d/attentionBlock.ts'
import { type Unet2dConfig, unet2dConfig } from './unet2d/config.ts'
import { downStage, downStages, midShapes, midStage, stageShapes, upStage, upStages } from './unet2d/stages.ts'
import { type ClassConditions, timeFeatures, timeShapes } from './unet2d/timeFeatures.ts'

export type { Unet2dConfig } from './unet2d/config.ts'
export { UNET2D_PRESETS } from './unet2d/presets.ts'

export interface Unet2dOptions extends ClassConditions {
  /** Turns dropout on (training); each layer folds its name into the key. */
  readonly dropoutKey?: DropoutKey
}

export interface Unet2d {
  readonly config: Unet2dConfig
  /** The images that `apply` takes. */
  readonly input: ImageInput
  /** All parameters, in the order of the published state dict. */
  parameterShapes(): ParameterShapes
  /** Fresh parameters with the origin's initialisation. */
  init(key: Key): Parameters
  /** epsilonTheta(x, t). x: [batch, in_channels, height, width]; t: one timestep per image. */
  apply(params: Parameters, x: Tensor, t: readonly number[], o?: Unet2dOptions): Tensor
}

/**
 * The noise predictor of Ho et al. 2020 as diffusers' `UNet2DModel` (0.21) has it: residual blocks with group norm and
 * silu, self-attention at chosen resolutions, skips from each block on the way down to one on the way up. Any
 * configuration of `unet2d/config.ts`; parameter names, order and numbers are those of the published checkpoints.
 *
 * Height and width must be divisible by 2^(levels - 1), else ShapeError.
 * Deviations: none in the numbers; time_proj.weight (fourier) is a parameter here, which the origin does not train.
 */
export const createUnet2d = (given: Partial<Unet2dConfig> & Readonly<Record<string, unknown>> = {}): Unet2d => {
  const config = unet2dConfig(given)
  const down = downStages(config)
  const up = upStages(config)
  const first = config.block_out_channels[0]!
  const shapes: ParameterShapes = Object.assign(
    {},
    convShapes('conv_in', config.in_channels, first, { kernel: 3 }),
    timeShapes(config),
    ...down.map(stage => stageShapes(stage, config, 'downsamplers')),
    ...up.map(stage => stageShapes(stage, config, 'upsamplers')),
    midShapes(config),
    normShapes('conv_norm_out', first),
    convShapes('conv_out', first, config.out_channels, { kernel: 3 }),
  )

  const input = { channels: config.in_channels, divisor: 2 ** (down.length - 1) }
  const checkInput = (x: Tensor, t: readonly number[]): void => {
    checkImages('unet2d', x, input)
    if (t.length !== x.shape[0])
      throw new ShapeError(`unet2d: ${x.shape[0]} images need as many timesteps, got ${t.length}; give one per image`)
  }

  const apply: Unet2d['apply'] = (params, x, t, o = {}) => {
    checkInput(x, t)
    const parameters = scope(params)
    const context = { config, timeFeatures: timeFeatures(t, o, parameters, config), dropoutKey: o.dropoutKey }
    const skips = [conv2dLayer(config.center_input_sample ? x.mul(2).sub(1) : x, parameters.at('conv_in'))]
    for (const stage of down) skips.push(...downStage(skips.at(-1)!, stage, parameters, context))
    const middle = midStage(skips.at(-1)!, parameters, context)
    const top = up.reduce((h, stage) => upStage(h, stage, parameters, { ...context, skips }), middle)
    const norm = { groups: config.norm_num_groups, epsilon: config.norm_eps, silu: true }
    const output = conv2dLayer(groupNormLayer(top, parameters.at('conv_norm_out'), norm), parameters.at('conv_out'))
    // A score model with fourier features predicts the score, which grows as the inverse of its noise level t.
    return config.time_embedding_type === 'fourier' ? output.div(tensor(t, [t.length, 1, 1, 1])) : output
  }

  return { config, input, parameterShapes: () => shapes, init: key => initialise(key, shapes, specialInit), apply }
}

/** The origin draws embeddings and frequencies from normal distributions. */
const specialInit = (name: string): Initialiser | undefined => {
  if (name === 'class_embedding.weight') return normalWith(1)
  return name === 'time_proj.weight' ? normalWith(16) : undefined
}

/**
 * A published state dict under the present names: attention maps called query, key, value, proj_attn are renamed, and
 * the second copy of the fourier frequencies (`time_proj.W`) is dropped.
 */
export const renameUnet2dParameters = <T>(tensors: Readonly<Record<string, T>>): Record<string, T> =>
  Object.fromEntries(
    Object.entries(tensors)
      .filter(([name]) => name !== 'time_proj.W')
      .map(([name, value]) => [modernName(name), value]),
  )
