import { ops, type Tensor, tidy } from '../../core/index.ts'
import {
  constantOf,
  convShapes,
  initialise,
  layerNorm,
  linear,
  linearShapes,
  normalWith,
  normShapes,
  type ParameterShapes,
  resizeBicubic,
  type Scope,
  scope,
} from '../../core/nn/index.ts'
import { checkImages } from './checkImages.ts'
import type { ClassifierNetwork } from './classifierNetwork.ts'
import { encoderLayer, encoderLayerShapes } from './vit/encoderLayer.ts'

/** Defaults: ViT-B/16. */
export interface VitConfig {
  /** Side of the images the transformer sees; others are resized. Default 224. */
  readonly imageSize?: number
  readonly patchSize?: number
  readonly hiddenSize?: number
  readonly layers?: number
  readonly heads?: number
  readonly mlpSize?: number
  /** Added to the variance in layer norms. Default 1e-12. */
  readonly epsilon?: number
  readonly inChannels?: number
  readonly classes?: number
}

export interface Vit extends ClassifierNetwork {
  readonly config: Required<VitConfig>
}

const VIT_B_16: Required<VitConfig> = {
  imageSize: 224,
  patchSize: 16,
  hiddenSize: 768,
  layers: 12,
  heads: 12,
  mlpSize: 3072,
  epsilon: 1e-12,
  inChannels: 3,
  classes: 10,
}

const patchesOf = ({ imageSize, patchSize }: Required<VitConfig>): number => (imageSize / patchSize) ** 2

const check = ({ imageSize, patchSize, hiddenSize, heads }: Required<VitConfig>): void => {
  if (imageSize % patchSize !== 0)
    throw new Error(`vit: patches of ${patchSize} do not tile images of ${imageSize}; choose a divisor as the patch size`)
  if (hiddenSize % heads !== 0) throw new Error(`vit: ${heads} heads do not divide ${hiddenSize} features; choose a divisor`)
}

const layerName = (index: number): string => `vit.encoder.layer.${index}`

const shapesOf = (config: Required<VitConfig>): ParameterShapes =>
  Object.assign(
    {
      'vit.embeddings.cls_token': [1, 1, config.hiddenSize],
      'vit.embeddings.position_embeddings': [1, patchesOf(config) + 1, config.hiddenSize],
    },
    convShapes('vit.embeddings.patch_embeddings.projection', config.inChannels, config.hiddenSize, { kernel: config.patchSize }),
    ...Array.from({ length: config.layers }, (_, i) => encoderLayerShapes(layerName(i), config)),
    normShapes('vit.layernorm', config.hiddenSize),
    linearShapes('classifier', config.hiddenSize, config.classes),
  )

/** One token per patch after the class token, each with its position: [batch, patches + 1, hiddenSize]. */
const embed = (x: Tensor, embeddings: Scope, { patchSize, hiddenSize }: Required<VitConfig>): Tensor => {
  const projection = embeddings.at('patch_embeddings.projection')
  const patches = ops.conv2d(x, projection.get('weight'), { bias: projection.get('bias'), stride: patchSize })
  const batch = x.shape[0]!
  const tokens = patches.reshape([batch, hiddenSize, -1]).permute([0, 2, 1])
  const first = embeddings.get('cls_token').broadcastTo([batch, 1, hiddenSize])
  return ops.concat([first, tokens], 1).add(embeddings.get('position_embeddings'))
}

/**
 * Vision transformer (Dosovitskiy et al. 2021): patches as tokens, a class token, transformer layers that normalise first,
 * and a linear map of the normalised class token. By default ViT-B/16 with 85.8 M parameters, named as
 * `ViTForImageClassification` of Hugging Face's transformers names them, the library the paper's scripts use.
 *
 * x: [batch, inChannels, height, width] of any size; sides other than imageSize are resized by `resizeBicubic`, as the
 * paper's scripts do it within the gradient. There are no buffers and no dropout (0 in the published configuration), so
 * `train` changes nothing. Throws Error when patches do not tile the image or heads do not divide the features, ShapeError
 * on another number of channels.
 * Deviations: the origin refuses images of another size; it draws from a normal distribution cut at 100 deviations, here uncut.
 */
export const createVit = (given: VitConfig = {}): Vit => {
  const config = { ...VIT_B_16, ...given }
  check(config)
  const shapes = shapesOf(config)
  const input = { channels: config.inChannels }

  const apply: Vit['apply'] = (params, x) => {
    checkImages('vit', x, input)
    const { imageSize: side } = config
    return tidy(() => {
      const parameters = scope(params)
      const image = x.shape[2] === side && x.shape[3] === side ? x : resizeBicubic(x, [side, side])
      let tokens = embed(image, parameters.at('vit.embeddings'), config)
      for (let i = 0; i < config.layers; i++) {
        const before = tokens
        tokens = tidy(() => encoderLayer(before, parameters.at(layerName(i)), config))
      }
      const first = tokens.slice([0, 0, 0], [x.shape[0]!, 1, config.hiddenSize]).reshape([-1, config.hiddenSize])
      const features = layerNorm(first, parameters.at('vit.layernorm'), { epsilon: config.epsilon })
      return { logits: linear(features, parameters.at('classifier')), runningStatistics: {} }
    })
  }

  return {
    config,
    input,
    parameterShapes: () => shapes,
    bufferShapes: () => ({}),
    init: key => initialise(key, shapes, initialiser),
    apply,
  }
}

/** Normal with deviation 0.02 for weights, tokens and positions; zero biases; norms as usual. */
const initialiser = (name: string) => {
  if (name.endsWith('.bias')) return constantOf(0)
  return /layernorm[^.]*\.weight$/.test(name) ? undefined : normalWith(0.02)
}
