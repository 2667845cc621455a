import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { paperVpSde, vpsdeMarginal, vpsdeSigma } from '../../algorithms/diffusion/vpsde.ts'
import { edmNetConfig } from '../../algorithms/models/edmNet/config.ts'
import { norm } from '../../algorithms/models/edmNet/context.ts'
import { preconditioning, vpTimeOfSigma } from '../../algorithms/models/edmNet/preconditioning.ts'
import { createEdmNet, type EdmNetConfig, edmArchitectures } from '../../algorithms/models/edmNet.ts'
import { grad, type Tensor, tensor, tidy, useBackend } from '../../core/index.ts'
import { countParameters, scope } from '../../core/nn/index.ts'
import { normal } from '../../core/random/distributions.ts'
import { foldIn, key } from '../../core/random/key.ts'
import { sizeOf } from '../../core/shape.ts'
import { openGoldenFolder } from '../../experiments/parity/goldenFolder.ts'
import { configOf } from '../../experiments/parity/tensors.ts'
import { expectAllNear, expectNear } from '../support/numbers.ts'
import { runs } from '../support/replay.ts'
import { asTensors, batchOfOne, groupNorm, layerOf, map, randomImage, randomValues } from './plainLayers.ts'

beforeAll(() => useBackend('reference'))

const TINY: Partial<EdmNetConfig> = {
  img_resolution: 4,
  model_channels: 4,
  channel_mult: [1, 2],
  num_blocks: 1,
  attn_resolutions: [2],
  dropout: 0,
}

const variants: fc.Arbitrary<Partial<EdmNetConfig>> = fc.record({
  precond: fc.constantFrom('vp', 've', 'edm'),
  embedding_type: fc.constantFrom('positional', 'fourier'),
  channel_mult_noise: fc.constantFrom(1, 2),
  encoder_type: fc.constantFrom('standard', 'skip', 'residual'),
  decoder_type: fc.constantFrom('standard', 'skip'),
  resample_filter: fc.constantFrom([1, 1], [1, 3, 3, 1]),
  label_dim: fc.constantFrom(0, 3),
  augment_dim: fc.constantFrom(0, 2),
})

const isConstant = (name: string): boolean => name.endsWith('resample_filter')

/** Parameters of which none is special, unlike fresh ones, whose last layers are next to zero. */
const randomParameters = (network: ReturnType<typeof createEdmNet>): Record<string, Tensor> =>
  Object.fromEntries(
    Object.entries(network.parameterShapes()).map(([name, shape]) => [
      name,
      tensor(
        normal(foldIn(key(2), name), sizeOf(shape)).map(z => 0.3 * z),
        shape,
      ),
    ]),
  )

const image = (batch = 1, side = 4): Tensor => tensor(normal(key(1), batch * 3 * side * side), [batch, 3, side, side])

const outputOf = (change: Partial<EdmNetConfig>, o: Parameters<ReturnType<typeof createEdmNet>['apply']>[3] = {}): number[] => {
  const network = createEdmNet({ ...TINY, ...change })
  return Array.from(network.apply(randomParameters(network), image(), [0.7], o).dataSync())
}

describe('createEdmNet', () => {
  it('should have the names, shapes and order of the published state dict', () => {
    const weights = openGoldenFolder(new URL('../golden', import.meta.url).pathname).load('edm_vp.weights')
    const shapes = createEdmNet(configOf(weights)).parameterShapes()
    expect(Object.entries(shapes)).toEqual(weights.tensorNames.map(name => [name, weights.get(name).shape]))
  })

  it('should have 295,899,267 trained parameters as the published ADM for ImageNet at 64x64', () => {
    const shapes = Object.entries(createEdmNet(edmArchitectures.adm).parameterShapes()).filter(([name]) => !isConstant(name))
    expect(countParameters(Object.fromEntries(shapes))).toBe(295_899_267)
    expect(shapes.slice(-4).map(([name]) => name)).toEqual([
      'model.out_norm.weight',
      'model.out_norm.bias',
      'model.out_conv.weight',
      'model.out_conv.bias',
    ])
  })

  it('should have 55,733,891 trained parameters as the published CIFAR-10 DDPM++, 56,397,827 as its NCSN++', () => {
    const trained = (architecture: Partial<EdmNetConfig>): number => {
      const shapes = Object.entries(createEdmNet(architecture).parameterShapes())
      return countParameters(Object.fromEntries(shapes.filter(([name]) => !isConstant(name) && !name.endsWith('freqs'))))
    }
    expect([trained(edmArchitectures.vp), trained(edmArchitectures.ve)]).toEqual([55_733_891, 56_397_827])
  })

  it('should use every parameter in every variant, but for filters and the biases of keys, which softmax does not see', () => {
    fc.assert(
      fc.property(variants, variant =>
        tidy(() => {
          const network = createEdmNet({ ...TINY, ...variant })
          const r = image(2).mul(image(2).add(1))
          const augmentation = tensor([0.3, -1, 0.5, 2], [2, 2])
          const o = variant.augment_dim ? { labels: [2, 0], augmentation } : { labels: [2, 0] }
          const gradients = grad((p: Record<string, Tensor>) => network.apply(p, image(2), [0.1, 3], o).mul(r).sum())(
            randomParameters(network),
          )
          for (const [name, gradient] of Object.entries(gradients)) {
            if (name.includes('qkv')) {
              // Query, key and value of a channel are neighbours; the keys' biases alone have no effect.
              const perMap = gradient.size / gradient.shape[0]!
              const largestOf = [0, 1, 2].map(k =>
                Math.max(...gradient.dataSync().map((g, i) => (Math.floor(i / perMap) % 3 === k ? Math.abs(g) : 0))),
              )
              for (const k of name.endsWith('bias') ? [0, 2] : [0, 1, 2]) expect(largestOf[k], `${name}, map ${k}`).toBeGreaterThan(1e-10)
              continue
            }
            const largest = Math.max(...gradient.dataSync().map(Math.abs))
            if (isConstant(name)) expect(largest, name).toBe(0)
            else expect(largest, name).toBeGreaterThan(1e-10)
          }
        }),
      ),
      { numRuns: runs(12) },
    )
  })

  it('should treat the images of a batch separately, in every variant', () => {
    fc.assert(
      fc.property(variants, variant =>
        tidy(() => {
          const network = createEdmNet({ ...TINY, ...variant })
          const params = randomParameters(network)
          const both = network.apply(params, image(2), [0.1, 3], { labels: [1, 2] }).dataSync()
          const second = network.apply(params, image(2).slice([1, 0, 0, 0], [1, 3, 4, 4]), [3], { labels: [2] }).dataSync()
          expectAllNear(both.slice(48), second, 1e-12)
        }),
      ),
      { numRuns: runs(6) },
    )
  })

  it('should initialise every parameter with its shape, and the network as nothing but its skip connection', () => {
    const network = createEdmNet({ ...TINY, ...edmArchitectures.ve, channel_mult: [1, 2] })
    const made = network.init(key(3))
    expect(Object.fromEntries(Object.entries(made).map(([name, x]) => [name, x.shape]))).toEqual(network.parameterShapes())
    const { cSkip } = preconditioning(0.7, network.config)
    expectAllNear(network.apply(made, image(), [0.7]).dataSync(), image().mul(cSkip).dataSync(), 1e-3)
    // Uniform within sqrt(0.2) times Glorot's bound for 8 inputs and 24 outputs.
    const most = Math.max(...createEdmNet(TINY).init(key(3))['model.enc.2x2_block0.qkv.weight']!.dataSync().map(Math.abs))
    expect(most).toBeCloseTo(Math.sqrt((0.2 * 6) / 32), 2)
    const sum = made['model.enc.2x2_down.conv0.resample_filter']!.sum().dataSync()[0]!
    expectNear(sum, 1, 1e-12)
  })

  it('should take labels and augmentation where it has them, none meaning zeros', () => {
    const conditional = { label_dim: 3 }
    expect(outputOf(conditional, { labels: [0] })).not.toEqual(outputOf(conditional, { labels: [1] }))
    expect(outputOf(conditional)).not.toEqual(outputOf(conditional, { labels: [0] }))
    const augmented = { augment_dim: 2 }
    const zeros = tensor([0, 0], [1, 2])
    expect(outputOf(augmented, { augmentation: zeros })).toEqual(outputOf(augmented))
    expect(outputOf(augmented, { augmentation: zeros.add(1) })).not.toEqual(outputOf(augmented))
  })

  it('should add sqrt(label_dim) times the column of a class to the noise, besides the bias', () => {
    const network = createEdmNet({ ...TINY, label_dim: 3 })
    const params = randomParameters(network)
    const column = params['model.map_label.weight']!.slice([0, 1], [4, 1]).reshape([4])
    const shifted = { ...params, 'model.map_label.bias': params['model.map_label.bias']!.add(column.mul(Math.sqrt(3))) }
    const given = network.apply(params, image(), [0.7], { labels: [1] }).dataSync()
    expectAllNear(network.apply(shifted, image(), [0.7]).dataSync(), given, 1e-12)
  })

  it('should normalise groups of four channels with the epsilon of its origin, which small deviations tell', () => {
    const shapes = { 'n.weight': [8], 'n.bias': [8] }
    const values = randomValues(1, shapes)
    const small = map(randomImage(2, [8, 2, 2]), value => 1e-3 * value)
    for (const [model_type, epsilon] of [
      ['SongUNet', 1e-6],
      ['DhariwalUNet', 1e-5],
    ] as const) {
      const normal = norm(batchOfOne(small), scope(asTensors(values, shapes)).at('n'), {
        silu: false,
        config: edmNetConfig({ model_type }),
      })
      expectAllNear(normal.dataSync(), groupNorm(small, layerOf(values, 'n'), { groups: 2, epsilon }).flat(2), 1e-12)
    }
  })

  it('should drop only with a key', () => {
    expect(outputOf({ dropout: 0.5 })).toEqual(outputOf({}))
    expect(outputOf({ dropout: 0.5 }, { dropoutKey: key(1) })).not.toEqual(outputOf({}))
  })

  it('should refuse images of another size, levels and labels that do not match, and unknown or contradicting options', () => {
    const network = createEdmNet({ ...TINY, label_dim: 3 })
    const params = network.init(key(2))
    expect(() => network.apply(params, image(1, 8), [1])).toThrow('x must be [batch,3,4,4], got [1,3,8,8]')
    expect(() => network.apply(params, image(2), [1])).toThrow('2 images need as many noise levels, got 1')
    expect(() => network.apply(params, image(), [0])).toThrow('sigma must be above 0, got 0')
    expect(() => network.apply(params, image(), [1], { labels: [1, 2] })).toThrow('1 images need as many labels, got 2')
    expect(() => createEdmNet({ encoder: 'skip' })).toThrow('there is no option "encoder"')
    expect(() => createEdmNet({ model_type: 'ViT' as 'SongUNet' })).toThrow('model_type is "ViT"; use SongUNet or DhariwalUNet')
    expect(() => createEdmNet({ ...edmArchitectures.adm, encoder_type: 'skip' })).toThrow('DhariwalUNet has no option "encoder_type"')
    expect(() => createEdmNet({ precond: 'iddpm' as 'vp' })).toThrow('precond is "iddpm"; use vp or ve or edm')
    expect(() => createEdmNet({ resample_filter: [1, 2, 1] })).toThrow('resample_filter [1,2,1] is not symmetric of even length')
    expect(() => createEdmNet({ img_resolution: 34, channel_mult: [1, 1, 1] })).toThrow('img_resolution 34 cannot be halved 2 times')
    expect(() => createEdmNet({ model_channels: 6 })).toThrow('model_channels 6 is no multiple of 4')
  })
})

describe('createEdmNet as DhariwalUNet', () => {
  const ADM: Partial<EdmNetConfig> = { ...TINY, model_type: 'DhariwalUNet', channels_per_head: 4, label_dim: 3, augment_dim: 2 }

  it('should use every parameter but for filters and the biases of keys', () => {
    const network = createEdmNet(ADM)
    const r = image(2).mul(image(2).add(1))
    const o = { labels: [2, 0], augmentation: tensor([0.3, -1, 0.5, 2], [2, 2]) }
    const gradients = grad((p: Record<string, Tensor>) => network.apply(p, image(2), [0.1, 3], o).mul(r).sum())(randomParameters(network))
    const unused = Object.entries(gradients).filter(([, gradient]) => !(Math.max(...gradient.dataSync().map(Math.abs)) > 1e-10))
    expect(unused.map(([name]) => name).filter(name => !isConstant(name))).toEqual([])
  })

  it('should initialise as nothing but its skip connection, the rest by PyTorch defaults', () => {
    const network = createEdmNet(ADM)
    const made = network.init(key(3))
    const { cSkip } = preconditioning(0.7, network.config)
    expectAllNear(network.apply(made, image(), [0.7], { labels: [1] }).dataSync(), image().mul(cSkip).dataSync(), 1e-12)
    const most = (name: string): number => Math.max(...made[`model.${name}`]!.dataSync().map(Math.abs))
    expect(most('enc.2x2_block0.conv0.weight')).toBeCloseTo(1 / Math.sqrt(4 * 9), 2)
    expect([most('map_augment.weight'), most('enc.2x2_block0.proj.weight')]).toEqual([0, 0])
    expect(most('map_layer0.bias')).toBeGreaterThan(0.2)
    expect(most('map_label.weight')).toBeGreaterThan(1)
  })

  it('should not attend where there are fewer channels than a head needs, as its origin', () => {
    const names = Object.keys(createEdmNet({ ...ADM, channels_per_head: 64 }).parameterShapes())
    expect(names.filter(name => name.includes('qkv'))).toEqual([])
  })
})

describe('preconditioning', () => {
  const levels = fc.double({ min: 1e-3, max: 100, noNaN: true })

  it('should under edm give the network inputs and targets of variance 1 for images of deviation sigma_data', () => {
    fc.assert(
      fc.property(levels, fc.double({ min: 0.1, max: 2, noNaN: true }), (sigma, sigma_data) => {
        const { cIn, cSkip, cOut, cNoise } = preconditioning(sigma, edmNetConfig({ sigma_data }))
        expectNear(cIn ** 2 * (sigma_data ** 2 + sigma ** 2), 1, 1e-12)
        // The target is (image - cSkip x) / cOut = ((1 - cSkip) image - cSkip sigma n) / cOut.
        expectNear(((1 - cSkip) ** 2 * sigma_data ** 2 + cSkip ** 2 * sigma ** 2) / cOut ** 2, 1, 1e-9)
        expectNear(cNoise, Math.log(sigma) / 4, 1e-12)
      }),
      { numRuns: runs(100) },
    )
  })

  it('should under vp be the VP SDE: its own time, its input mean x, its output the image less std / mean times the noise', () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-3, max: 1, noNaN: true }), t => {
        const sigma = vpsdeSigma(paperVpSde, t)
        const { cIn, cSkip, cOut, cNoise } = preconditioning(sigma, edmNetConfig({ precond: 'vp' }))
        expectNear(vpTimeOfSigma(sigma, edmNetConfig({})), t, 1e-9)
        expectNear(cNoise, 999 * t, 1e-6)
        expectNear(cIn, vpsdeMarginal(paperVpSde, t).mean, 1e-9)
        expect([cSkip, cOut]).toEqual([1, -sigma])
      }),
      { numRuns: runs(100) },
    )
  })

  it('should under ve take x as it is and predict the score times sigma', () => {
    expect(preconditioning(3, edmNetConfig({ precond: 've' }))).toEqual({ cSkip: 1, cOut: 3, cIn: 1, cNoise: Math.log(1.5) })
  })
})
