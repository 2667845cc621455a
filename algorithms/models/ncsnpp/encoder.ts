import { ops, type Tensor } from '../../../core/index.ts'
import { conv2dLayer, convShapes } from '../../../core/nn/index.ts'
import { downsampleFir } from '../firResample.ts'
import { attentionLayer } from './attention.ts'
import { attendsAt, type NcsnppConfig, tapsOf } from './config.ts'
import { convolution, type Layer, type ModuleList, type NcsnppRun } from './modules.ts'
import { downsampling } from './resampling.ts'
import { residualLayer } from './residual.ts'
import { sumOfBranches } from './sumOfBranches.ts'

/** The way down. */
export interface Encoder {
  /** Channels of each skip. */
  readonly channels: readonly number[]
  /** Every feature map, the input of the way up. */
  apply(x: Tensor, run: NcsnppRun): Tensor[]
}

interface Pyramid {
  readonly hidden: Tensor
  /** The shrunken input, or what became of it. */
  readonly input: Tensor
}

/** How a shrunken copy of the input joins the feature map of the next level. */
interface InputPyramid {
  /** Channels of the joined feature map. */
  readonly channels: number
  apply(given: Pyramid, run: NcsnppRun): Pyramid
}

const noPyramid = (channels: number): InputPyramid => ({ channels, apply: given => given })

/** `input_skip`: the input, shrunk without parameters, is mapped to the feature map's channels and added or appended. */
const inputSkip = (modules: ModuleList, config: NcsnppConfig, channels: number): InputPyramid => {
  const own = modules.add({ shapes: name => convShapes(`${name}.Conv_0`, config.num_channels, channels, { kernel: 1 }) })
  const appended = config.progressive_combine === 'cat'
  return {
    channels: appended ? 2 * channels : channels,
    apply: ({ hidden, input }, run) => {
      const smaller = downsampleFir(input, tapsOf(config))
      const mapped = conv2dLayer(smaller, own(run).at('Conv_0'))
      return { input: smaller, hidden: appended ? ops.concat([mapped, hidden], 1) : mapped.add(hidden) }
    },
  }
}

/** `residual`: the input, shrunk by a trained convolution, is summed with the feature map; the sum goes on as both. */
const inputResidual = (
  modules: ModuleList,
  config: NcsnppConfig,
  { channels, inputs }: { readonly channels: number; readonly inputs: number },
): InputPyramid => {
  const down = downsampling(modules, config, { inputs, outputs: channels, convolve: true })
  return {
    channels,
    apply: ({ hidden, input }, run) => {
      const sum = sumOfBranches(down(input, run), hidden, config)
      return { input: sum, hidden: sum }
    },
  }
}

export const encoder = (modules: ModuleList, config: NcsnppConfig): Encoder => {
  const skips = [config.nf]
  const first = convolution(modules, { inputs: config.num_channels, outputs: config.nf })
  let channels = config.nf
  let pyramidChannels = config.num_channels

  const block = (level: number): Layer => {
    const outputs = config.nf * config.ch_mult[level]!
    const residual = residualLayer(modules, config, { inputs: channels, outputs })
    channels = outputs
    const attend = attendsAt(config, level) ? attentionLayer(modules, config, channels) : undefined
    skips.push(channels)
    return (x, run) => (attend ? attend(residual(x, run), run) : residual(x, run))
  }

  const descent = (): { down: Layer; pyramid: InputPyramid } => {
    const down =
      config.resblock_type === 'ddpm'
        ? downsampling(modules, config, { inputs: channels, outputs: channels, convolve: config.resamp_with_conv })
        : residualLayer(modules, config, { inputs: channels, outputs: channels, resample: 'down' })
    const pyramid = {
      none: () => noPyramid(channels),
      input_skip: () => inputSkip(modules, config, channels),
      residual: () => inputResidual(modules, config, { channels, inputs: pyramidChannels }),
    }[config.progressive_input]()
    if (config.progressive_input === 'residual') pyramidChannels = channels
    channels = pyramid.channels
    skips.push(channels)
    return { down, pyramid }
  }

  const levels = config.ch_mult.map((_, level, all) => ({
    blocks: Array.from({ length: config.num_res_blocks }, () => block(level)),
    descent: level < all.length - 1 ? descent() : undefined,
  }))

  return {
    channels: skips,
    apply: (x, run) => {
      const outputs = [first(x, run)]
      let input = x
      for (const { blocks, descent: next } of levels) {
        for (const layer of blocks) outputs.push(layer(outputs.at(-1)!, run))
        if (!next) continue
        const joined = next.pyramid.apply({ hidden: next.down(outputs.at(-1)!, run), input }, run)
        input = joined.input
        outputs.push(joined.hidden)
      }
      return outputs
    },
  }
}
