import { ops, type Tensor } from '../../../core/index.ts'
import { attention, groupNormLayer, linearShapes, normShapes, type ParameterShapes, type Scope } from '../../../core/nn/index.ts'
import type { UnetContext } from './context.ts'

export interface AttentionBlockOptions {
  /** What the sum of both branches is divided by. Default 1. */
  readonly scale?: number
  /** Groups of the norm; null: x is not normalised. Default: those of the configuration. */
  readonly groups?: number | null
}

export const attentionShapes = (name: string, channels: number, { normalised = true } = {}): ParameterShapes => ({
  ...(normalised ? normShapes(`${name}.group_norm`, channels) : {}),
  ...linearShapes(`${name}.to_q`, channels, channels),
  ...linearShapes(`${name}.to_k`, channels, channels),
  ...linearShapes(`${name}.to_v`, channels, channels),
  ...linearShapes(`${name}.to_out.0`, channels, channels),
})

/**
 * Self-attention over the positions of a feature map with a residual connection: (x + out(attention(q, k, v))) / scale of
 * the normalised x, [batch, channels, height, width]. The linear maps act on channels, so they are 1x1 convolutions here.
 */
export const attentionBlock = (x: Tensor, block: Scope, { config }: UnetContext, o: AttentionBlockOptions = {}): Tensor => {
  const { scale = 1, groups = config.norm_num_groups } = o
  const [batch, channels, height, width] = x.shape as [number, number, number, number]
  const project = (input: Tensor, layer: Scope): Tensor =>
    ops.conv2d(input, layer.get('weight').reshape([channels, channels, 1, 1]), { bias: layer.get('bias') })
  const normal = groups === null ? x : groupNormLayer(x, block.at('group_norm'), { groups, epsilon: config.norm_eps })
  const flat = (name: string): Tensor => project(normal, block.at(name)).reshape([batch, channels, height * width])
  const heads = config.attention_head_dim === null ? 1 : channels / config.attention_head_dim
  const attended = attention(flat('to_q'), flat('to_k'), flat('to_v'), { heads }).reshape([batch, channels, height, width])
  const output = project(attended, block.at('to_out.0'))
  return scale === 1 ? x.add(output) : ops.addScaled(x, 1 / scale, output, 1 / scale)
}

const OLD_NAMES: Readonly<Record<string, string>> = { query: 'to_q', key: 'to_k', value: 'to_v', proj_attn: 'to_out.0' }

/** The present name of a parameter; checkpoints saved before diffusers 0.14 call the attention maps otherwise. */
export const modernName = (name: string): string =>
  name.replace(/(\.attentions\.\d+)\.(query|key|value|proj_attn)\.(?=weight$|bias$)/, (_, block, old) => `${block}.${OLD_NAMES[old]}.`)
