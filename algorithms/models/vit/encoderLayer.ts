import { ops, type Tensor } from '../../../core/index.ts'
import { attention, layerNorm, linear, linearShapes, normShapes, type ParameterShapes, type Scope } from '../../../core/nn/index.ts'
import type { VitConfig } from '../vit.ts'

export const encoderLayerShapes = (name: string, { hiddenSize, mlpSize }: Required<VitConfig>): ParameterShapes => ({
  ...linearShapes(`${name}.attention.attention.query`, hiddenSize, hiddenSize),
  ...linearShapes(`${name}.attention.attention.key`, hiddenSize, hiddenSize),
  ...linearShapes(`${name}.attention.attention.value`, hiddenSize, hiddenSize),
  ...linearShapes(`${name}.attention.output.dense`, hiddenSize, hiddenSize),
  ...linearShapes(`${name}.intermediate.dense`, hiddenSize, mlpSize),
  ...linearShapes(`${name}.output.dense`, mlpSize, hiddenSize),
  ...normShapes(`${name}.layernorm_before`, hiddenSize),
  ...normShapes(`${name}.layernorm_after`, hiddenSize),
})

const selfAttention = (x: Tensor, layer: Scope, heads: number): Tensor => {
  const channelsFirst = (name: string): Tensor => linear(x, layer.at(`attention.attention.${name}`)).permute([0, 2, 1])
  const mixed = attention(channelsFirst('query'), channelsFirst('key'), channelsFirst('value'), { heads })
  return linear(mixed.permute([0, 2, 1]), layer.at('attention.output.dense'))
}

/**
 * A transformer layer that normalises first: y = x + attention(norm(x)), then y + W2 gelu(W1 norm(y)).
 * x: [batch, tokens, hiddenSize].
 */
export const encoderLayer = (x: Tensor, layer: Scope, { heads, epsilon }: Required<VitConfig>): Tensor => {
  const attended = x.add(selfAttention(layerNorm(x, layer.at('layernorm_before'), { epsilon }), layer, heads))
  const hidden = ops.gelu(linear(layerNorm(attended, layer.at('layernorm_after'), { epsilon }), layer.at('intermediate.dense')))
  return attended.add(linear(hidden, layer.at('output.dense')))
}
