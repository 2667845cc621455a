import { ops, ShapeError, type Tensor } from '../../core/index.ts'
import {
  constantOf,
  conv2dLayer,
  convShapes,
  groupNormLayer,
  type Initialiser,
  initialise,
  linear,
  linearShapes,
  normalWith,
  normShapes,
  type ParameterShapes,
  type Scope,
  scope,
  timestepEmbedding,
} from '../../core/nn/index.ts'
import type { Key } from '../../core/random/key.ts'
import { checkImages } from './checkImages.ts'
import { type GuidedUnetConfig, guidedUnetConfig } from './guidedUnet/config.ts'
import { applyLayer, type GuidedContext, layerShapes, NORM } from './guidedUnet/layers.ts'
import { guidedUnetPlan, type Layer, namedLayers } from './guidedUnet/plan.ts'
import type { Parameters } from './types.ts'

export { GUIDED_UNET_PRESETS, type GuidedUnetConfig } from './guidedUnet/config.ts'

export interface GuidedUnetOptions {
  /** One class per image, for class-conditional models. */
  readonly labels?: readonly number[]
  /** Turns dropout on (training); each layer folds its name into the key. */
  readonly dropoutKey?: Key
}

export interface GuidedUnet {
  readonly config: GuidedUnetConfig
  /** All parameters, in the order of the published state dict. */
  parameterShapes(): ParameterShapes
  /** Fresh parameters with the origin's initialisation. */
  init(key: Key): Parameters
  /**
   * The predicted noise and, with twice the channels, behind it the interpolation between the two variances.
   * x: [batch, in_channels, height, width]; t: one timestep per image; result [batch, out_channels, height, width].
   */
  apply(params: Parameters, x: Tensor, t: readonly number[], o?: GuidedUnetOptions): Tensor
}

/**
 * The UNet of guided-diffusion (ADM; Dhariwal and Nichol 2021) and, by its configuration, of improved-diffusion (Nichol and
 * Dhariwal 2021). Any configuration of `guidedUnet/config.ts`; parameter names (`input_blocks.0.0.weight`), order and
 * numbers are the origin's.
 *
 * Height and width must be divisible by 2^(levels - 1), else ShapeError.
 */
export const createGuidedUnet = (given: Partial<GuidedUnetConfig> & Readonly<Record<string, unknown>> = {}): GuidedUnet => {
  const config = guidedUnetConfig(given)
  const plan = guidedUnetPlan(config)
  const embedded = 4 * config.model_channels
  const first = config.channel_mult[0]! * config.model_channels
  const shapes: ParameterShapes = Object.assign(
    {},
    linearShapes('time_embed.0', config.model_channels, embedded),
    linearShapes('time_embed.2', embedded, embedded),
    config.num_classes === null ? {} : { 'label_emb.weight': [config.num_classes, embedded] },
    ...namedLayers(plan).map(([name, layer]) => layerShapes(name, layer, config)),
    normShapes('out.0', first),
    convShapes('out.2', first, config.out_channels, { kernel: 3 }),
  )

  const checkInput = (x: Tensor, t: readonly number[]): void => {
    checkImages('guidedUnet', x, { channels: config.in_channels, divisor: 2 ** (config.channel_mult.length - 1) })
    if (t.length !== x.shape[0])
      throw new ShapeError(`guidedUnet: ${x.shape[0]} images need as many timesteps, got ${t.length}; give one per image`)
  }

  const apply: GuidedUnet['apply'] = (params, x, t, o = {}) => {
    checkInput(x, t)
    const parameters = scope(params)
    const context = { config, timeFeatures: timeFeatures(t, o.labels, { parameters, config }), dropoutKey: o.dropoutKey }
    const through = (h: Tensor, layers: readonly Layer[], name: string): Tensor =>
      layers.reduce((value, layer, i) => applyLayer(value, parameters.at(`${name}.${i}`), { layer, context }), h)

    const skips: Tensor[] = []
    plan.input.forEach((layers, i) => {
      skips.push(through(skips.at(-1) ?? x, layers, `input_blocks.${i}`))
    })
    const middle = through(skips.at(-1)!, plan.middle, 'middle_block')
    const top = plan.output.reduce((h, layers, i) => through(ops.concat([h, skips.pop()!], 1), layers, `output_blocks.${i}`), middle)
    return conv2dLayer(groupNormLayer(top, parameters.at('out.0'), { ...NORM, silu: true }), parameters.at('out.2'))
  }

  return { config, parameterShapes: () => shapes, init: key => initialise(key, shapes, specialInit), apply }
}

/** silu of the embedding of times and classes: [batch, 4 model_channels]. */
const timeFeatures = (
  t: readonly number[],
  labels: readonly number[] | undefined,
  { parameters, config }: { parameters: Scope; config: GuidedUnetConfig },
): GuidedContext['timeFeatures'] => {
  const raw = timestepEmbedding(t, config.model_channels, { flipSinToCos: true, freqShift: 0 })
  const time = linear(ops.silu(linear(raw, parameters.at('time_embed.0'))), parameters.at('time_embed.2'))
  if (config.num_classes === null) return ops.silu(time)
  if (labels?.length !== t.length) {
    throw new Error(
      `guidedUnet: a class-conditional model needs one label per image, got ${labels?.length ?? 0} for ${t.length}; pass o.labels`,
    )
  }
  const table = parameters.get('label_emb.weight')
  const rows = labels.map(label => table.slice([label, 0], [1, table.shape[1]!]))
  return ops.silu(time.add(ops.concat(rows, 0)))
}

/** The origin zeroes the last layer of each branch and draws classes from N(0, 1). */
const specialInit = (name: string): Initialiser | undefined => {
  if (name === 'label_emb.weight') return normalWith(1)
  return /(^out\.2|\.out_layers\.3|\.proj_out)\.(weight|bias)$/.test(name) ? constantOf(0) : undefined
}
