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
  const augment: ParameterShapes = config.augment_dim > 0 ? { 'map_augment.weight': [channels, config.augment_dim] } : {}
  const layers = { ...linearShapes('map_layer0', channels, embedded), ...linearShapes('map_layer1', embedded, embedded) }
  if (config.model_type === 'DhariwalUNet') {
    return { ...augment, ...layers, ...(config.label_dim > 0 ? { 'map_label.weight': [embedded, config.label_dim] } : {}) }
  }
  return {
    ...(config.embedding_type === 'fourier' ? { 'map_noise.freqs': [channels / 2] } : {}),
    ...(config.label_dim > 0 ? linearShapes('map_label', config.label_dim, channels) : {}),
    ...augment,
    ...layers,
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

/** One-hot classes, or zeros. */
const oneHotLabels = (labels: readonly number[] | undefined, batch: number, { label_dim: classes }: EdmNetConfig): Tensor => {
  if (!labels) return tensor(new Float64Array(batch * classes), [batch, classes])
  if (labels.length !== batch) throw new RangeError(`edmNet: ${batch} images need as many labels, got ${labels.length}; give one per image`)
  return oneHot(labels, classes)
}

const noiseLabelFeatures = (cNoise: readonly number[], { parameters, config }: { parameters: Scope; config: EdmNetConfig }): Tensor => {
  if (config.embedding_type === 'fourier') return fourierFeatures(cNoise, parameters.get('map_noise.freqs'))
  const convention = config.model_type === 'DhariwalUNet' ? { flipSinToCos: true, freqShift: 0 } : {}
  return timestepEmbedding(cNoise, noiseChannels(config), convention)
}

/**
 * The embedding of noise labels and conditions: [batch, model_channels channel_mult_emb].
 * SongUNet: silu(L1 silu(L0 (noise + sqrt(label_dim) label + augmentation))); DhariwalUNet: silu(L1 silu(L0 (noise +
 * augmentation)) + label), each condition behind its own linear map.
 */
export const embedding = (
  cNoise: readonly number[],
  conditions: EdmConditions,
  given: { parameters: Scope; config: EdmNetConfig },
): Tensor => {
  const { parameters, config } = given
  const dhariwal = config.model_type === 'DhariwalUNet'
  const withLabel = (x: Tensor, scale: number): Tensor =>
    config.label_dim > 0 ? x.add(linear(oneHotLabels(conditions.labels, cNoise.length, config).mul(scale), parameters.at('map_label'))) : x
  const noise = noiseLabelFeatures(cNoise, given)
  const withClass = dhariwal ? noise : withLabel(noise, Math.sqrt(config.label_dim))
  const withAugmentation =
    config.augment_dim > 0 && conditions.augmentation
      ? withClass.add(linear(conditions.augmentation, parameters.at('map_augment')))
      : withClass
  const mapped = linear(ops.silu(linear(withAugmentation, parameters.at('map_layer0'))), parameters.at('map_layer1'))
  return ops.silu(dhariwal ? withLabel(mapped, 1) : mapped)
}
