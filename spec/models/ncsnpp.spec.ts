import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { ncsnppConfig } from '../../algorithms/models/ncsnpp/config.ts'
import { encoder } from '../../algorithms/models/ncsnpp/encoder.ts'
import { createModuleList, type ModuleList, type NcsnppRun } from '../../algorithms/models/ncsnpp/modules.ts'
import { downsampling } from '../../algorithms/models/ncsnpp/resampling.ts'
import { createNcsnpp, type NcsnppConfig, renameNcsnppParameters } from '../../algorithms/models/ncsnpp.ts'
import { grad, ops, type Tensor, tensor, tidy, useBackend } from '../../core/index.ts'
import { avgPool2d, conv2dLayer, countParameters, scope } from '../../core/nn/index.ts'
import { normal } from '../../core/random/distributions.ts'
import { foldIn, key } from '../../core/random/key.ts'
import { sizeOf } from '../../core/shape.ts'
import { openGoldenFolder } from '../../experiments/parity/goldenFolder.ts'
import { configOf } from '../../experiments/parity/tensors.ts'
import { expectAllNear } from '../support/numbers.ts'
import { runs } from '../support/replay.ts'
import { asTensors, batchOfOne, conv, layerOf, randomImage, randomValues } from './plainLayers.ts'

beforeAll(() => useBackend('reference'))

const TINY: Partial<NcsnppConfig> = { nf: 4, ch_mult: [1, 2], num_res_blocks: 1, attn_resolutions: [2], image_size: 4, dropout: 0 }

/** Every way to build the network that changes its modules. */
const variants: fc.Arbitrary<Partial<NcsnppConfig>> = fc.record({
  resblock_type: fc.constantFrom('ddpm', 'biggan'),
  fir: fc.boolean(),
  progressive: fc.constantFrom('none', 'output_skip', 'residual'),
  progressive_input: fc.constantFrom('none', 'input_skip', 'residual'),
  progressive_combine: fc.constantFrom('sum', 'cat'),
  embedding_type: fc.constantFrom('fourier', 'positional'),
  resamp_with_conv: fc.boolean(),
  skip_rescale: fc.boolean(),
  scale_by_sigma: fc.boolean(),
})

/** Parameters of which none is special, unlike fresh ones, whose last layers are next to zero. */
const randomParameters = (network: ReturnType<typeof createNcsnpp>, seed = 2): Record<string, Tensor> =>
  Object.fromEntries(
    Object.entries(network.parameterShapes()).map(([name, shape]) => [
      name,
      tensor(
        normal(foldIn(key(seed), name), sizeOf(shape)).map(z => 0.3 * z),
        shape,
      ),
    ]),
  )

const image = (batch = 1, side = 4): Tensor => tensor(normal(key(1), batch * 3 * side * side), [batch, 3, side, side])

const outputOf = (change: Partial<NcsnppConfig>, o: Parameters<ReturnType<typeof createNcsnpp>['apply']>[3] = {}): number[] => {
  const network = createNcsnpp({ ...TINY, ...change })
  return Array.from(network.apply(randomParameters(network), image(), [7], o).dataSync())
}

const largestDifference = (a: readonly number[], b: readonly number[]): number => Math.max(...a.map((x, i) => Math.abs(x - b[i]!)))

describe('createNcsnpp', () => {
  it('should have the names, shapes and order of the published state dict', () => {
    const weights = openGoldenFolder(new URL('../golden', import.meta.url).pathname).load('ncsnpp_fir.weights')
    const shapes = createNcsnpp(configOf(weights)).parameterShapes()
    expect(Object.entries(shapes)).toEqual(weights.tensorNames.map(name => [name, weights.get(name).shape]))
  })

  it('should have 61.8 and 106.6 million parameters as DDPM++ and DDPM++ deep, 62.8 and 107.6 million as NCSN++', () => {
    const ncsnpp = { fir: true, progressive_input: 'residual', embedding_type: 'fourier', scale_by_sigma: true } as const
    const sizes = [{ num_res_blocks: 4 }, {}, { ...ncsnpp, num_res_blocks: 4 }, ncsnpp].map(config =>
      countParameters(createNcsnpp(config).parameterShapes()),
    )
    expect(sizes).toEqual([61_804_419, 106_632_579, 62_758_915, 107_587_075])
  })

  it('should use every parameter in every variant, but for the biases of keys, which softmax does not see', () => {
    fc.assert(
      fc.property(variants, variant =>
        tidy(() => {
          const network = createNcsnpp({ ...TINY, ...variant })
          const r = image(2).mul(image(2).add(1))
          const gradients = grad((p: Record<string, Tensor>) => network.apply(p, image(2), [3.5, 400]).mul(r).sum())(
            randomParameters(network),
          )
          const unused = Object.entries(gradients)
            .filter(([, gradient]) => !(Math.max(...gradient.dataSync().map(Math.abs)) > 1e-9))
            .map(([name]) => name)
          expect(unused.filter(name => !name.endsWith('NIN_1.b'))).toEqual([])
        }),
      ),
      { numRuns: runs(12) },
    )
  })

  it('should treat the images of a batch separately, in every variant', () => {
    fc.assert(
      fc.property(variants, variant =>
        tidy(() => {
          const network = createNcsnpp({ ...TINY, ...variant })
          const params = randomParameters(network)
          const both = network.apply(params, image(2), [7, 400]).dataSync()
          const second = network.apply(params, image(2).slice([1, 0, 0, 0], [1, 3, 4, 4]), [400]).dataSync()
          expectAllNear(both.slice(48), second, 1e-12)
        }),
      ),
      { numRuns: runs(6) },
    )
  })

  it('should initialise every parameter with its shape, norms as the identity and the last layers next to zero', () => {
    const network = createNcsnpp({ ...TINY, embedding_type: 'fourier', fourier_scale: 16 })
    const made = network.init(key(3))
    expect(Object.fromEntries(Object.entries(made).map(([name, x]) => [name, x.shape]))).toEqual(network.parameterShapes())
    const most = (name: string): number => Math.max(...made[name]!.dataSync().map(Math.abs))
    expect([most('all_modules.4.GroupNorm_0.weight'), most('all_modules.4.GroupNorm_0.bias')]).toEqual([1, 0])
    expect(most('all_modules.4.Conv_1.weight')).toBeLessThan(1e-4)
    expect(most('all_modules.4.Conv_0.weight')).toBeGreaterThan(0.1)
    expect(most('all_modules.0.W')).toBeGreaterThan(8)
    // Variance 0.1 / 8, uniform.
    const bound = Math.sqrt((3 * 0.1) / 8)
    const query = most(Object.keys(made).find(name => name.endsWith('NIN_0.W'))!)
    expect([query < bound, query > 0.8 * bound]).toEqual([true, true])
  })

  it.each<[string, Partial<NcsnppConfig>]>([
    ['fir', { fir: true }],
    ['fir_kernel', { fir: true, fir_kernel: [1, 2, 2, 1] }],
    ['skip_rescale', { skip_rescale: false }],
    ['centered', { centered: false }],
    ['conditional', { conditional: false }],
    ['attn_resolutions', { attn_resolutions: [] }],
    ['embedding_type', { embedding_type: 'fourier' }],
    ['scale_by_sigma', { scale_by_sigma: true }],
  ])('should depend on %s', (name, change) => {
    const plain = outputOf(name === 'fir_kernel' ? { fir: true } : {})
    const changed = outputOf(change)
    expect(changed.every(Number.isFinite)).toBe(true)
    expect(largestDifference(plain, changed)).toBeGreaterThan(1e-6)
  })

  it('should bring inputs of [0,1] to [-1,1] unless they are centred', () => {
    const [network, raw] = [createNcsnpp(TINY), createNcsnpp({ ...TINY, centered: false })]
    const params = randomParameters(network)
    expectAllNear(raw.apply(params, image(), [7]).dataSync(), network.apply(params, image().mul(2).sub(1), [7]).dataSync(), 1e-12)
  })

  it('should divide by sigma, which a label is under fourier and names under positional', () => {
    const ratio = (change: Partial<NcsnppConfig>): number => outputOf(change)[0]! / outputOf({ ...change, scale_by_sigma: true })[0]!
    expect(ratio({ embedding_type: 'fourier' })).toBeCloseTo(7, 10)
    expect(ratio({ sigma_min: 0.01, sigma_max: 50, num_scales: 8 })).toBeCloseTo(0.01, 12)
    expect(ratio({ sigma_min: 0.01, sigma_max: 50, num_scales: 15 })).toBeCloseTo(Math.sqrt(0.5), 12)
  })

  it('should add the images of all levels under output_skip: a constant in each is a constant in the sum', () => {
    const network = createNcsnpp({ ...TINY, progressive: 'output_skip' })
    const params = randomParameters(network)
    const toImage = Object.entries(network.parameterShapes()).filter(([name, shape]) => name.endsWith('.bias') && shape[0] === 3)
    expect(toImage).toHaveLength(2)
    const raised = Object.fromEntries(toImage.map(([name]) => [name, params[name]!.add(1)]))
    const difference = network.apply({ ...params, ...raised }, image(), [7]).sub(network.apply(params, image(), [7]))
    expectAllNear(difference.dataSync(), new Float64Array(48).fill(2), 1e-12)
  })

  it('should drop only with a key, the same way for the same key', () => {
    const dropping = { dropout: 0.5 }
    expect(outputOf(dropping)).toEqual(outputOf({}))
    expect(outputOf(dropping, { dropoutKey: key(1) })).toEqual(outputOf(dropping, { dropoutKey: key(1) }))
    expect(outputOf(dropping, { dropoutKey: key(1) })).not.toEqual(outputOf(dropping, { dropoutKey: key(2) }))
    expect(outputOf(dropping, { dropoutKey: key(1) })).not.toEqual(outputOf({}))
  })

  it('should refuse images of another size, labels that do not match, and unknown or contradicting options', () => {
    const network = createNcsnpp(TINY)
    const params = network.init(key(2))
    expect(() => network.apply(params, image(1, 8), [0])).toThrow('x must be [batch,3,4,4], got [1,3,8,8]')
    expect(() => network.apply(params, ops.concat([image(), image()], 1), [0])).toThrow('got [1,6,4,4]')
    expect(() => network.apply(params, image(2), [1])).toThrow('2 images need as many noise labels, got 1')
    expect(() => createNcsnpp({ resblok_type: 'ddpm' })).toThrow('there is no option "resblok_type"')
    expect(() => createNcsnpp({ resblock_type: 'resnet' as 'ddpm' })).toThrow('resblock_type is "resnet"; use ddpm or biggan')
    expect(() => createNcsnpp({ nonlinearity: 'elu' })).toThrow('only "swish" is supported')
    expect(() => createNcsnpp({ image_size: 36, ch_mult: [1, 1, 1, 1] })).toThrow('image_size 36 cannot be halved 3 times')
    expect(() => createNcsnpp({ fir: true, fir_kernel: [1, 1] })).toThrow('fir_kernel [1,1] is shorter')
    expect(() => createNcsnpp({ nf: 6 })).toThrow('nf 6 is no multiple of 4')
    expect(() => createNcsnpp({ ch_mult: [] })).toThrow('ch_mult is empty')
  })
})

describe('layers of NCSN++', () => {
  const run = (modules: ModuleList, seed: number): NcsnppRun => {
    const parameters = scope(asTensors(randomValues(seed, modules.shapes), modules.shapes))
    return { parameters, timeFeatures: undefined, dropoutKey: undefined }
  }

  it('should put the mapped input before the feature map where they are appended (cat)', () => {
    const modules = createModuleList()
    const change = { progressive_input: 'input_skip', progressive_combine: 'cat', conditional: false } as const
    const down = encoder(modules, ncsnppConfig({ ...TINY, ...change }))
    const own = run(modules, 1)
    // After the first convolution and the block of the first level.
    const joined = down.apply(image(), own)[2]!
    const [name] = Object.entries(modules.shapes).find(([, shape]) => String(shape) === '4,3,1,1')!
    const mapped = conv2dLayer(avgPool2d(image(), 2), own.parameters.at(name.replace('.weight', '')))
    expect(joined.shape).toEqual([1, 8, 2, 2])
    expectAllNear(joined.slice([0, 0, 0, 0], [1, 4, 2, 2]).dataSync(), mapped.dataSync(), 1e-12)
  })

  it('should halve by a strided convolution with zeros below and to the right, without filter', () => {
    const modules = createModuleList()
    const halve = downsampling(modules, ncsnppConfig(TINY), { inputs: 2, outputs: 3, convolve: true })
    const picture = randomImage(2, [2, 4, 4])
    const widened = picture.map(plane => [...plane.map(row => [...row, 0]), new Array<number>(5).fill(0)])
    const expected = conv(widened, layerOf(randomValues(3, modules.shapes), 'all_modules.0.Conv_0'), { kernel: 3, stride: 2, padding: 0 })
    expectAllNear(halve(batchOfOne(picture), run(modules, 3)).dataSync(), expected.flat(2), 1e-12)
  })
})

describe('renameNcsnppParameters', () => {
  it('should drop what data-parallel training and the table of noise levels add', () => {
    expect(renameNcsnppParameters({ 'module.sigmas': 1, 'module.all_modules.0.weight': 2, 'all_modules.1.bias': 3 })).toEqual({
      'all_modules.0.weight': 2,
      'all_modules.1.bias': 3,
    })
  })
})
