import { ops, type Tensor } from '../../../core/index.ts'
import {
  attention,
  conv2dLayer,
  convShapes,
  linear,
  linearShapes,
  normShapes,
  type ParameterShapes,
  type Scope,
} from '../../../core/nn/index.ts'
import { downsampleFir, upsampleFir } from '../firResample.ts'
import type { EdmNetConfig } from './config.ts'
import { type EdmContext, layerDropout, norm } from './context.ts'

/** One block of the network. */
export interface BlockPlan {
  /** Name of its parameters, such as `enc.16x16_down`. */
  readonly name: string
  readonly inputs: number
  readonly outputs: number
  readonly attends?: boolean
  /** Change of resolution inside the block. */
  readonly resample?: 'down' | 'up'
}

/** Filter that a resampling convolution keeps in the state dict although the configuration gives it. */
export const filterShapes = (name: string, { resample_filter: taps }: EdmNetConfig): ParameterShapes => ({
  [`${name}.resample_filter`]: [1, 1, taps.length, taps.length],
})

const hasShortcut = ({ inputs, outputs, resample }: BlockPlan): boolean => inputs !== outputs || resample !== undefined

export const blockShapes = (plan: BlockPlan, config: EdmNetConfig): ParameterShapes => {
  const { name, inputs, outputs } = plan
  const filter = (layer: string): ParameterShapes => (plan.resample ? filterShapes(`${name}.${layer}`, config) : {})
  return {
    ...normShapes(`${name}.norm0`, inputs),
    ...convShapes(`${name}.conv0`, inputs, outputs, { kernel: 3 }),
    ...filter('conv0'),
    ...linearShapes(`${name}.affine`, config.model_channels * config.channel_mult_emb, outputs),
    ...normShapes(`${name}.norm1`, outputs),
    ...convShapes(`${name}.conv1`, outputs, outputs, { kernel: 3 }),
    ...(hasShortcut(plan) ? { ...convShapes(`${name}.skip`, inputs, outputs, { kernel: 1 }), ...filter('skip') } : {}),
    ...(plan.attends
      ? {
          ...normShapes(`${name}.norm2`, outputs),
          ...convShapes(`${name}.qkv`, outputs, 3 * outputs, { kernel: 1 }),
          ...convShapes(`${name}.proj`, outputs, outputs, { kernel: 1 }),
        }
      : {}),
  }
}

/** Self-attention over the pixels with one head; query, key and value of a channel are neighbours in the output of `qkv`. */
const attended = (x: Tensor, block: Scope): Tensor => {
  const [batch, channels] = x.shape as [number, number]
  const mixed = conv2dLayer(norm(x, block.at('norm2'), { silu: false }), block.at('qkv')).reshape([batch, channels, 3, -1])
  const part = (index: number): Tensor =>
    mixed.slice([0, 0, index, 0], [batch, channels, 1, mixed.shape[3]!]).reshape([batch, channels, mixed.shape[3]!])
  return conv2dLayer(attention(part(0), part(1), part(2)).reshape(x.shape), block.at('proj'))
}

/**
 * Residual block: (skip(x) + conv1(dropout(silu(norm1(conv0(silu(norm0(x))) + affine(embedding)))))) / sqrt 2 with the
 * resampling before conv0 and skip, then (x + attention(x)) / sqrt 2 where it attends. x: [batch, inputs, height, width].
 */
export const block = (x: Tensor, plan: BlockPlan, { parameters, context }: { parameters: Scope; context: EdmContext }): Tensor => {
  const own = parameters.at(plan.name)
  const taps = context.config.resample_filter
  const resampled = (h: Tensor): Tensor => {
    if (!plan.resample) return h
    return plan.resample === 'down' ? downsampleFir(h, taps) : upsampleFir(h, taps)
  }
  const embedding = linear(context.embedding, own.at('affine'))
  const first = conv2dLayer(resampled(norm(x, own.at('norm0'), { silu: true })), own.at('conv0'))
  const hidden = first.add(embedding.reshape([...embedding.shape, 1, 1]))
  const second = conv2dLayer(layerDropout(norm(hidden, own.at('norm1'), { silu: true }), own, context), own.at('conv1'))
  const shortcut = hasShortcut(plan) ? conv2dLayer(resampled(x), own.at('skip')) : x
  const output = ops.addScaled(second, Math.SQRT1_2, shortcut, Math.SQRT1_2)
  return plan.attends ? ops.addScaled(attended(output, own), Math.SQRT1_2, output, Math.SQRT1_2) : output
}
