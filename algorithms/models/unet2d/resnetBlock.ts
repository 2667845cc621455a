import { ops, type Tensor } from '../../../core/index.ts'
import {
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
import { conditionedNorm } from '../conditionedNorm.ts'
import type { Unet2dConfig } from './config.ts'
import { timeChannels, type UnetContext } from './context.ts'

export interface ResnetBlockOptions {
  /** What the sum of both branches is divided by. Default 1. */
  readonly scale?: number
  /** Change of resolution inside the block: means over 2x2 pixels, or every pixel repeated. */
  readonly resample?: 'down' | 'up'
}

export const resnetShapes = (name: string, inputs: number, outputs: number, config: Unet2dConfig): ParameterShapes => ({
  ...normShapes(`${name}.norm1`, inputs),
  ...convShapes(`${name}.conv1`, inputs, outputs, { kernel: 3 }),
  ...linearShapes(`${name}.time_emb_proj`, timeChannels(config), config.resnet_time_scale_shift === 'scale_shift' ? 2 * outputs : outputs),
  ...normShapes(`${name}.norm2`, outputs),
  ...convShapes(`${name}.conv2`, outputs, outputs, { kernel: 3 }),
  ...(inputs === outputs ? {} : convShapes(`${name}.conv_shortcut`, inputs, outputs, { kernel: 1 })),
})

const mix = (a: Tensor, b: Tensor, scale: number): Tensor => (scale === 1 ? a.add(b) : ops.addScaled(a, 1 / scale, b, 1 / scale))

/**
 * Residual block: (shortcut(r(x)) + conv2(dropout(conditioned(conv1(r(silu(norm1(x)))))))) / scale, with r the resampling,
 * `conditionedNorm` on the time, and the shortcut the identity, or a 1x1 convolution where the channels change.
 * x: [batch, inputs, height, width].
 */
export const resnetBlock = (x: Tensor, block: Scope, context: UnetContext, { scale = 1, resample }: ResnetBlockOptions = {}): Tensor => {
  const { norm_num_groups: groups, norm_eps: epsilon, resnet_time_scale_shift } = context.config
  const adaptive = resnet_time_scale_shift === 'scale_shift'
  const resampled = (h: Tensor): Tensor => {
    if (!resample) return h
    return resample === 'down' ? avgPool2d(h, 2) : upsampleNearest2x(h)
  }
  const time = linear(context.timeFeatures, block.at('time_emb_proj'))
  const first = resampled(groupNormLayer(x, block.at('norm1'), { groups, epsilon, silu: true }))
  const hidden = conditionedNorm(conv2dLayer(first, block.at('conv1')), time, block.at('norm2'), { groups, epsilon, adaptive })
  const second = conv2dLayer(
    layerDropout(hidden, block.path, { key: context.dropoutKey, probability: context.config.dropout }),
    block.at('conv2'),
  )
  const shortcut = block.at('conv_shortcut')
  return mix(shortcut.find('weight') ? conv2dLayer(resampled(x), shortcut) : resampled(x), second, scale)
}
