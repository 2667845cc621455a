import { ops, type Tensor } from '../../../core/index.ts'
import { attention, normShapes, type ParameterShapes, type Scope } from '../../../core/nn/index.ts'
import type { NcsnppConfig } from './config.ts'
import { type Layer, type ModuleList, norm } from './modules.ts'
import { sumOfBranches } from './sumOfBranches.ts'

/** Parameters of a linear map over channels; the origin keeps its matrix as [inputs, outputs]. */
export const channelMapShapes = (name: string, inputs: number, outputs: number): ParameterShapes => ({
  [`${name}.W`]: [inputs, outputs],
  [`${name}.b`]: [outputs],
})

/** Initial scale of the origin's linear maps over channels. */
export const CHANNEL_MAP_SCALE = 0.1

/** W^T x + b at every pixel: [batch, inputs, height, width] to [batch, outputs, height, width]. */
export const channelMap = (x: Tensor, layer: Scope): Tensor => {
  const matrix = layer.get('W')
  const [inputs, outputs] = matrix.shape as [number, number]
  return ops.conv2d(x, matrix.permute([1, 0]).reshape([outputs, inputs, 1, 1]), { bias: layer.get('b') })
}

/** Self-attention over the pixels with one head and a residual connection: NIN_0, NIN_1, NIN_2 give query, key and value. */
export const attentionLayer = (modules: ModuleList, config: NcsnppConfig, channels: number): Layer => {
  const own = modules.add({
    shapes: name => ({
      ...normShapes(`${name}.GroupNorm_0`, channels),
      ...Object.assign({}, ...[0, 1, 2, 3].map(i => channelMapShapes(`${name}.NIN_${i}`, channels, channels))),
    }),
    scales: { 'NIN_0.W': CHANNEL_MAP_SCALE, 'NIN_1.W': CHANNEL_MAP_SCALE, 'NIN_2.W': CHANNEL_MAP_SCALE, 'NIN_3.W': config.init_scale },
  })
  return (x, run) => {
    const block = own(run)
    const normal = norm(x, block.at('GroupNorm_0'), { silu: false })
    const flat = (name: string): Tensor => channelMap(normal, block.at(name)).reshape([x.shape[0]!, channels, -1])
    const attended = attention(flat('NIN_0'), flat('NIN_1'), flat('NIN_2')).reshape(x.shape)
    return sumOfBranches(x, channelMap(attended, block.at('NIN_3')), config)
  }
}
