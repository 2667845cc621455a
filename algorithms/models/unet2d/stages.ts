import { ops, type Tensor } from '../../../core/index.ts'
import { conv2dLayer, convShapes, type ParameterShapes, type Scope, upsampleNearest2x } from '../../../core/nn/index.ts'
import { attentionBlock, attentionShapes } from './attentionBlock.ts'
import { type DownBlockType, middleGroups, type Unet2dConfig, type UpBlockType } from './config.ts'
import type { UnetContext } from './context.ts'
import { resnetBlock, resnetShapes } from './resnetBlock.ts'

/** One resolution on the way down or up: what its residual blocks take and give. */
export interface Stage {
  /** Prefix of its parameters. */
  readonly name: string
  /** Input channels of each residual block, in order. */
  readonly inputs: readonly number[]
  readonly outputs: number
  readonly attends: boolean
  /** What changes the resolution after it; absent in the last one. */
  readonly resampler?: 'conv' | 'resnet' | undefined
}

/** Of blocks without attention the type tells what resamples them, of others an option. */
const resamplerOf = (type: DownBlockType | UpBlockType, option: 'conv' | 'resnet'): 'conv' | 'resnet' => {
  if (type.startsWith('Attn')) return option
  return type.startsWith('Resnet') ? 'resnet' : 'conv'
}

/** The stages of a configuration, downwards. */
export const downStages = (config: Unet2dConfig): Stage[] =>
  config.block_out_channels.map((outputs, level, all) => ({
    name: `down_blocks.${level}`,
    inputs: Array.from({ length: config.layers_per_block }, (_, i) => (i === 0 ? (all[level - 1] ?? all[0]!) : outputs)),
    outputs,
    attends: config.down_block_types[level]!.startsWith('Attn'),
    resampler: level < all.length - 1 ? resamplerOf(config.down_block_types[level]!, config.downsample_type) : undefined,
  }))

/** The stages of a configuration, upwards. A block takes the previous output joined with the skip it consumes, last first. */
export const upStages = (config: Unet2dConfig): Stage[] => {
  const upwards = [...config.block_out_channels].reverse()
  return upwards.map((outputs, level) => {
    const below = upwards[level - 1] ?? outputs
    const lastSkip = upwards[level + 1] ?? upwards[level]!
    return {
      name: `up_blocks.${level}`,
      inputs: Array.from(
        { length: config.layers_per_block + 1 },
        (_, i) => (i === 0 ? below : outputs) + (i === config.layers_per_block ? lastSkip : outputs),
      ),
      outputs,
      attends: config.up_block_types[level]!.startsWith('Attn'),
      resampler: level < upwards.length - 1 ? resamplerOf(config.up_block_types[level]!, config.upsample_type) : undefined,
    }
  })
}

const joined = (parts: readonly ParameterShapes[]): ParameterShapes => Object.assign({}, ...parts)

const resamplerShapes = (name: string, { resampler, outputs }: Stage, config: Unet2dConfig): ParameterShapes => {
  if (resampler === 'resnet') return resnetShapes(name, outputs, outputs, config)
  return resampler === 'conv' ? convShapes(`${name}.conv`, outputs, outputs, { kernel: 3 }) : {}
}

export const stageShapes = (stage: Stage, config: Unet2dConfig, resampler: 'downsamplers' | 'upsamplers'): ParameterShapes =>
  joined([
    ...(stage.attends ? stage.inputs.map((_, i) => attentionShapes(`${stage.name}.attentions.${i}`, stage.outputs)) : []),
    ...stage.inputs.map((inputs, i) => resnetShapes(`${stage.name}.resnets.${i}`, inputs, stage.outputs, config)),
    resamplerShapes(`${stage.name}.${resampler}.0`, stage, config),
  ])

const layer = (x: Tensor, index: number, stage: Stage, block: Scope, context: UnetContext): Tensor => {
  const hidden = resnetBlock(x, block.at(`resnets.${index}`), context)
  return stage.attends ? attentionBlock(hidden, block.at(`attentions.${index}`), context) : hidden
}

/** Residual blocks, each followed by attention if the stage attends, then a strided convolution or a residual block that halves. Returns every skip. */
export const downStage = (x: Tensor, stage: Stage, parameters: Scope, context: UnetContext): Tensor[] => {
  const block = parameters.at(stage.name)
  const outputs: Tensor[] = []
  for (let i = 0; i < stage.inputs.length; i++) outputs.push(layer(outputs.at(-1) ?? x, i, stage, block, context))
  if (stage.resampler === 'resnet') outputs.push(resnetBlock(outputs.at(-1)!, block.at('downsamplers.0'), context, { resample: 'down' }))
  if (stage.resampler === 'conv') {
    const padding = context.config.downsample_padding === 0 ? ([0, 1, 0, 1] as const) : 1
    outputs.push(conv2dLayer(outputs.at(-1)!, block.at('downsamplers.0.conv'), { stride: 2, padding }))
  }
  return outputs
}

/** As `downStage` upwards: each residual block sees its input joined with one skip, taken from the end of `skips`. */
export const upStage = (x: Tensor, stage: Stage, parameters: Scope, context: UnetContext & { readonly skips: Tensor[] }): Tensor => {
  const block = parameters.at(stage.name)
  const hidden = stage.inputs.reduce((h, _, i) => layer(ops.concat([h, context.skips.pop()!], 1), i, stage, block, context), x)
  if (stage.resampler === 'resnet') return resnetBlock(hidden, block.at('upsamplers.0'), context, { resample: 'up' })
  return stage.resampler === 'conv' ? conv2dLayer(upsampleNearest2x(hidden), block.at('upsamplers.0.conv')) : hidden
}

export const midShapes = (config: Unet2dConfig): ParameterShapes => {
  const channels = config.block_out_channels.at(-1)!
  return joined([
    config.add_attention ? attentionShapes('mid_block.attentions.0', channels, { normalised: middleGroups(config) !== null }) : {},
    ...[0, 1].map(i => resnetShapes(`mid_block.resnets.${i}`, channels, channels, config)),
  ])
}

/** Residual block, attention unless the configuration leaves it out, residual block; each divided by the scale factor. */
export const midStage = (x: Tensor, parameters: Scope, context: UnetContext): Tensor => {
  const block = parameters.at('mid_block')
  const { mid_block_scale_factor: scale, add_attention: attends } = context.config
  const first = resnetBlock(x, block.at('resnets.0'), context, { scale })
  const middle = attends ? attentionBlock(first, block.at('attentions.0'), context, { scale, groups: middleGroups(context.config) }) : first
  return resnetBlock(middle, block.at('resnets.1'), context, { scale })
}
