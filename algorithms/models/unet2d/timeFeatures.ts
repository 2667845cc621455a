import { ops, ShapeError, type Tensor, tensor } from '../../../core/index.ts'
import { linear, linearShapes, type ParameterShapes, type Scope, timestepEmbedding } from '../../../core/nn/index.ts'
import type { Unet2dConfig } from './config.ts'
import { timeChannels } from './context.ts'

export const timeShapes = (config: Unet2dConfig): ParameterShapes => {
  const first = config.block_out_channels[0]!
  const channels = timeChannels(config)
  const fourier = config.time_embedding_type === 'fourier'
  const embedding = (name: string): ParameterShapes => ({
    ...linearShapes(`${name}.linear_1`, fourier ? 2 * first : first, channels),
    ...linearShapes(`${name}.linear_2`, channels, channels),
  })
  const table: ParameterShapes = config.num_class_embeds === null ? {} : { 'class_embedding.weight': [config.num_class_embeds, channels] }
  return {
    ...(fourier ? { 'time_proj.weight': [first] } : {}),
    ...embedding('time_embedding'),
    ...(config.class_embed_type === null ? table : {}),
    ...(config.class_embed_type === 'timestep' ? embedding('class_embedding') : {}),
  }
}

/**
 * sin, then cos, of 2 pi w log t for the random frequencies w of the checkpoint (Tancik et al. 2020), as score models use it. The
 * origin does not hand its flip_sin_to_cos to this layer.
 */
const fourierFeatures = (t: readonly number[], frequencies: Tensor): Tensor => {
  const angles = tensor(
    t.map(time => 2 * Math.PI * Math.log(time)),
    [t.length, 1],
  ).mul(frequencies.reshape([1, -1]))
  return ops.concat([ops.sin(angles), ops.cos(angles)], 1)
}

/** Whether the network wants to be told a class. */
export const isConditional = ({ class_embed_type, num_class_embeds }: Unet2dConfig): boolean =>
  class_embed_type !== null || num_class_embeds !== null

/** Conditions besides the time, one per image. */
export interface ClassConditions {
  /** Classes, of class-conditional models; the numbers of class_embed_type timestep. */
  readonly labels?: readonly number[] | undefined
  /** Of class_embed_type identity: [batch, 4 block_out_channels[0]]. */
  readonly classEmbedding?: Tensor | undefined
}

/** Sines and cosines of numbers, as of times. */
const sinusoidal = (t: readonly number[], parameters: Scope, config: Unet2dConfig): Tensor =>
  config.time_embedding_type === 'fourier'
    ? fourierFeatures(t, parameters.get('time_proj.weight'))
    : timestepEmbedding(t, config.block_out_channels[0]!, { flipSinToCos: config.flip_sin_to_cos, freqShift: config.freq_shift })

const mapped = (features: Tensor, embedding: Scope): Tensor =>
  linear(ops.silu(linear(features, embedding.at('linear_1'))), embedding.at('linear_2'))

/** What the class of each image adds to the time: [batch, 4 block_out_channels[0]]. */
const classFeatures = (batch: number, { labels, classEmbedding }: ClassConditions, parameters: Scope, config: Unet2dConfig): Tensor => {
  if (config.class_embed_type === 'identity') {
    const wanted = [batch, timeChannels(config)]
    if (String(classEmbedding?.shape) !== String(wanted)) {
      throw new ShapeError(`unet2d: o.classEmbedding must be [${wanted}], got [${classEmbedding?.shape ?? ''}]; give one row per image`)
    }
    return classEmbedding!
  }
  if (labels?.length !== batch) {
    throw new Error(`unet2d: a class-conditional model needs one label per image, got ${labels?.length ?? 0} for ${batch}; pass o.labels`)
  }
  if (config.class_embed_type === 'timestep') return mapped(sinusoidal(labels, parameters, config), parameters.at('class_embedding'))
  const table = parameters.get('class_embedding.weight')
  return ops.concat(
    labels.map(label => table.slice([label, 0], [1, table.shape[1]!])),
    0,
  )
}

/** silu of the time embedding plus the class embedding: [batch, 4 block_out_channels[0]]. */
export const timeFeatures = (t: readonly number[], conditions: ClassConditions, parameters: Scope, config: Unet2dConfig): Tensor => {
  const time = mapped(sinusoidal(t, parameters, config), parameters.at('time_embedding'))
  return ops.silu(isConditional(config) ? time.add(classFeatures(t.length, conditions, parameters, config)) : time)
}
