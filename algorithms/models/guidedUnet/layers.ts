import { ops, type Tensor } from '../../../core/index.ts'
import {
  attention,
  avgPool2d,
  conv2dLayer,
  convShapes,
  groupNormLayer,
  layerDropout,
  linear,
  linearShapes,
  normShapes,
  type ParameterShapes,
  type Scope,
  upsampleNearest2x,
} from '../../../core/nn/index.ts'
import type { Key } from '../../../core/random/key.ts'
import { conditionedNorm } from '../conditionedNorm.ts'
import { GROUPS, type GuidedUnetConfig } from './config.ts'
import type { Layer } from './plan.ts'

/** What every layer of one forward pass shares. */
export interface GuidedContext {
  readonly config: GuidedUnetConfig
  /** silu of the time and class embedding, [batch, 4 model_channels]. */
  readonly timeFeatures: Tensor
  /** Present in training; each layer folds its own name into it. */
  readonly dropoutKey: Key | undefined
}

type Residual = Extract<Layer, { kind: 'residual' }>
type Attention = Extract<Layer, { kind: 'attention' }>
type Resampling = Extract<Layer, { kind: 'resampling' }>

export const NORM = { groups: GROUPS, epsilon: 1e-5 } as const

/** Where the convolution of a resampling layer lies, if it has one. */
const resamplingName = ({ resample }: Resampling): string => (resample === 'down' ? 'op' : 'conv')

export const layerShapes = (name: string, layer: Layer, config: GuidedUnetConfig): ParameterShapes => {
  switch (layer.kind) {
    case 'convolution':
      return convShapes(name, layer.inputs, layer.outputs, { kernel: 3 })
    case 'resampling':
      return config.conv_resample ? convShapes(`${name}.${resamplingName(layer)}`, layer.channels, layer.channels, { kernel: 3 }) : {}
    case 'attention':
      return {
        ...normShapes(`${name}.norm`, layer.channels),
        // The origin's maps are convolutions along the one axis of all pixels.
        [`${name}.qkv.weight`]: [3 * layer.channels, layer.channels, 1],
        [`${name}.qkv.bias`]: [3 * layer.channels],
        [`${name}.proj_out.weight`]: [layer.channels, layer.channels, 1],
        [`${name}.proj_out.bias`]: [layer.channels],
      }
    case 'residual': {
      const { inputs, outputs } = layer
      return {
        ...normShapes(`${name}.in_layers.0`, inputs),
        ...convShapes(`${name}.in_layers.2`, inputs, outputs, { kernel: 3 }),
        ...linearShapes(`${name}.emb_layers.1`, 4 * config.model_channels, config.use_scale_shift_norm ? 2 * outputs : outputs),
        ...normShapes(`${name}.out_layers.0`, outputs),
        ...convShapes(`${name}.out_layers.3`, outputs, outputs, { kernel: 3 }),
        ...(inputs === outputs ? {} : convShapes(`${name}.skip_connection`, inputs, outputs, { kernel: 1 })),
      }
    }
  }
}

/** Means over 2x2 pixels, or every pixel repeated. */
const resampled = (x: Tensor, resample: 'down' | 'up' | undefined): Tensor => {
  if (!resample) return x
  return resample === 'down' ? avgPool2d(x, 2) : upsampleNearest2x(x)
}

/** skip(r(x)) + out_layers(dropout(conditioned(in_layers(x), time))) with the resampling r before the first convolution. */
const residual = (x: Tensor, own: Scope, { layer, context }: { layer: Residual; context: GuidedContext }): Tensor => {
  const { config, dropoutKey } = context
  const activated = groupNormLayer(x, own.at('in_layers.0'), { ...NORM, silu: true })
  const hidden = conv2dLayer(resampled(activated, layer.resample), own.at('in_layers.2'))
  const time = linear(context.timeFeatures, own.at('emb_layers.1'))
  const conditioned = conditionedNorm(hidden, time, own.at('out_layers.0'), { ...NORM, adaptive: config.use_scale_shift_norm })
  const kept = layerDropout(conditioned, own.path, { key: dropoutKey, probability: config.dropout })
  const straight = resampled(x, layer.resample)
  const shortcut = layer.inputs === layer.outputs ? straight : conv2dLayer(straight, own.at('skip_connection'))
  return shortcut.add(conv2dLayer(kept, own.at('out_layers.3')))
}

/** x + proj_out(attention of the normalised x), over the pixels. */
const attended = (x: Tensor, own: Scope, { layer, config }: { layer: Attention; config: GuidedUnetConfig }): Tensor => {
  const { channels, heads } = layer
  const batch = x.shape[0]!
  /** A convolution along all pixels is one over 1x1 pixels. */
  const map = (h: Tensor, name: string): Tensor => {
    const weight = own.get(`${name}.weight`)
    return ops.conv2d(h, weight.reshape([weight.shape[0]!, weight.shape[1]!, 1, 1]), { bias: own.get(`${name}.bias`) })
  }
  const mixed = map(groupNormLayer(x, own.at('norm'), NORM), 'qkv')
  const outer = config.use_new_attention_order ? 1 : heads
  const parts = mixed.reshape([batch, outer, 3, channels / outer, -1])
  const part = (index: number): Tensor =>
    parts.slice([0, 0, index, 0, 0], [batch, outer, 1, channels / outer, parts.shape[4]!]).reshape([batch, channels, parts.shape[4]!])
  return x.add(map(attention(part(0), part(1), part(2), { heads }).reshape(x.shape), 'proj_out'))
}

export const applyLayer = (x: Tensor, own: Scope, { layer, context }: { layer: Layer; context: GuidedContext }): Tensor => {
  switch (layer.kind) {
    case 'convolution':
      return conv2dLayer(x, own)
    case 'residual':
      return residual(x, own, { layer, context })
    case 'attention':
      return attended(x, own, { layer, config: context.config })
    case 'resampling': {
      if (!context.config.conv_resample) return resampled(x, layer.resample)
      const convolution = own.at(resamplingName(layer))
      return layer.resample === 'down' ? conv2dLayer(x, convolution, { stride: 2 }) : conv2dLayer(upsampleNearest2x(x), convolution)
    }
  }
}
