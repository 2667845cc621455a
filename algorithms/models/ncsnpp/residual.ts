import type { Tensor } from '../../../core/index.ts'
import { conv2dLayer, convShapes, layerDropout, linear, linearShapes, normShapes } from '../../../core/nn/index.ts'
import { downsampleFir, upsampleFir } from '../firResample.ts'
import { CHANNEL_MAP_SCALE, channelMap, channelMapShapes } from './attention.ts'
import { type NcsnppConfig, tapsOf } from './config.ts'
import { type Layer, type ModuleList, norm } from './modules.ts'
import { sumOfBranches } from './sumOfBranches.ts'

export interface ResidualOptions {
  readonly inputs: number
  readonly outputs: number
  /** Change of resolution inside the block; `biggan` blocks only. */
  readonly resample?: 'down' | 'up'
}

/** The shortcut: absent where channels and size stay, else NIN_0 in a `ddpm` block and a 1x1 Conv_2 in a `biggan` block. */
const shortcutOf = (config: NcsnppConfig, { inputs, outputs, resample }: ResidualOptions): 'NIN_0' | 'Conv_2' | undefined => {
  if (inputs === outputs && !resample) return undefined
  return config.resblock_type === 'ddpm' ? 'NIN_0' : 'Conv_2'
}

/**
 * Residual block: Conv_1(dropout(silu(norm(Conv_0(resample(silu(norm(x)))) + Dense_0(time))))) plus the shortcut of
 * resample(x). `ddpm` as in Ho et al. 2020, `biggan` with the resampling inside, as in Brock et al. 2019.
 */
export const residualLayer = (modules: ModuleList, config: NcsnppConfig, o: ResidualOptions): Layer => {
  const { inputs, outputs } = o
  const shortcut = shortcutOf(config, o)
  const own = modules.add({
    shapes: name => ({
      ...normShapes(`${name}.GroupNorm_0`, inputs),
      ...convShapes(`${name}.Conv_0`, inputs, outputs, { kernel: 3 }),
      ...linearShapes(`${name}.Dense_0`, 4 * config.nf, outputs),
      ...normShapes(`${name}.GroupNorm_1`, outputs),
      ...convShapes(`${name}.Conv_1`, outputs, outputs, { kernel: 3 }),
      ...(shortcut === 'Conv_2' ? convShapes(`${name}.Conv_2`, inputs, outputs, { kernel: 1 }) : {}),
      ...(shortcut === 'NIN_0' ? channelMapShapes(`${name}.NIN_0`, inputs, outputs) : {}),
    }),
    scales: { 'Conv_1.weight': config.init_scale, ...(shortcut === 'NIN_0' ? { 'NIN_0.W': CHANNEL_MAP_SCALE } : {}) },
  })
  const resampled = (x: Tensor): Tensor => {
    if (!o.resample) return x
    return o.resample === 'down' ? downsampleFir(x, tapsOf(config)) : upsampleFir(x, tapsOf(config))
  }
  return (x, run) => {
    const block = own(run)
    const first = conv2dLayer(resampled(norm(x, block.at('GroupNorm_0'), { silu: true })), block.at('Conv_0'))
    const time = run.timeFeatures && linear(run.timeFeatures, block.at('Dense_0'))
    const hidden = time ? first.add(time.reshape([...time.shape, 1, 1])) : first
    const second = layerDropout(norm(hidden, block.at('GroupNorm_1'), { silu: true }), block.path, {
      key: run.dropoutKey,
      probability: config.dropout,
    })
    const straight = resampled(x)
    const identity = shortcut === 'NIN_0' ? channelMap(straight, block.at(shortcut)) : straight
    return sumOfBranches(
      shortcut === 'Conv_2' ? conv2dLayer(straight, block.at(shortcut)) : identity,
      conv2dLayer(second, block.at('Conv_1')),
      config,
    )
  }
}
