import { beforeAll, describe, expect, it } from 'vitest'
import { attentionBlock } from '../../algorithms/models/unet2d/attentionBlock.ts'
import { resnetBlock } from '../../algorithms/models/unet2d/resnetBlock.ts'
import { midStage } from '../../algorithms/models/unet2d/stages.ts'
import { createUnet2d, type Unet2dConfig } from '../../algorithms/models/unet2d.ts'
import { tensor, useBackend } from '../../core/index.ts'
import { groupNormLayer, type Scope, scope } from '../../core/nn/index.ts'
import { normal } from '../../core/random/distributions.ts'
import { key } from '../../core/random/key.ts'
import { expectAllNear } from '../support/numbers.ts'
import {
  asTensors,
  batchOfOne,
  conv,
  fullyConnected,
  groupNorm,
  type Image,
  layerOf,
  map,
  randomImage,
  randomValues,
  silu,
  sum,
} from './plainLayers.ts'

beforeAll(() => useBackend('reference'))

const TINY = {
  block_out_channels: [4, 8],
  down_block_types: ['DownBlock2D', 'AttnDownBlock2D'],
  up_block_types: ['AttnUpBlock2D', 'UpBlock2D'],
  layers_per_block: 1,
  norm_num_groups: 2,
  attention_head_dim: 4,
} satisfies Partial<Unet2dConfig>

describe('blocks of the UNet', () => {
  it('should divide the sum of shortcut and residual by the scale', () => {
    const { config, init } = createUnet2d(TINY)
    const parameters = scope(init(key(2)))
    const x = tensor(normal(key(3), 8 * 16), [1, 8, 4, 4])
    const context = { config, timeFeatures: tensor(normal(key(4), 16), [1, 16]), dropoutKey: undefined }
    const resnet = parameters.at('mid_block.resnets.0')
    const attention = parameters.at('mid_block.attentions.0')
    expectAllNear(resnetBlock(x, resnet, context, { scale: 4 }).mul(4).dataSync(), resnetBlock(x, resnet, context).dataSync(), 1e-12)
    expectAllNear(
      attentionBlock(x, attention, context, { scale: 4 }).mul(4).dataSync(),
      attentionBlock(x, attention, context).dataSync(),
      1e-12,
    )
  })
})

describe('residual block of the UNet', () => {
  it.each(['default', 'scale_shift'] as const)('should compute what its layers do in plain loops, the time taken up by %s', how => {
    const network = createUnet2d({ ...TINY, norm_eps: 0.5, resnet_time_scale_shift: how })
    const shapes = network.parameterShapes()
    const values = randomValues(1, shapes)
    const [x, time] = [randomImage(2, [4, 4, 4]), randomImage(3, [16, 1, 1]).flat(2)]
    const at = (name: string) => layerOf(values, `down_blocks.1.resnets.0.${name}`)
    const norm = (h: Image, name: string): Image => groupNorm(h, at(name), { groups: 2, epsilon: 0.5 })
    const h = conv(silu(norm(x, 'norm1')), at('conv1'), { kernel: 3 })
    const e = fullyConnected(time, at('time_emb_proj'))
    const shifted = map(h, (value, c) => value + e[c]!)
    const scaled = (): Image => map(norm(h, 'norm2'), (value, c) => value * (1 + e[c]!) + e[8 + c]!)
    const second = conv(silu(how === 'default' ? norm(shifted, 'norm2') : scaled()), at('conv2'), { kernel: 3 })
    const expected = sum(conv(x, at('conv_shortcut'), { kernel: 1 }), second)
    const context = { config: network.config, timeFeatures: tensor(time, [1, 16]), dropoutKey: undefined }
    const got = resnetBlock(batchOfOne(x), scope(asTensors(values, shapes)).at('down_blocks.1.resnets.0'), context)
    expectAllNear(got.dataSync(), expected.flat(2), 1e-10)
  })
})

describe('norm before the output of the UNet', () => {
  it('should have the epsilon of the configuration', () => {
    const made = createUnet2d(TINY).init(key(2))
    // Without the last layers of all branches no other norm has an effect.
    const params = Object.fromEntries(
      Object.entries(made).map(([name, value]) => [name, /(\.conv2|\.to_out\.0)\.weight$/.test(name) ? value.mul(0) : value]),
    )
    const at = (norm_eps: number): number[] => [
      ...createUnet2d({ ...TINY, norm_eps })
        .apply(params, tensor(normal(key(1), 48), [1, 3, 4, 4]), [7])
        .dataSync(),
    ]
    const plain = at(1e-5)
    expect(Math.max(...at(1e-1).map((value, i) => Math.abs(value - plain[i]!)))).toBeGreaterThan(1e-3)
  })
})

describe('middle of the UNet', () => {
  it('should be residual block, attention and residual block, each with the scale', () => {
    const { config, init } = createUnet2d({ ...TINY, mid_block_scale_factor: 4 })
    const parameters = scope(init(key(2)))
    const x = tensor(normal(key(3), 8 * 16), [1, 8, 4, 4])
    const context = { config, timeFeatures: tensor(normal(key(4), 16), [1, 16]), dropoutKey: undefined }
    const at = (name: string): Scope => parameters.at(`mid_block.${name}`)
    const first = resnetBlock(x, at('resnets.0'), context, { scale: 4 })
    const middle = attentionBlock(first, at('attentions.0'), context, { scale: 4 })
    const expected = resnetBlock(middle, at('resnets.1'), context, { scale: 4 })
    expectAllNear(midStage(x, parameters, context).dataSync(), expected.dataSync(), 1e-12)
  })
})

describe('attention of the UNet', () => {
  it('should without groups attend to x as it is', () => {
    const { config, init } = createUnet2d({ ...TINY, norm_eps: 0.5 })
    const block = scope(init(key(2))).at('mid_block.attentions.0')
    const x = tensor(normal(key(3), 8 * 16), [1, 8, 4, 4])
    const context = { config, timeFeatures: tensor([0], [1, 1]), dropoutKey: undefined }
    const normalised = groupNormLayer(x, block.at('group_norm'), { groups: config.norm_num_groups, epsilon: config.norm_eps })
    const branch = attentionBlock(normalised, block, context, { groups: null }).sub(normalised)
    expectAllNear(branch.dataSync(), attentionBlock(x, block, context).sub(x).dataSync(), 1e-12)
  })
})
