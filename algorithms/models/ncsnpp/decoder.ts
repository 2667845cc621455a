import { ops, type Tensor } from '../../../core/index.ts'
import { upsampleFir } from '../firResample.ts'
import { attentionLayer } from './attention.ts'
import { attendsAt, type NcsnppConfig, tapsOf } from './config.ts'
import { type Layer, type ModuleList, type NcsnppRun, normConvolution } from './modules.ts'
import { upsampling } from './resampling.ts'
import { residualLayer } from './residual.ts'
import { sumOfBranches } from './sumOfBranches.ts'

/** The middle and the way up, to the output image. */
export interface Decoder {
  /** `skips` are the feature maps of the way down; all are consumed, last first. */
  apply(skips: readonly Tensor[], run: NcsnppRun): Tensor
}

interface Growing {
  readonly hidden: Tensor
  /** The output as far as it has grown; absent before the first level. */
  readonly output?: Tensor
}

/** What a level adds to the growing output. */
type OutputPyramid = (given: Growing, run: NcsnppRun) => Growing

/** `output_skip`: every level adds an image to the enlarged one of the level below. */
const outputSkip = (modules: ModuleList, config: NcsnppConfig, inputs: number): OutputPyramid => {
  const toImage = normConvolution(modules, { inputs, outputs: config.num_channels, scale: config.init_scale })
  return ({ hidden, output }, run) => {
    const image = toImage(hidden, run)
    return { hidden, output: output ? upsampleFir(output, tapsOf(config)).add(image) : image }
  }
}

/** `residual`: the output of the level below, enlarged by a trained convolution, is summed with the feature map; the sum goes on as both. */
const outputResidual = (modules: ModuleList, config: NcsnppConfig, o: { inputs: number; below: number | undefined }): OutputPyramid => {
  if (o.below === undefined) {
    const start = normConvolution(modules, { inputs: o.inputs, outputs: o.inputs })
    return ({ hidden }, run) => ({ hidden, output: start(hidden, run) })
  }
  const up = upsampling(modules, config, { inputs: o.below, outputs: o.inputs, convolve: true })
  return ({ hidden, output }, run) => {
    const sum = sumOfBranches(up(output!, run), hidden, config)
    return { hidden: sum, output: sum }
  }
}

const middle = (modules: ModuleList, config: NcsnppConfig, channels: number): Layer => {
  const before = residualLayer(modules, config, { inputs: channels, outputs: channels })
  const attend = attentionLayer(modules, config, channels)
  const after = residualLayer(modules, config, { inputs: channels, outputs: channels })
  return (x, run) => after(attend(before(x, run), run), run)
}

export const decoder = (modules: ModuleList, config: NcsnppConfig, skipChannels: readonly number[]): Decoder => {
  const remaining = [...skipChannels]
  let channels = remaining.at(-1)!
  let pyramidChannels: number | undefined
  const inTheMiddle = middle(modules, config, channels)

  const block = (level: number): Layer => {
    const outputs = config.nf * config.ch_mult[level]!
    const residual = residualLayer(modules, config, { inputs: channels + remaining.pop()!, outputs })
    channels = outputs
    return residual
  }

  const pyramidOf = (): OutputPyramid => {
    if (config.progressive === 'none') return given => given
    if (config.progressive === 'output_skip') return outputSkip(modules, config, channels)
    const pyramid = outputResidual(modules, config, { inputs: channels, below: pyramidChannels })
    pyramidChannels = channels
    return pyramid
  }

  const ascent = (): Layer =>
    config.resblock_type === 'ddpm'
      ? upsampling(modules, config, { inputs: channels, outputs: channels, convolve: config.resamp_with_conv })
      : residualLayer(modules, config, { inputs: channels, outputs: channels, resample: 'up' })

  const levels = [...config.ch_mult.keys()].reverse().map(level => ({
    blocks: Array.from({ length: config.num_res_blocks + 1 }, () => block(level)),
    attend: attendsAt(config, level) ? attentionLayer(modules, config, channels) : undefined,
    pyramid: pyramidOf(),
    up: level > 0 ? ascent() : undefined,
  }))
  const toImage =
    config.progressive === 'output_skip'
      ? undefined
      : normConvolution(modules, { inputs: channels, outputs: config.num_channels, scale: config.init_scale })

  return {
    apply: (skips, run) => {
      const left = [...skips]
      let growing: Growing = { hidden: inTheMiddle(left.at(-1)!, run) }
      for (const { blocks, attend, pyramid, up } of levels) {
        const joined = blocks.reduce((h, layer) => layer(ops.concat([h, left.pop()!], 1), run), growing.hidden)
        growing = pyramid({ ...growing, hidden: attend ? attend(joined, run) : joined }, run)
        if (up) growing = { ...growing, hidden: up(growing.hidden, run) }
      }
      return toImage ? toImage(growing.hidden, run) : growing.output!
    },
  }
}
