import { beforeAll, describe, it } from 'vitest'
import { createEdmNet } from '../../algorithms/models/edmNet.ts'
import { createNcsnpp } from '../../algorithms/models/ncsnpp.ts'
import { type Tensor, tensor, useBackend } from '../../core/index.ts'
import type { ParameterShapes } from '../../core/nn/index.ts'
import { normal } from '../../core/random/distributions.ts'
import { key } from '../../core/random/key.ts'
import { expectAllNear } from '../support/numbers.ts'
import { asTensors, randomValues } from './plainLayers.ts'

beforeAll(() => useBackend('reference'))

/**
 * Parameters of a SongUNet under the names of score_sde's NCSN++: both list the same layers in the same order, but that query, key and
 * value are rows in turn of one convolution there and transposed matrices of their own here.
 */
const asNcsnpp = (params: Record<string, Tensor>, shapes: ParameterShapes): Record<string, Tensor> => {
  const of = (pattern: RegExp): Tensor[] => Object.keys(params).flatMap(name => (pattern.test(name) ? [params[name]!] : []))
  const plain = of(/^(?!.*(qkv|proj|resample_filter)).*$/)
  const maps = { W: [of(/qkv\.weight$/), of(/proj\.weight$/)], b: [of(/qkv\.bias$/), of(/proj\.bias$/)] } as const
  let attention = -1
  return Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => {
      const [, index, kind] = /NIN_(\d)\.(W|b)$/.exec(name) ?? []
      if (index === undefined) return [name, plain.shift()!]
      if (index === '0' && kind === 'W') attention++
      const [mixed, projected] = maps[kind as 'W' | 'b'].map(all => all[attention]!) as [Tensor, Tensor]
      const own =
        index === '3'
          ? projected
          : mixed.reshape([shape[0]!, 3, -1]).slice([0, Number(index), 0], [shape[0]!, 1, mixed.size / shape[0]! / 3])
      return [name, kind === 'b' ? own.reshape(shape) : own.reshape(shape).permute([1, 0])]
    }),
  )
}

describe('createEdmNet as NCSN++', () => {
  it.each([
    ['residual', 'residual', 'none', 'standard'],
    ['skip', 'input_skip', 'output_skip', 'skip'],
  ] as const)(
    'should be the network of score_sde under other names: input %s',
    (encoder_type, progressive_input, progressive, decoder_type) => {
      const common = {
        model_channels: 4,
        num_blocks: 1,
        dropout: 0,
        resample_filter: [1, 3, 3, 1],
        img_resolution: 8,
        channel_mult: [1, 2, 1],
        attn_resolutions: [4],
      }
      const edm = createEdmNet({
        ...common,
        precond: 've',
        embedding_type: 'fourier',
        channel_mult_noise: 2,
        encoder_type,
        decoder_type,
      })
      const score = createNcsnpp({
        nf: 4,
        ch_mult: [1, 2, 1],
        num_res_blocks: 1,
        attn_resolutions: [4],
        image_size: 8,
        fir: true,
        embedding_type: 'fourier',
        progressive_input,
        progressive,
      })
      const params = asTensors(randomValues(2, edm.parameterShapes()), edm.parameterShapes())
      const x = tensor(normal(key(1), 2 * 3 * 64), [2, 3, 8, 8])
      // Under ve the denoiser is x + sigma F(x; ln(sigma / 2)), and score_sde's fourier takes the logarithm itself.
      const denoised = edm.apply(params, x, [0.8, 6])
      const [first, second] = [0.8, 6].map((sigma, i) => denoised.sub(x).slice([i, 0, 0, 0], [1, 3, 8, 8]).div(sigma).dataSync())
      expectAllNear([...first!, ...second!], score.apply(asNcsnpp(params, score.parameterShapes()), x, [0.4, 3]).dataSync(), 1e-10)
    },
  )
})
