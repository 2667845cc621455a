import { ops, type Tensor } from '../../../core/index.ts'
import {
  conv2dLayer,
  convShapes,
  groupNormLayer,
  linear,
  linearShapes,
  normShapes,
  type ParameterShapes,
  type Scope,
} from '../../../core/nn/index.ts'
import { layerDropout, type UnetContext } from './context.ts'

export const resnetShapes = (name: string, inputs: number, outputs: number, time: number): ParameterShapes => ({
  ...normShapes(`${name}.norm1`, inputs),
  ...convShapes(`${name}.conv1`, inputs, outputs, { kernel: 3 }),
  ...linearShapes(`${name}.time_emb_proj`, time, outputs),
  ...normShapes(`${name}.norm2`, outputs),
  ...convShapes(`${name}.conv2`, outputs, outputs, { kernel: 3 }),
  ...(inputs === outputs ? {} : convShapes(`${name}.conv_shortcut`, inputs, outputs, { kernel: 1 })),
})

const mix = (a: Tensor, b: Tensor, scale: number): Tensor => (scale === 1 ? a.add(b) : ops.addScaled(a, 1 / scale, b, 1 / scale))

/**
 * Residual block: (shortcut(x) + conv2(dropout(silu(norm2(conv1(silu(norm1(x))) + time))))) / scale, with the shortcut the
 * identity, or a 1x1 convolution where the channels change. x: [batch, inputs, height, width].
 */
export const resnetBlock = (x: Tensor, block: Scope, context: UnetContext, scale = 1): Tensor => {
  const { norm_num_groups: groups, norm_eps: epsilon } = context.config
  const time = linear(context.timeFeatures, block.at('time_emb_proj'))
  const norm = { groups, epsilon, silu: true }
  const hidden = conv2dLayer(groupNormLayer(x, block.at('norm1'), norm), block.at('conv1')).add(time.reshape([...time.shape, 1, 1]))
  const second = layerDropout(groupNormLayer(hidden, block.at('norm2'), norm), block, context)
  const shortcut = block.at('conv_shortcut')
  return mix(shortcut.find('weight') ? conv2dLayer(x, shortcut) : x, conv2dLayer(second, block.at('conv2')), scale)
}
