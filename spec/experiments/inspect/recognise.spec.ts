import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createEdmNet, edmArchitectures } from '../../../algorithms/models/edmNet.ts'
import { createGuidedUnet, GUIDED_UNET_PRESETS } from '../../../algorithms/models/guidedUnet.ts'
import { createNcsnpp } from '../../../algorithms/models/ncsnpp.ts'
import { createUnet2d } from '../../../algorithms/models/unet2d.ts'
import { createVgg } from '../../../algorithms/models/vgg.ts'
import { createVit } from '../../../algorithms/models/vit.ts'
import { guessNetwork } from '../../../experiments/inspect/guess.ts'
import type { Shapes } from '../../../experiments/inspect/shapes.ts'
import { runs } from '../../support/replay.ts'

/** The guess of a network's own shapes must be certain, and right in every option that it tells. */
const expectRecognised = (network: string, shapes: Shapes, config: object): void => {
  const guess = guessNetwork(shapes)!
  expect(guess).toMatchObject({ network, sure: 'certain', agreeing: guess.compared })
  expect(config).toMatchObject(guess.config)
}

describe('recognition', () => {
  it('should know NCSN++ and DDPM++ of any kind', () => {
    const kinds = fc.record({
      nf: fc.constantFrom(4, 8),
      ch_mult: fc.constantFrom([1, 2], [1, 2, 2], [1, 1, 2], [1]),
      num_res_blocks: fc.constantFrom(1, 2),
      attn_resolutions: fc.constantFrom([], [16], [32, 16]),
      resblock_type: fc.constantFrom('ddpm' as const, 'biggan' as const),
      fir: fc.boolean(),
      conditional: fc.boolean(),
      embedding_type: fc.constantFrom('fourier' as const, 'positional' as const),
      progressive: fc.constantFrom('none' as const, 'output_skip' as const, 'residual' as const),
      progressive_input: fc.constantFrom('none' as const, 'input_skip' as const, 'residual' as const),
      progressive_combine: fc.constantFrom('sum' as const, 'cat' as const),
    })
    fc.assert(
      fc.property(kinds, kind => {
        const network = createNcsnpp(kind)
        const guess = guessNetwork(network.parameterShapes())!
        expect(guess).toMatchObject({ network: 'NCSN++', sure: 'certain' })
        const { nf, ch_mult, num_res_blocks, attn_resolutions } = network.config
        const visible = attn_resolutions.filter(side => side > 32 / 2 ** ch_mult.length)
        expect(guess.config).toMatchObject({ nf, ch_mult, num_res_blocks, attn_resolutions: visible })
        if (kind.ch_mult.length > 1)
          expect(guess.config).toMatchObject({ progressive_input: kind.progressive_input, progressive: kind.progressive })
      }),
      { numRuns: runs(40) },
    )
  })

  it('should know the purifier of DiffPure, saved by data-parallel training', () => {
    const network = createNcsnpp({})
    const saved = Object.entries({ sigmas: [1000], ...network.parameterShapes() }).map(([name, shape]) => [`module.${name}`, shape])
    expectRecognised('NCSN++', Object.fromEntries(saved), network.config)
  })

  it('should know the networks of EDM, also without their preconditioning', () => {
    const variants = [
      edmArchitectures.vp,
      edmArchitectures.ve,
      edmArchitectures.adm,
      { model_channels: 4, encoder_type: 'skip', decoder_type: 'skip', label_dim: 3 },
    ] as const
    for (const variant of variants) {
      const network = createEdmNet(variant)
      expectRecognised('EDM', network.parameterShapes(), network.config)
      const bare = Object.entries(network.parameterShapes()).map(([name, shape]) => [name.replace(/^model\./, ''), shape])
      expectRecognised('EDM', Object.fromEntries(bare), network.config)
    }
  })

  it('should know the networks of guided-diffusion, however they resample', () => {
    const small = { model_channels: 32, channel_mult: [1, 2, 3], attention_resolutions: [2], num_heads: 1 }
    const variants = [
      ...Object.values(GUIDED_UNET_PRESETS),
      small,
      { ...small, conv_resample: false, use_scale_shift_norm: true },
      { ...small, channel_mult: [1], attention_resolutions: [], num_classes: 4 },
    ]
    for (const variant of variants) {
      const network = createGuidedUnet(variant)
      expectRecognised('GuidedUNet', network.parameterShapes(), network.config)
    }
  })

  it('should know a UNet2DModel with residual blocks that resample, adaptive norms and classes made as times', () => {
    const network = createUnet2d({
      block_out_channels: [4, 4, 8],
      down_block_types: ['ResnetDownsampleBlock2D', 'AttnDownBlock2D', 'AttnDownBlock2D'],
      up_block_types: ['ResnetUpsampleBlock2D', 'AttnUpBlock2D', 'UpBlock2D'],
      downsample_type: 'resnet',
      upsample_type: 'resnet',
      resnet_time_scale_shift: 'scale_shift',
      class_embed_type: 'timestep',
      norm_num_groups: 2,
      attention_head_dim: 2,
    })
    expectRecognised('UNet2DModel', network.parameterShapes(), network.config)
  })

  it('should know VGG and ViT', () => {
    const vgg = createVgg({ depth: 13, classes: 7, hidden: 64 })
    expectRecognised('VGG', { ...vgg.parameterShapes(), ...vgg.bufferShapes() }, vgg.config)
    const vit = createVit({ classes: 100 })
    expectRecognised('ViT', vit.parameterShapes(), vit.config)
  })
})
