import { describe, expect, it } from 'vitest'
import { heunStep } from '../../../algorithms/diffusion/edm.ts'
import { type EdmPurifier, purifyEdm } from '../../../algorithms/purification/purifyEdm.ts'
import { createDraws } from '../../../algorithms/randomness/draws.ts'
import { type Tensor, useBackend, valueAndGrad } from '../../../core/index.ts'
import { expectAllNear } from '../../support/numbers.ts'
import { gaussian, pixels } from '../fixtures.ts'

const shape = [2, 1, 4, 4]
const ids = [3, 8]

describe('purifyEdm (E6)', () => {
  it('should noise with the first level and clamp the image (P45)', async () => {
    await useBackend('reference')
    const draws = createDraws({ seed: 1, images: ids })
    const seen: Tensor[] = []
    const denoiser: EdmPurifier['denoiser'] = x => {
      seen.push(x)
      return x.mul(0).add(gaussian(1, 'image', shape).mul(2))
    }
    const x = pixels(1, shape)
    const image = purifyEdm({ denoiser, sigmas: [0.7, 0] }, x, draws)
    expectAllNear(
      seen[0]!.dataSync(),
      x
        .mul(2)
        .sub(1)
        .add(draws.normal('forward', shape.slice(1)).mul(0.7))
        .dataSync(),
      1e-12,
    )
    expectAllNear(image.dataSync(), gaussian(1, 'image', shape).add(0.5).clamp(0, 1).dataSync(), 1e-12)
  })

  it('should pass the gradient where it clamps only when told to go straight through (P45)', async () => {
    await useBackend('reference')
    // A denoiser that returns its input: the image is the noisy one, half of whose pixels leave [0, 1].
    const [draws, x] = [createDraws({ seed: 2, images: ids }), pixels(2, shape)]
    const noisy = x
      .mul(2)
      .sub(1)
      .add(draws.normal('forward', shape.slice(1)).mul(0.7))
      .dataSync()
    for (const clampGradient of [undefined, 'straightThrough'] as const) {
      const given = { denoiser: (image: Tensor) => image, sigmas: [0.7, 0], ...(clampGradient && { clampGradient }) }
      const { gradient } = valueAndGrad((input: Tensor) => [purifyEdm(given, input, draws).sum(), null] as const)(x)
      expectAllNear(
        gradient.dataSync(),
        Array.from(noisy, value => (clampGradient || Math.abs(value) <= 1 ? 1 : 0)),
        1e-12,
      )
    }
    expect(noisy.some(value => Math.abs(value) > 1)).toBe(true)
  })

  it('should churn each step by its share of the total, with noise of its own of the asked deviation', async () => {
    await useBackend('reference')
    const [x, draws] = [pixels(3, shape, { low: 0.4, high: 0.6 }), createDraws({ seed: 3, images: ids })]
    const denoiser: EdmPurifier['denoiser'] = (image, [sigma]) => image.mul(0.2 / (0.2 + sigma! ** 2))
    const [sigmas, churn] = [[0.3, 0.2, 0.1, 0], { sChurn: 0.9, sMin: 0.15, sNoise: 1.5 }]
    let current = x
      .mul(2)
      .sub(1)
      .add(draws.normal('forward', shape.slice(1)).mul(0.3))
    for (const [diffusionStep, churned] of [0.3 * 1.3, 0.2 * 1.3, 0.1].entries()) {
      const z = () => draws.normal('reverse', shape.slice(1), { diffusionStep })
      const [sigma, next] = [sigmas[diffusionStep]!, sigmas[diffusionStep + 1]!]
      current = heunStep(current, { denoiser, sigma, next, churned, sNoise: 1.5, z })
    }
    const image = purifyEdm({ denoiser, sigmas, churn }, x, draws)
    expectAllNear(image.dataSync(), current.add(1).mul(0.5).clamp(0, 1).dataSync(), 1e-12)
    expect(image.dataSync().some(value => value > 0 && value < 1)).toBe(true)
  })

  it('should refuse levels that do not fall to 0', () => {
    const attempt = (sigmas: readonly number[]) => () =>
      purifyEdm({ denoiser: x => x, sigmas }, pixels(0, shape), createDraws({ seed: 0, images: ids }))
    for (const sigmas of [[0.5], [0.5, 0.2], [0.2, 0.5, 0], []]) {
      expect(attempt(sigmas)).toThrow(`the noise levels must fall and end at 0, got [${sigmas}]; make them with karrasSigmas`)
    }
  })
})
