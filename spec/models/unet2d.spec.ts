import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { timeFeatures } from '../../algorithms/models/unet2d/timeFeatures.ts'
import { createUnet2d, renameUnet2dParameters, UNET2D_PRESETS, type Unet2dConfig } from '../../algorithms/models/unet2d.ts'
import { ops, type Tensor, tensor, useBackend } from '../../core/index.ts'
import { countParameters, linear, type Scope, scope, timestepEmbedding } from '../../core/nn/index.ts'
import { normal } from '../../core/random/distributions.ts'
import { key } from '../../core/random/key.ts'
import { expectAllNear } from '../support/numbers.ts'
import { asTensors, fullyConnected, layerOf, randomValues, siluOf } from './plainLayers.ts'

beforeAll(() => useBackend('reference'))

const TINY = {
  block_out_channels: [4, 8],
  down_block_types: ['DownBlock2D', 'AttnDownBlock2D'],
  up_block_types: ['AttnUpBlock2D', 'UpBlock2D'],
  layers_per_block: 1,
  norm_num_groups: 2,
  attention_head_dim: 4,
} satisfies Partial<Unet2dConfig>

const image = (batch = 1): Tensor => tensor(normal(key(1), batch * 3 * 16), [batch, 3, 4, 4])

const outputOf = (change: Partial<Unet2dConfig>, o: Parameters<ReturnType<typeof createUnet2d>['apply']>[3] = {}): number[] => {
  const network = createUnet2d({ ...TINY, ...change })
  return Array.from(network.apply(network.init(key(2)), image(), [7], o).dataSync())
}

describe('createUnet2d', () => {
  it('should have the names, shapes and order of the published CIFAR-10 network, 35,746,307 parameters', () => {
    const google = createUnet2d(UNET2D_PRESETS['google/ddpm-cifar10-32'])
    const shapes = google.parameterShapes()
    const published = readFileSync(new URL('../golden/unet2d_google_keys.txt', import.meta.url), 'utf8')
      .trim()
      .split('\n')
    expect(Object.entries(shapes).map(([name, shape]) => `${name} [${shape.join(', ')}]`)).toEqual(published)
    expect(countParameters(shapes)).toBe(35_746_307)
  })

  it.each([
    ['google/ddpm-celebahq-256', null],
    ['diffusers/unconditional', 8],
  ] as const)('should have the 113,673,219 parameters of %s, which attends after four halvings only', (name, headChannels) => {
    const network = createUnet2d(UNET2D_PRESETS[name])
    const shapes = network.parameterShapes()
    expect(countParameters(shapes)).toBe(113_673_219)
    const attending = new Set(Object.keys(shapes).flatMap(key => key.match(/^(.+)\.attentions/)?.[1] ?? []))
    expect([...attending].sort()).toEqual(['down_blocks.4', 'mid_block', 'up_blocks.1'])
    expect(network.config.attention_head_dim).toBe(headChannels)
  })

  it('should configure the checkpoints of Ho et al. as their config.json does', () => {
    for (const name of ['google/ddpm-cifar10-32', 'google/ddpm-celebahq-256'] as const) {
      expect(createUnet2d(UNET2D_PRESETS[name]).config).toMatchObject({
        attention_head_dim: null,
        downsample_padding: 0,
        flip_sin_to_cos: false,
        freq_shift: 1,
        norm_eps: 1e-6,
        norm_num_groups: 32,
        layers_per_block: 2,
        mid_block_scale_factor: 1,
        time_embedding_type: 'positional',
        num_class_embeds: null,
      })
    }
  })

  it('should initialise every parameter with its shape', () => {
    const network = createUnet2d({ ...TINY, time_embedding_type: 'fourier', num_class_embeds: 3 })
    const made = network.init(key(3))
    expect(Object.fromEntries(Object.entries(made).map(([name, x]) => [name, x.shape]))).toEqual(network.parameterShapes())
  })

  it('should treat the images of a batch separately', () => {
    const network = createUnet2d(TINY)
    const params = network.init(key(2))
    const both = network.apply(params, image(2), [7, 400]).dataSync()
    const second = network.apply(params, image(2).slice([1, 0, 0, 0], [1, 3, 4, 4]), [400]).dataSync()
    second.forEach((value, i) => {
      expect(both[48 + i]).toBeCloseTo(value, 12)
    })
  })

  it.each<[string, Partial<Unet2dConfig>]>([
    ['downsample_padding', { downsample_padding: 0 }],
    ['mid_block_scale_factor', { mid_block_scale_factor: 2 }],
    ['attention_head_dim', { attention_head_dim: null }],
    ['norm_eps', { norm_eps: 1e-1 }],
    ['norm_num_groups', { norm_num_groups: 4 }],
    ['add_attention', { add_attention: false }],
    ['freq_shift', { freq_shift: 1 }],
    ['flip_sin_to_cos', { flip_sin_to_cos: false }],
    ['center_input_sample', { center_input_sample: true }],
    ['time_embedding_type', { time_embedding_type: 'fourier' }],
    ['resnet_time_scale_shift', { resnet_time_scale_shift: 'scale_shift' }],
    ['upsample_type', { upsample_type: 'resnet' }],
    ['a residual block that halves', { down_block_types: ['ResnetDownsampleBlock2D', 'AttnDownBlock2D'] }],
  ])('should depend on %s', (_, change) => {
    const plain = outputOf({})
    const changed = outputOf(change)
    expect(changed.every(Number.isFinite)).toBe(true)
    expect(Math.max(...changed.map((x, i) => Math.abs(x - plain[i]!)))).toBeGreaterThan(1e-6)
  })

  it('should bring inputs of [0,1] to [-1,1] where it is told to', () => {
    const [network, centring] = [createUnet2d(TINY), createUnet2d({ ...TINY, center_input_sample: true })]
    const params = network.init(key(2))
    const centred = network.apply(params, image().mul(2).sub(1), [7])
    expectAllNear(centring.apply(params, image(), [7]).dataSync(), centred.dataSync(), 1e-12)
  })

  it('should add the class embedding, one label per image', () => {
    const conditional = { num_class_embeds: 2 }
    expect(outputOf(conditional, { labels: [0] })).not.toEqual(outputOf(conditional, { labels: [1] }))
    expect(() => outputOf(conditional)).toThrow('needs one label per image, got 0 for 1')
  })

  it('should take the embedding of a class from its caller, or make it as that of a time', () => {
    const t = 7
    const network = createUnet2d({ ...TINY, class_embed_type: 'identity' })
    const params = network.init(key(2))
    const table = createUnet2d({ ...TINY, num_class_embeds: 2 })
    const rows = tensor(normal(key(5), 32), [2, 16])
    const row = rows.slice([1, 0], [1, 16])
    const given = network.apply(params, image(), [t], { classEmbedding: row }).dataSync()
    expectAllNear(table.apply({ ...params, 'class_embedding.weight': rows }, image(), [t], { labels: [1] }).dataSync(), given, 1e-12)

    const asTime = createUnet2d({ ...TINY, class_embed_type: 'timestep' })
    const own = asTime.init(key(4))
    const at = (name: string): Scope => scope(own).at(`class_embedding.${name}`)
    const made = linear(ops.silu(linear(timestepEmbedding([3], 4, { flipSinToCos: true, freqShift: 0 }), at('linear_1'))), at('linear_2'))
    const others = Object.fromEntries(Object.entries(own).filter(([name]) => !name.startsWith('class_embedding')))
    expectAllNear(
      network.apply(others, image(), [t], { classEmbedding: made }).dataSync(),
      asTime.apply(own, image(), [t], { labels: [3] }).dataSync(),
      1e-12,
    )
    expect(() => network.apply(params, image(), [t])).toThrow('o.classEmbedding must be [1,16], got []')
  })

  it('should embed a noise level as sines, then cosines, of 2 pi w log t, whatever the order of positional embeddings', () => {
    for (const flip_sin_to_cos of [true, false]) {
      const network = createUnet2d({ ...TINY, time_embedding_type: 'fourier', flip_sin_to_cos })
      const values = randomValues(6, network.parameterShapes())
      const at = (t: number): number[] => {
        const angles = [...values['time_proj.weight']!].map(w => 2 * Math.PI * w * Math.log(t))
        const raw = [...angles.map(Math.sin), ...angles.map(Math.cos)]
        const hidden = siluOf(fullyConnected(raw, layerOf(values, 'time_embedding.linear_1')))
        return siluOf(fullyConnected(hidden, layerOf(values, 'time_embedding.linear_2')))
      }
      const parameters = scope(asTensors(values, network.parameterShapes()))
      expectAllNear(timeFeatures([0.7, 30], {}, parameters, network.config).dataSync(), [...at(0.7), ...at(30)], 1e-10)
    }
  })

  it('should under fourier divide its output, which is a score, by the noise level', () => {
    const network = createUnet2d({ ...TINY, time_embedding_type: 'fourier' })
    const params = network.init(key(2))
    const blind = { ...params, 'time_embedding.linear_2.weight': params['time_embedding.linear_2.weight']!.mul(0) }
    const at = (t: number): Tensor => network.apply(blind, image(), [t])
    expectAllNear(at(5).mul(5).dataSync(), at(0.3).mul(0.3).dataSync(), 1e-12)
  })

  it('should normalise before the middle attention unless scale_shift comes without groups for it', () => {
    const norms = (change: Partial<Unet2dConfig>): string[] =>
      Object.keys(createUnet2d({ ...TINY, ...change }).parameterShapes()).filter(name => name.endsWith('group_norm.weight'))
    expect(norms({})).toContain('mid_block.attentions.0.group_norm.weight')
    const adaptive = { resnet_time_scale_shift: 'scale_shift' } as const
    expect(norms(adaptive)).toEqual(norms({}).filter(name => !name.startsWith('mid_block')))
    expect(norms({ ...adaptive, attn_norm_num_groups: 2 })).toEqual(norms({}))
    expect(outputOf({ attn_norm_num_groups: 4 })).not.toEqual(outputOf({}))
    expect(outputOf(adaptive).every(Number.isFinite)).toBe(true)
    expect(() => createUnet2d({ ...TINY, attn_norm_num_groups: 3 })).toThrow('attn_norm_num_groups 3 does not divide 8 channels')
  })

  it('should drop only with a key, the same way for the same key', () => {
    const dropping = { dropout: 0.5 }
    expect(outputOf(dropping)).toEqual(outputOf({}))
    expect(outputOf(dropping, { dropoutKey: key(1) })).toEqual(outputOf(dropping, { dropoutKey: key(1) }))
    expect(outputOf(dropping, { dropoutKey: key(1) })).not.toEqual(outputOf(dropping, { dropoutKey: key(2) }))
    expect(outputOf(dropping, { dropoutKey: key(1) })).not.toEqual(outputOf({}))
  })

  it('should refuse sides that do not halve, timesteps that do not match, and unknown or unsupported options', () => {
    const network = createUnet2d(TINY)
    const params = network.init(key(2))
    expect(() => network.apply(params, tensor(new Float64Array(27), [1, 3, 3, 3]), [0])).toThrow('sides divisible by 2, got [1,3,3,3]')
    expect(() => network.apply(params, image(2), [1])).toThrow('2 images need as many timesteps, got 1')
    expect(() => createUnet2d({ ...TINY, layers_per_blok: 2 })).toThrow('there is no option "layers_per_blok"')
    expect(() => createUnet2d({ ...TINY, act_fn: 'relu' })).toThrow('only "silu" is supported')
    expect(() => createUnet2d({ ...TINY, downsample_type: 'pool' as 'conv' })).toThrow('downsample_type is "pool"; use conv or resnet')
    expect(() => createUnet2d({ ...TINY, norm_num_groups: 3 })).toThrow('norm_num_groups 3 does not divide 4 channels')
    expect(() => createUnet2d({ ...TINY, up_block_types: ['UpBlock2D'] })).toThrow('give one of each per level')
    expect(() => createUnet2d({ ...TINY, down_block_types: ['DownBlock2D', 'SkipDownBlock2D' as 'DownBlock2D'] })).toThrow(
      '"SkipDownBlock2D"',
    )
  })
})

describe('a configuration from a damaged file', () => {
  it.each<[object, string]>([
    [{ block_out_channels: null }, 'block_out_channels is null; use a list of at most 256 values'],
    [{ block_out_channels: [4, '8'] }, 'block_out_channels is [4,"8"]; use a list of which each is a whole number from 1 to 65536'],
    [{ down_block_types: [1, 2] }, 'use a list of which each is a string'],
    [{ layers_per_block: 1.5 }, 'layers_per_block is 1.5; use a whole number from 1 to 256'],
    [{ layers_per_block: 1e8 }, 'layers_per_block is 100000000; use a whole number from 1 to 256'],
    [{ in_channels: '3' }, 'in_channels is "3"; use a whole number from 1 to 65536'],
    [{ norm_eps: null }, 'norm_eps is null; use a number from 0 on'],
    [{ dropout: 1 }, 'dropout is 1; use a number from 0 to below 1'],
    [{ num_class_embeds: 0 }, 'num_class_embeds is 0; use a whole number from 1'],
    [{ add_attention: 'yes' }, 'add_attention is "yes"; use a boolean'],
    [{ attention_head_dim: 3 }, 'attention_head_dim 3 does not divide 8 channels'],
  ])('should be refused for what is wrong with it: %j', (change, message) => {
    expect(() => createUnet2d({ ...TINY, ...change })).toThrow(message)
  })
})

describe('renameUnet2dParameters', () => {
  it('should bring old attention names to the present ones and leave everything else', () => {
    const old = {
      'mid_block.attentions.0.query.weight': 1,
      'mid_block.attentions.0.proj_attn.bias': 2,
      'conv_in.weight': 3,
      'time_proj.W': 4,
    }
    expect(renameUnet2dParameters(old)).toEqual({
      'mid_block.attentions.0.to_q.weight': 1,
      'mid_block.attentions.0.to_out.0.bias': 2,
      'conv_in.weight': 3,
    })
    const names = Object.keys(createUnet2d(TINY).parameterShapes())
    const aged = names.map(name =>
      name.replace('.to_q.', '.query.').replace('.to_k.', '.key.').replace('.to_v.', '.value.').replace('.to_out.0.', '.proj_attn.'),
    )
    expect(aged).not.toEqual(names)
    expect(Object.keys(renameUnet2dParameters(Object.fromEntries(aged.map(name => [name, 0]))))).toEqual(names)
  })
})
