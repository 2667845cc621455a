import { ops, type Tensor } from '../../../core/index.ts'
import { conv2dLayer, convShapes, normShapes, type ParameterShapes, type Scope } from '../../../core/nn/index.ts'
import { downsampleConvFir, downsampleFir, upsampleFir } from '../firResample.ts'
import { type BlockPlan, block, blockShapes, filterShapes } from './block.ts'
import type { EdmNetConfig } from './config.ts'
import { type EdmContext, norm } from './context.ts'
import { embeddingShapes } from './embedding.ts'
import { headsOf } from './style.ts'

/** One resolution of the network. */
interface Level {
  /** `16x16`, which begins the names of its layers. */
  readonly name: string
  readonly side: number
  readonly channels: number
}

interface DownLevel extends Level {
  /** Block that halves the size; absent on the first level, which has a convolution of the input instead. */
  readonly down?: BlockPlan
  /** Channels of the shrunken input before it joins. */
  readonly auxiliary: number
  readonly blocks: readonly BlockPlan[]
}

interface UpLevel extends Level {
  /** What comes before the blocks that take skips: two blocks in the middle, or the one that doubles the size. */
  readonly before: readonly BlockPlan[]
  readonly blocks: readonly BlockPlan[]
  /** Layers that make an image of the feature map here, if any. */
  readonly output?: { readonly norm: string; readonly conv: string } | undefined
}

/** The network's structure: what a configuration means, in the order of the state dict. */
export interface EdmUnetPlan {
  readonly down: readonly DownLevel[]
  readonly up: readonly UpLevel[]
}

const levelsOf = (config: EdmNetConfig): Level[] =>
  config.channel_mult.map((multiple, level) => {
    const side = config.img_resolution / 2 ** level
    return { name: `${side}x${side}`, side, channels: config.model_channels * multiple }
  })

export const edmUnetPlan = (config: EdmNetConfig): EdmUnetPlan => {
  const levels = levelsOf(config)
  const song = config.model_type === 'SongUNet'
  const skips: number[] = []
  const first = song ? config.model_channels : levels[0]!.channels
  const before = (level: number): number => levels[level - 1]?.channels ?? first
  const headsAt = ({ side, channels }: Level): number => (config.attn_resolutions.includes(side) ? headsOf(config, channels) : 0)

  const down = levels.map((level, index): DownLevel => {
    const blocks = Array.from({ length: config.num_blocks }, (_, i) => ({
      name: `enc.${level.name}_block${i}`,
      inputs: i === 0 ? before(index) : level.channels,
      outputs: level.channels,
      heads: headsAt(level),
    }))
    skips.push(before(index), ...blocks.map(({ outputs }) => outputs))
    const auxiliary = config.encoder_type === 'residual' && index > 1 ? before(index - 1) : config.img_channels
    if (index === 0) return { ...level, blocks, auxiliary }
    const halving = { name: `enc.${level.name}_down`, inputs: before(index), outputs: before(index), heads: 0, resample: 'down' } as const
    return { ...level, blocks, auxiliary, down: halving }
  })

  const last = levels.length - 1
  const up = levels
    .map((level, index) => ({ level, index }))
    .reverse()
    .map(({ level, index }): UpLevel => {
      const below = levels[Math.min(index + 1, last)]!.channels
      const same = { inputs: below, outputs: below }
      const blocks = Array.from({ length: config.num_blocks + 1 }, (_, i) => ({
        name: `dec.${level.name}_block${i}`,
        inputs: (i === 0 ? below : level.channels) + skips.pop()!,
        outputs: level.channels,
        // SongUNet attends after the last block of a level on its way up, DhariwalUNet after each.
        heads: !song || i === config.num_blocks ? headsAt(level) : 0,
      }))
      return {
        ...level,
        before:
          index === last
            ? [
                { name: `dec.${level.name}_in0`, ...same, heads: headsOf(config, below) },
                { name: `dec.${level.name}_in1`, ...same, heads: 0 },
              ]
            : [{ name: `dec.${level.name}_up`, ...same, heads: 0, resample: 'up' }],
        blocks,
        output: outputAt(level, index, config),
      }
    })
  return { down, up }
}

const outputAt = ({ name }: Level, index: number, { model_type, decoder_type }: EdmNetConfig): UpLevel['output'] => {
  if (index > 0 && decoder_type !== 'skip') return undefined
  return model_type === 'SongUNet' ? { norm: `dec.${name}_aux_norm`, conv: `dec.${name}_aux_conv` } : { norm: 'out_norm', conv: 'out_conv' }
}

const downShapes = (level: DownLevel, config: EdmNetConfig): ParameterShapes => {
  const name = `enc.${level.name}`
  if (!level.down) return convShapes(`${name}_conv`, config.img_channels, level.blocks[0]!.inputs, { kernel: 3 })
  const { outputs } = level.down
  return {
    ...blockShapes(level.down, config),
    ...(config.encoder_type === 'skip'
      ? { ...filterShapes(`${name}_aux_down`, config), ...convShapes(`${name}_aux_skip`, level.auxiliary, outputs, { kernel: 1 }) }
      : {}),
    ...(config.encoder_type === 'residual'
      ? {
          ...convShapes(`${name}_aux_residual`, level.auxiliary, outputs, { kernel: 3 }),
          ...filterShapes(`${name}_aux_residual`, config),
        }
      : {}),
  }
}

const outputShapes = (level: UpLevel, config: EdmNetConfig, first: boolean): ParameterShapes => {
  if (!level.output) return {}
  return {
    ...(first ? {} : config.decoder_type === 'skip' ? filterShapes(`dec.${level.name}_aux_up`, config) : {}),
    ...normShapes(level.output.norm, level.channels),
    ...convShapes(level.output.conv, level.channels, config.img_channels, { kernel: 3 }),
  }
}

/** Parameters and filters, in the order of the origin's state dict. */
export const edmUnetShapes = ({ down, up }: EdmUnetPlan, config: EdmNetConfig): ParameterShapes =>
  Object.assign(
    embeddingShapes(config),
    ...down.flatMap(level => [downShapes(level, config), ...level.blocks.map(plan => blockShapes(plan, config))]),
    ...up.flatMap((level, i) => [
      ...[...level.before, ...level.blocks].map(plan => blockShapes(plan, config)),
      outputShapes(level, config, i === 0),
    ]),
  )

/** A shrunken copy of the input joins the first feature map of a level; returns both. */
const joinInput = (
  h: Tensor,
  auxiliary: Tensor,
  { level, parameters, config }: { level: DownLevel; parameters: Scope; config: EdmNetConfig },
) => {
  const taps = config.resample_filter
  if (config.encoder_type === 'standard') return { h, auxiliary }
  if (config.encoder_type === 'skip') {
    const smaller = downsampleFir(auxiliary, taps)
    return { h: h.add(conv2dLayer(smaller, parameters.at(`enc.${level.name}_aux_skip`))), auxiliary: smaller }
  }
  const layer = parameters.at(`enc.${level.name}_aux_residual`)
  const shrunk = downsampleConvFir(auxiliary, layer.get('weight'), { taps, bias: layer.get('bias') })
  const sum = ops.addScaled(h, Math.SQRT1_2, shrunk, Math.SQRT1_2)
  return { h: sum, auxiliary: sum }
}

/**
 * SongUNet or DhariwalUNet of Karras et al. 2022: the networks of Song et al. 2021 and of Dhariwal and Nichol 2021 in
 * EDM's own arrangement.
 * x: [batch, img_channels, img_resolution, img_resolution]; result likewise.
 */
export const edmUnet = (x: Tensor, plan: EdmUnetPlan, { parameters, context }: { parameters: Scope; context: EdmContext }): Tensor => {
  const { config } = context
  const through = (h: Tensor, blockPlan: BlockPlan): Tensor => block(h, blockPlan, { parameters, context })

  const skips: Tensor[] = []
  let auxiliary = x
  for (const level of plan.down) {
    if (level.down) {
      const joined = joinInput(through(skips.at(-1)!, level.down), auxiliary, { level, parameters, config })
      auxiliary = joined.auxiliary
      skips.push(joined.h)
    } else {
      skips.push(conv2dLayer(x, parameters.at(`enc.${level.name}_conv`)))
    }
    for (const blockPlan of level.blocks) skips.push(through(skips.at(-1)!, blockPlan))
  }

  let h = skips.at(-1)!
  let image: Tensor | undefined
  for (const level of plan.up) {
    h = level.before.reduce(through, h)
    h = level.blocks.reduce((current, blockPlan) => through(ops.concat([current, skips.pop()!], 1), blockPlan), h)
    if (!level.output) continue
    const normal = norm(h, parameters.at(level.output.norm), { silu: true, config })
    const made = conv2dLayer(normal, parameters.at(level.output.conv))
    image = image ? upsampleFir(image, config.resample_filter).add(made) : made
  }
  return image!
}
