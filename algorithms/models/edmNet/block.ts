import { ops, type Tensor } from '../../../core/index.ts'
import {
  attention,
  conv2dLayer,
  convShapes,
  layerDropout,
  linear,
  linearShapes,
  normShapes,
  type ParameterShapes,
  type Scope,
} from '../../../core/nn/index.ts'
import { conditionedNorm } from '../conditionedNorm.ts'
import { downsampleFir, upsampleFir } from '../firResample.ts'
import type { EdmNetConfig } from './config.ts'
import { type EdmContext, norm, normOptions } from './context.ts'
import { styleOf } from './style.ts'

/** One block of the network. */
export interface BlockPlan {
  /** Name of its parameters, such as `enc.16x16_down`. */
  readonly name: string
  readonly inputs: number
  readonly outputs: number
  /** Attention heads; 0: the block does not attend. */
  readonly heads: number
  /** Change of resolution inside the block. */
  readonly resample?: 'down' | 'up'
}

/** Filter that a resampling convolution keeps in the state dict although the configuration gives it. */
export const filterShapes = (name: string, { resample_filter: taps }: EdmNetConfig): ParameterShapes => ({
  [`${name}.resample_filter`]: [1, 1, taps.length, taps.length],
})

/** What the shortcut consists of: a 1x1 convolution, or the resampling alone. */
const shortcutOf = ({ inputs, outputs, resample }: BlockPlan, config: EdmNetConfig): 'identity' | 'resampled' | 'projected' => {
  if (inputs !== outputs) return 'projected'
  if (!resample) return 'identity'
  return styleOf(config).resampledProjection ? 'projected' : 'resampled'
}

export const blockShapes = (plan: BlockPlan, config: EdmNetConfig): ParameterShapes => {
  const { name, inputs, outputs } = plan
  const shortcut = shortcutOf(plan, config)
  const filter = (layer: string): ParameterShapes => (plan.resample ? filterShapes(`${name}.${layer}`, config) : {})
  return {
    ...normShapes(`${name}.norm0`, inputs),
    ...convShapes(`${name}.conv0`, inputs, outputs, { kernel: 3 }),
    ...filter('conv0'),
    ...linearShapes(`${name}.affine`, config.model_channels * config.channel_mult_emb, styleOf(config).adaptive ? 2 * outputs : outputs),
    ...normShapes(`${name}.norm1`, outputs),
    ...convShapes(`${name}.conv1`, outputs, outputs, { kernel: 3 }),
    ...(shortcut === 'projected' ? convShapes(`${name}.skip`, inputs, outputs, { kernel: 1 }) : {}),
    ...filter('skip'),
    ...(plan.heads > 0
      ? {
          ...normShapes(`${name}.norm2`, outputs),
          ...convShapes(`${name}.qkv`, outputs, 3 * outputs, { kernel: 1 }),
          ...convShapes(`${name}.proj`, outputs, outputs, { kernel: 1 }),
        }
      : {}),
  }
}

/** Self-attention over the pixels; query, key and value of a channel are neighbours in the output of `qkv`. */
const attended = (x: Tensor, own: Scope, { heads, config }: { readonly heads: number; readonly config: EdmNetConfig }): Tensor => {
  const [batch, channels] = x.shape as [number, number]
  const mixed = conv2dLayer(norm(x, own.at('norm2'), { silu: false, config }), own.at('qkv')).reshape([batch, channels, 3, -1])
  const part = (index: number): Tensor =>
    mixed.slice([0, 0, index, 0], [batch, channels, 1, mixed.shape[3]!]).reshape([batch, channels, mixed.shape[3]!])
  return conv2dLayer(attention(part(0), part(1), part(2), { heads }).reshape(x.shape), own.at('proj'))
}

/**
 * Residual block: s (skip(x) + conv1(dropout(conditionedNorm(conv0(silu(norm0(x))))))) with the resampling before conv0
 * and skip, then s (x + attention(x)) where it attends; s is the style's skipScale. x: [batch, inputs, height, width].
 */
export const block = (x: Tensor, plan: BlockPlan, { parameters, context }: { parameters: Scope; context: EdmContext }): Tensor => {
  const own = parameters.at(plan.name)
  const { config } = context
  const { skipScale } = styleOf(config)
  const resampled = (h: Tensor): Tensor => {
    if (!plan.resample) return h
    return plan.resample === 'down' ? downsampleFir(h, config.resample_filter) : upsampleFir(h, config.resample_filter)
  }
  const sum = (a: Tensor, b: Tensor): Tensor => (skipScale === 1 ? a.add(b) : ops.addScaled(a, skipScale, b, skipScale))
  const hidden = conv2dLayer(resampled(norm(x, own.at('norm0'), { silu: true, config })), own.at('conv0'))
  const conditioned = conditionedNorm(hidden, linear(context.embedding, own.at('affine')), own.at('norm1'), {
    ...normOptions(hidden, config),
    adaptive: styleOf(config).adaptive,
  })
  const second = conv2dLayer(
    layerDropout(conditioned, own.path, { key: context.dropoutKey, probability: context.config.dropout }),
    own.at('conv1'),
  )
  const shortcut = shortcutOf(plan, config) === 'projected' ? conv2dLayer(resampled(x), own.at('skip')) : resampled(x)
  const output = sum(second, shortcut)
  return plan.heads > 0 ? sum(attended(output, own, { heads: plan.heads, config }), output) : output
}
