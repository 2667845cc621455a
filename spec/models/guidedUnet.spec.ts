import { beforeAll, describe, expect, it } from 'vitest'
import { createEdmNet } from '../../algorithms/models/edmNet.ts'
import { guidedUnetConfig } from '../../algorithms/models/guidedUnet/config.ts'
import { applyLayer } from '../../algorithms/models/guidedUnet/layers.ts'
import { guidedUnetPlan } from '../../algorithms/models/guidedUnet/plan.ts'
import { createGuidedUnet, GUIDED_UNET_PRESETS, type GuidedUnetConfig } from '../../algorithms/models/guidedUnet.ts'
import { createUnet2d } from '../../algorithms/models/unet2d.ts'
import { type Tensor, tensor, tidy, useBackend } from '../../core/index.ts'
import { countParameters, scope } from '../../core/nn/index.ts'
import { key } from '../../core/random/key.ts'
import { expectAllNear } from '../support/numbers.ts'
import { asDhariwal, asUnet2d } from './guidedUnetNames.ts'
import { plainGuidedUnet } from './plainGuidedUnet.ts'
import { asTensors, batchOfOne, enlarged, pooledValues, randomImage, shrunk } from './plainLayers.ts'

beforeAll(() => useBackend('reference'))

/** Two levels that both resample and attend where they can; 32 channels are the least that 32 groups take. */
const TINY = {
  model_channels: 32,
  channel_mult: [1, 2],
  num_res_blocks: 1,
  attention_resolutions: [2],
  num_head_channels: 32,
} satisfies Partial<GuidedUnetConfig>

const ADM = { ...TINY, use_scale_shift_norm: true, resblock_updown: true } satisfies Partial<GuidedUnetConfig>

const image = randomImage(3, [3, 4, 4])

const outputOf = (change: Partial<GuidedUnetConfig>, o: Parameters<ReturnType<typeof createGuidedUnet>['apply']>[3] = {}): number[] =>
  tidy(() => {
    const network = createGuidedUnet({ ...TINY, ...change })
    const shapes = network.parameterShapes()
    return Array.from(network.apply(asTensors(pooledValues(1, shapes), shapes), batchOfOne(image), [7], o).dataSync())
  })

describe('createGuidedUnet', () => {
  it('should have the 295.9, 553.8 and 552.8 million parameters of the published ImageNet networks', () => {
    const counts = Object.values(GUIDED_UNET_PRESETS).map(preset => countParameters(createGuidedUnet(preset).parameterShapes()))
    expect(counts).toEqual([295_904_454, 553_838_086, 552_814_086])
  })

  it('should have names and shapes of the origin', () => {
    const shapes = createGuidedUnet(GUIDED_UNET_PRESETS.imagenet256Unconditional).parameterShapes()
    expect(Object.keys(shapes).slice(0, 7)).toEqual([
      'time_embed.0.weight',
      'time_embed.0.bias',
      'time_embed.2.weight',
      'time_embed.2.bias',
      'input_blocks.0.0.weight',
      'input_blocks.0.0.bias',
      'input_blocks.1.0.in_layers.0.weight',
    ])
    expect(shapes['input_blocks.17.1.qkv.weight']).toEqual([3072, 1024, 1])
    expect(shapes['output_blocks.2.2.in_layers.2.weight']).toEqual([1024, 1024, 3, 3])
    expect(shapes['output_blocks.17.0.skip_connection.weight']).toEqual([256, 512, 1, 1])
    expect(Object.entries(shapes).at(-2)).toEqual(['out.2.weight', [6, 256, 3, 3]])
    expect(createGuidedUnet(GUIDED_UNET_PRESETS.imagenet64).parameterShapes()['label_emb.weight']).toEqual([1000, 768])
  })

  it.each<[Partial<GuidedUnetConfig>]>([
    [{ use_scale_shift_norm: true, resblock_updown: true, use_new_attention_order: true }],
    [{ num_head_channels: 64 }],
  ])('should compute what its layers do in plain loops, with %j', variant => {
    const network = createGuidedUnet({ ...TINY, ...variant })
    const shapes = network.parameterShapes()
    const values = pooledValues(2, shapes)
    const got = tidy(() => network.apply(asTensors(values, shapes), batchOfOne(image), [321.5]).dataSync())
    expectAllNear(got, plainGuidedUnet(image, 321.5, { values, config: network.config }).flat(2), 1e-5)
  })

  it('should without convolutions resample by means and repetition', () => {
    const pooling = { conv_resample: false, num_head_channels: 64 }
    const names = Object.keys(createGuidedUnet({ ...TINY, ...pooling }).parameterShapes())
    expect(names.filter(name => /input_blocks\.2|output_blocks\.1\.2/.test(name))).toEqual([])
    expect(outputOf(pooling).every(Number.isFinite)).toBe(true)
    const context = { config: guidedUnetConfig({ ...TINY, ...pooling }), timeFeatures: tensor([0], [1, 1]), dropoutKey: undefined }
    for (const [resample, expected] of [
      ['down', shrunk(image)],
      ['up', enlarged(image)],
    ] as const) {
      const layer = { kind: 'resampling', channels: 3, resample } as const
      expectAllNear(applyLayer(batchOfOne(image), scope({}), { layer, context }).dataSync(), expected.flat(2), 1e-12)
    }
  })

  it('should count heads by their channels, or as it is told for the way down and the way up', () => {
    const heads = (change: Partial<GuidedUnetConfig>): number[][] => {
      const { input, middle, output } = guidedUnetPlan(guidedUnetConfig({ ...TINY, ...change }))
      return [input.flat(), middle, output.flat()].map(layers => layers.flatMap(layer => (layer.kind === 'attention' ? [layer.heads] : [])))
    }
    expect(heads({})).toEqual([[2], [2], [2, 2]])
    const counted = { num_head_channels: -1, num_heads: 4 }
    expect(heads(counted)).toEqual([[4], [4], [4, 4]])
    expect(heads({ ...counted, num_heads_upsample: 8 })).toEqual([[4], [4], [8, 8]])
  })

  it('should as ADM be the DhariwalUNet of EDM under other names', () => {
    const labels = [2]
    // From 128 channels on both have 32 groups.
    const guided = createGuidedUnet({ ...ADM, model_channels: 128, channel_mult: [1, 1], num_classes: 3 })
    const edm = createEdmNet({
      model_type: 'DhariwalUNet',
      precond: 've',
      img_resolution: 4,
      label_dim: 3,
      model_channels: 128,
      channel_mult: [1, 1],
      num_blocks: 1,
      attn_resolutions: [2],
      channels_per_head: 32,
    })
    const shapes = guided.parameterShapes()
    const params = asTensors(pooledValues(4, shapes), shapes)
    const noise = guided.apply(params, batchOfOne(image), [1.5], { labels })
    // Under ve the denoiser is x + sigma F(x; ln(sigma / 2)).
    const sigma = 2 * Math.exp(1.5)
    const denoised = edm.apply(asDhariwal(params, edm.parameterShapes()), batchOfOne(image), [sigma], { labels })
    expectAllNear(denoised.sub(batchOfOne(image)).div(sigma).dataSync(), noise.dataSync(), 1e-8)
  })

  it('should as ADM be a UNet2DModel with scale_shift and resampling residual blocks under other names', () => {
    const guided = createGuidedUnet({ ...ADM, channel_mult: [1, 1, 2], attention_resolutions: [2, 4], num_classes: 3 })
    const unet = createUnet2d({
      block_out_channels: [32, 32, 64],
      down_block_types: ['ResnetDownsampleBlock2D', 'AttnDownBlock2D', 'AttnDownBlock2D'],
      up_block_types: ['AttnUpBlock2D', 'AttnUpBlock2D', 'ResnetUpsampleBlock2D'],
      downsample_type: 'resnet',
      upsample_type: 'resnet',
      resnet_time_scale_shift: 'scale_shift',
      attn_norm_num_groups: 32,
      layers_per_block: 1,
      attention_head_dim: 32,
      num_class_embeds: 3,
    })
    const shapes = guided.parameterShapes()
    const params = asTensors(pooledValues(5, shapes), shapes)
    const labels = [1]
    const [a, b] = [
      guided.apply(params, batchOfOne(image), [321], { labels }),
      unet.apply(asUnet2d(params, unet.parameterShapes()), batchOfOne(image), [321], { labels }),
    ]
    expectAllNear(b.dataSync(), a.dataSync(), 1e-10)
  })

  it('should initialise every parameter with its shape, and the network as zero', () => {
    const network = createGuidedUnet({ ...ADM, num_classes: 2 })
    const made = network.init(key(3))
    expect(Object.fromEntries(Object.entries(made).map(([name, x]) => [name, x.shape]))).toEqual(network.parameterShapes())
    expect(
      Math.max(
        ...network
          .apply(made, batchOfOne(image), [3], { labels: [0] })
          .dataSync()
          .map(Math.abs),
      ),
    ).toBe(0)
    // 256 values: the standard error of a deviation is 4.4 %.
    const classes = made['label_emb.weight']!.dataSync()
    expect(Math.abs(Math.hypot(...classes) / Math.sqrt(classes.length) - 1)).toBeLessThan(0.18)
    expect(Math.max(...made['middle_block.0.in_layers.2.weight']!.dataSync())).toBeCloseTo(1 / Math.sqrt(64 * 9), 3)
  })

  it('should depend on the class of each image, and drop only with a key', () => {
    const conditional = { num_classes: 2 }
    expect(outputOf(conditional, { labels: [0] })).not.toEqual(outputOf(conditional, { labels: [1] }))
    expect(outputOf({ dropout: 0.5 })).toEqual(outputOf({}))
    expect(outputOf({ dropout: 0.5 }, { dropoutKey: key(1) })).not.toEqual(outputOf({}))
  })

  it('should refuse sides that do not halve, timesteps and labels that do not match, and unknown or contradicting options', () => {
    const network = createGuidedUnet({ ...TINY, num_classes: 2 })
    const zeros = (side: number): Tensor => tensor(new Float64Array(3 * side * side), [1, 3, side, side])
    expect(() => network.apply({}, zeros(3), [0])).toThrow('sides divisible by 2, got [1,3,3,3]')
    expect(() => network.apply({}, zeros(4), [0, 1])).toThrow('1 images need as many timesteps, got 2')
    expect(() => outputOf({ num_classes: 2 })).toThrow('needs one label per image, got 0 for 1')
    expect(() => createGuidedUnet({ blocks: 2 })).toThrow('there is no option "blocks"')
    expect(() => createGuidedUnet({ dims: 3 })).toThrow('only 2 is supported')
    expect(() => createGuidedUnet({ model_channels: 48 })).toThrow('a level has 48 channels; group norm needs a multiple of 32')
    expect(() => createGuidedUnet({ num_head_channels: 96 })).toThrow('heads do not divide 256 channels')
    expect(() => createGuidedUnet({ channel_mult: [] })).toThrow('channel_mult is empty')
  })
})
