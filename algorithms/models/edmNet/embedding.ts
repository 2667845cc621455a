import { ops, type Tensor, tensor } from '../../../core/index.ts'
import { linear, linearShapes, oneHot, type ParameterShapes, type Scope, timestepEmbedding } from '../../../core/nn/index.ts'
import type { EdmNetConfig } from './config.ts'

/** Conditions besides the noise level. */
export interface EdmConditions {
  /** One class per image; without it a class-conditional network gets no class. */
  readonly labels?: readonly number[]
  /** [batch, augment_dim]; without it the image counts as not augmented. */
  readonly augmentation?: Tensor
}

const noiseChannels = (config: EdmNetConfig): number => config.model_channels * config.channel_mult_noise

export const embeddingShapes = (config: EdmNetConfig): ParameterShapes => {
  const channels = noiseChannels(config)
  const embedded = config.model_channels * config.channel_mult_emb
  return {
    ...(config.embedding_type === 'fourier' ? { 'map_noise.freqs': [channels / 2] } : {}),
    ...(config.label_dim > 0 ? linearShapes('map_label', config.label_dim, channels) : {}),
    ...(config.augment_dim > 0 ? { 'map_augment.weight': [channels, config.augment_dim] } : {}),
    ...linearShapes('map_layer0', channels, embedded),
    ...linearShapes('map_layer1', embedded, embedded),
  }
}

/** sin, then cos, of 2 pi w c for the random frequencies w of the checkpoint (Tancik et al. 2020). */
const fourierFeatures = (cNoise: readonly number[], frequencies: Tensor): Tensor => {
  const angles = tensor(
    cNoise.map(c => 2 * Math.PI * c),
    [cNoise.length, 1],
  ).mul(frequencies.reshape([1, frequencies.size]))
  return ops.concat([ops.sin(angles), ops.cos(angles)], 1)
}

/** One-hot classes times sqrt(label_dim), or zeros. */
const classFeatures = (labels: readonly number[] | undefined, batch: number, { label_dim: classes }: EdmNetConfig): Tensor => {
  if (!labels) return tensor(new Float64Array(batch * classes), [batch, classes])
  if (labels.length !== batch) throw new RangeError(`edmNet: ${batch} images need as many labels, got ${labels.length}; give one per image`)
  return oneHot(labels, classes).mul(Math.sqrt(classes))
}

/** The embedding of noise labels and conditions: [batch, model_channels channel_mult_emb]. */
export const embedding = (
  cNoise: readonly number[],
  conditions: EdmConditions,
  given: { parameters: Scope; config: EdmNetConfig },
): Tensor => {
  const { parameters, config } = given
  const noise =
    config.embedding_type === 'fourier'
      ? fourierFeatures(cNoise, parameters.get('map_noise.freqs'))
      : timestepEmbedding(cNoise, noiseChannels(config))
  const withClass =
    config.label_dim > 0 ? noise.add(linear(classFeatures(conditions.labels, cNoise.length, config), parameters.at('map_label'))) : noise
  const withAugmentation =
    config.augment_dim > 0 && conditions.augmentation
      ? withClass.add(linear(conditions.augmentation, parameters.at('map_augment')))
      : withClass
  return ops.silu(linear(ops.silu(linear(withAugmentation, parameters.at('map_layer0'))), parameters.at('map_layer1')))
}
