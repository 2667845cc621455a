import { ops, type Tensor, tensor } from '../../core/index.ts'
import type { ParameterShapes } from '../../core/nn/index.ts'

/** The parameters of a guided-diffusion UNet of 32 channels per head under the names of its equals in other libraries. */

type Params = Readonly<Record<string, Tensor>>

const PER_HEAD = 32

/** Rows of qkv, of which each head has its queries, keys and values, in the order that `place` gives them. */
const reordered = (rows: Tensor, place: (part: number, channel: number) => number): Tensor => {
  const count = rows.shape[0]!
  const order: number[] = []
  for (let channel = 0; channel < count / 3; channel++) {
    for (const part of [0, 1, 2]) {
      const head = Math.floor(channel / PER_HEAD)
      order[place(part, channel)] = head * 3 * PER_HEAD + part * PER_HEAD + (channel % PER_HEAD)
    }
  }
  const rest = rows.shape.slice(1)
  return ops.concat(
    order.map(row => rows.slice([row, ...rest.map(() => 0)], [1, ...rest])),
    0,
  )
}

const renamed = (shapes: ParameterShapes, find: (name: string) => Tensor): Record<string, Tensor> =>
  Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => [
      name,
      name.endsWith('resample_filter') ? tensor(new Float64Array(4).fill(0.25), shape) : find(name).reshape([...shape]),
    ]),
  )

const RESIDUAL: Readonly<Record<string, string>> = {
  norm0: 'in_layers.0',
  norm1: 'in_layers.0',
  conv0: 'in_layers.2',
  affine: 'emb_layers.1',
  time_emb_proj: 'emb_layers.1',
  skip: 'skip_connection',
  conv_shortcut: 'skip_connection',
}

/** Where the two levels of the tiny network begin in the origin's numbered blocks. */
const DHARIWAL: Readonly<Record<string, readonly [residual: string, attention: string]>> = {
  'enc.4x4_block0': ['input_blocks.1.0', ''],
  'enc.2x2_down': ['input_blocks.2.0', ''],
  'enc.2x2_block0': ['input_blocks.3.0', 'input_blocks.3.1'],
  'dec.2x2_in0': ['middle_block.0', 'middle_block.1'],
  'dec.2x2_in1': ['middle_block.2', ''],
  'dec.2x2_block0': ['output_blocks.0.0', 'output_blocks.0.1'],
  'dec.2x2_block1': ['output_blocks.1.0', 'output_blocks.1.1'],
  'dec.4x4_up': ['output_blocks.1.2', ''],
  'dec.4x4_block0': ['output_blocks.2.0', ''],
  'dec.4x4_block1': ['output_blocks.3.0', ''],
}

const DHARIWAL_OTHERS: Readonly<Record<string, string>> = {
  map_layer0: 'time_embed.0',
  map_layer1: 'time_embed.2',
  'enc.4x4_conv': 'input_blocks.0.0',
  out_norm: 'out.0',
  out_conv: 'out.2',
}

/** Two levels of images of 4x4 as EDM's DhariwalUNet. */
export const asDhariwal = (params: Params, shapes: ParameterShapes): Record<string, Tensor> =>
  renamed(shapes, full => {
    const name = full.replace(/^model\./, '')
    if (name === 'map_label.weight') return params['label_emb.weight']!.permute([1, 0])
    const [, layer, kind] = /^(.+)\.(weight|bias)$/.exec(name)!
    if (DHARIWAL_OTHERS[layer!]) return params[`${DHARIWAL_OTHERS[layer!]}.${kind}`]!
    const [, block, part] = /^(.+)\.(\w+)$/.exec(layer!)!
    const [residual, attention] = DHARIWAL[block!]!
    if (part === 'norm2') return params[`${attention}.norm.${kind}`]!
    if (part === 'proj') return params[`${attention}.proj_out.${kind}`]!
    // Query, key and value of a channel are neighbours there.
    if (part === 'qkv') return reordered(params[`${attention}.qkv.${kind}`]!, (which, channel) => 3 * channel + which)
    const own: Readonly<Record<string, string>> = { ...RESIDUAL, norm1: 'out_layers.0', conv1: 'out_layers.3' }
    return params[`${residual}.${own[part!]}.${kind}`]!
  })

const UNET2D: Readonly<Record<string, string>> = {
  conv_in: 'input_blocks.0.0',
  conv_norm_out: 'out.0',
  conv_out: 'out.2',
  class_embedding: 'label_emb',
  'time_embedding.linear_1': 'time_embed.0',
  'time_embedding.linear_2': 'time_embed.2',
}

/** The numbered block that holds a module of diffusers, in networks with one residual block per level. */
const numberedBlock = (name: string): string => {
  const [, way, level, module, index] = /^(down_blocks|up_blocks|mid_block)\.?(\d*)\.(\w+)\.(\d+)/.exec(name)!
  const [l, i] = [Number(level), Number(index)]
  if (way === 'mid_block') return module === 'attentions' ? 'middle_block.1' : `middle_block.${2 * i}`
  if (way === 'down_blocks') {
    if (module === 'downsamplers') return `input_blocks.${2 * l + 2}.0`
    return `input_blocks.${2 * l + 1}.${module === 'attentions' ? 1 : 0}`
  }
  // The level of full size does not attend, so that an enlarging block is the third layer wherever there is one.
  if (module === 'upsamplers') return `output_blocks.${2 * l + 1}.2`
  return `output_blocks.${2 * l + i}.${module === 'attentions' ? 1 : 0}`
}

/** Three levels, the last two of which attend, as a UNet2DModel of diffusers. */
export const asUnet2d = (params: Params, shapes: ParameterShapes): Record<string, Tensor> =>
  renamed(shapes, name => {
    const [, layer, kind] = /^(.+)\.(weight|bias)$/.exec(name)!
    if (UNET2D[layer!]) return params[`${UNET2D[layer!]}.${kind}`]!
    const block = numberedBlock(layer!)
    const map = ['to_q', 'to_k', 'to_v'].findIndex(part => layer!.endsWith(part))
    if (map >= 0) {
      const all = params[`${block}.qkv.${kind}`]!
      const third = all.shape[0]! / 3
      const ordered = reordered(all, (which, channel) => which * third + channel)
      const rest = all.shape.slice(1)
      return ordered.slice([map * third, ...rest.map(() => 0)], [third, ...rest])
    }
    if (layer!.endsWith('to_out.0')) return params[`${block}.proj_out.${kind}`]!
    if (layer!.endsWith('group_norm')) return params[`${block}.norm.${kind}`]!
    const own: Readonly<Record<string, string>> = {
      ...RESIDUAL,
      conv1: 'in_layers.2',
      norm2: 'out_layers.0',
      conv2: 'out_layers.3',
    }
    return params[`${block}.${own[layer!.split('.').at(-1)!]}.${kind}`]!
  })
