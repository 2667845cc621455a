import { ops, type Tensor, tensor } from '../../../core/index.ts'
import { linear, linearShapes, type ParameterShapes, type Scope, timestepEmbedding } from '../../../core/nn/index.ts'
import type { Unet2dConfig } from './config.ts'
import { timeChannels } from './context.ts'

export const timeShapes = (config: Unet2dConfig): ParameterShapes => {
  const first = config.block_out_channels[0]!
  const channels = timeChannels(config)
  const fourier = config.time_embedding_type === 'fourier'
  return {
    ...(fourier ? { 'time_proj.weight': [first] } : {}),
    ...linearShapes('time_embedding.linear_1', fourier ? 2 * first : first, channels),
    ...linearShapes('time_embedding.linear_2', channels, channels),
    ...(config.num_class_embeds === null ? {} : { 'class_embedding.weight': [config.num_class_embeds, channels] }),
  }
}

/** sin and cos of 2 pi w log t for the random frequencies w of the checkpoint (Tancik et al. 2020), as score models use it. */
const fourierFeatures = (t: readonly number[], frequencies: Tensor, flip: boolean): Tensor => {
  const angles = tensor(
    t.map(time => 2 * Math.PI * Math.log(time)),
    [t.length, 1],
  ).mul(frequencies.reshape([1, -1]))
  return ops.concat(flip ? [ops.cos(angles), ops.sin(angles)] : [ops.sin(angles), ops.cos(angles)], 1)
}

/** Rows of the class embedding, one per image. */
const classFeatures = (labels: readonly number[] | undefined, table: Tensor, batch: number): Tensor => {
  if (labels?.length !== batch) {
    throw new Error(`unet2d: a class-conditional model needs one label per image, got ${labels?.length ?? 0} for ${batch}; pass o.labels`)
  }
  return ops.concat(
    labels.map(label => table.slice([label, 0], [1, table.shape[1]!])),
    0,
  )
}

/** silu of the time embedding plus the class embedding: [batch, 4 block_out_channels[0]]. */
export const timeFeatures = (
  t: readonly number[],
  labels: readonly number[] | undefined,
  parameters: Scope,
  config: Unet2dConfig,
): Tensor => {
  const raw =
    config.time_embedding_type === 'fourier'
      ? fourierFeatures(t, parameters.get('time_proj.weight'), config.flip_sin_to_cos)
      : timestepEmbedding(t, config.block_out_channels[0]!, { flipSinToCos: config.flip_sin_to_cos, freqShift: config.freq_shift })
  const embedding = parameters.at('time_embedding')
  const time = linear(ops.silu(linear(raw, embedding.at('linear_1'))), embedding.at('linear_2'))
  if (config.num_class_embeds === null) return ops.silu(time)
  return ops.silu(time.add(classFeatures(labels, parameters.get('class_embedding.weight'), t.length)))
}
