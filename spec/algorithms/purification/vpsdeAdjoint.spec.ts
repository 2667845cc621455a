import { describe, expect, it } from 'vitest'
import type { EpsilonModel } from '../../../algorithms/models/types.ts'
import { purifyAny } from '../../../algorithms/purification/anyPurifier.ts'
import { purifyVpsde, type VpsdePurifier, type VpsdeReverse } from '../../../algorithms/purification/purifyVpsde.ts'
import { purifyVpsdeAdjoint } from '../../../algorithms/purification/vpsdeAdjoint.ts'
import { paperVpsdeTimes } from '../../../algorithms/purification/vpsdeTimes.ts'
import { createDraws } from '../../../algorithms/randomness/draws.ts'
import { createCpu } from '../../../core/backends/cpu/cpu.ts'
import { dispose, grad, ops, type Tensor, useBackend, valueAndGrad, withBackend } from '../../../core/index.ts'
import { backendsUnderTest } from '../../support/backends.ts'
import { dot, expectAllNear, expectNear } from '../../support/numbers.ts'
import { bits, gaussian, pixels, recording, smallEpsilon } from '../fixtures.ts'

const shape = [2, 1, 4, 4]
const draws = createDraws({ seed: 7, images: [3, 8] })
const reverses: readonly VpsdeReverse[] = [{ kind: 'sde' }, { kind: 'flow' }]

const purifierOf = (
  epsilonTheta: EpsilonModel,
  reverse: VpsdeReverse,
  steps: number,
  more: Partial<VpsdePurifier> = {},
): VpsdePurifier => ({
  epsilonTheta,
  intervals: paperVpsdeTimes({ tStar: 0.2, steps }),
  reverse,
  ...more,
})

type Purify = (purifier: VpsdePurifier, x: Tensor, d: typeof draws) => Tensor

const imageAndGradient = (purify: Purify, purifier: VpsdePurifier) => {
  const { gradient, aux } = valueAndGrad((x: Tensor) => {
    const image = purify(purifier, x, draws)
    return [image.mul(gaussian(1, 'u', shape)).sum(), image] as const
  })(pixels(2, shape, { low: 0.2, high: 0.8 }))
  return { image: aux, gradient }
}

describe.each(reverses)('adjoint gradient of the VP SDE ($kind)', reverse => {
  it.each(backendsUnderTest)('should leave the values as they are, bit for bit, on %s', async backend => {
    await useBackend(backend)
    for (const clamp of [true, false]) {
      const purifier = purifierOf(smallEpsilon(1, 1), reverse, 4, { clamp })
      const exact = imageAndGradient(purifyVpsde, purifier)
      expect(await bits(imageAndGradient(purifyVpsdeAdjoint, purifier).image)).toBe(await bits(exact.image))
      const chosen = imageAndGradient((p, x, d) => purifyAny({ ...p, gradient: 'adjoint' }, x, d), purifier)
      expect(await bits(chosen.gradient)).toBe(await bits(imageAndGradient(purifyVpsdeAdjoint, purifier).gradient))
    }
  })

  it('should be the exact gradient for a network that is affine in x, whatever the number of steps', async () => {
    await useBackend('reference')
    const kernel = gaussian(3, 'kernel', [1, 1, 3, 3]).mul(0.3)
    const affine: EpsilonModel = (xT, t) =>
      ops
        .conv2d(xT, kernel, { padding: 1 })
        .mul(t[0]! / 100)
        .add(0.1)
    for (const steps of [1, 2, 7]) {
      for (const clamp of [true, false]) {
        const purifier = purifierOf(affine, reverse, steps, { clamp })
        const exact = imageAndGradient(purifyVpsde, purifier).gradient.dataSync()
        expectAllNear(imageAndGradient(purifyVpsdeAdjoint, purifier).gradient.dataSync(), exact, 1e-12)
      }
    }
  })

  it('should tend to the exact gradient of a curved network, of any SDE and label scale, its error halving with the length of the steps', async () => {
    await useBackend('reference')
    const errorOf = (steps: number): number => {
      const purifier = purifierOf(smallEpsilon(1, 1), reverse, steps, { clamp: false, sde: { betaMin: 0.3, betaMax: 15 }, labelScale: 400 })
      const exact = imageAndGradient(purifyVpsde, purifier).gradient.dataSync()
      const off = imageAndGradient(purifyVpsdeAdjoint, purifier)
        .gradient.dataSync()
        .map((value, i) => value - exact[i]!)
      return Math.sqrt(dot(off, off) / dot(exact, exact))
    }
    const [few, many] = [errorOf(16), errorOf(128)]
    // Eight times the steps: order 1 would be a factor of 8.
    expectNear(Math.log2(few / many) / 3, 1, 0.2)
    expect(few).toBeGreaterThan(1e-4)
    expect(many).toBeLessThan(0.05)
  })

  it('should on the way back draw the noises of the way there, and no others (P49)', async () => {
    await useBackend('reference')
    const drawn: string[] = []
    const watched = recording(draws, name => drawn.push(name))
    const purifier = purifierOf(smallEpsilon(1, 1), reverse, 3)
    dispose(grad((x: Tensor) => purifyVpsdeAdjoint(purifier, x, watched).sum())(pixels(2, shape)))
    const noises = reverse.kind === 'sde' ? ['reverse/0/', 'reverse/1/'] : []
    expect(drawn).toEqual(['forward/0/', ...noises, ...[...noises].reverse()])
  })

  it('should take the same memory for any number of steps, where the exact gradient takes more with each', () => {
    const peakOf = (purify: Purify, steps: number): number => {
      const backend = createCpu({ maximumPages: 256 })
      withBackend(backend, () => {
        const network = smallEpsilon(1, 1)
        const purifier = purifierOf(network, reverse, steps, { checkpointing: true })
        const x = pixels(2, [2, 1, 32, 32])
        dispose([grad((input: Tensor) => purify(purifier, input, draws).sum())(x), x])
      })
      return backend.memory().bytesPeak
    }
    expect(peakOf(purifyVpsdeAdjoint, 24)).toBe(peakOf(purifyVpsdeAdjoint, 6))
    expect(peakOf(purifyVpsde, 24) - peakOf(purifyVpsde, 6)).toBeGreaterThanOrEqual(18 * 4 * 2 * 32 * 32)
  })
})

it('should refuse a corrector and dropout, which the adjoint equation does not know', async () => {
  await useBackend('reference')
  const attempt =
    (reverse: VpsdeReverse, more: Partial<VpsdePurifier> = {}) =>
    () =>
      purifyVpsdeAdjoint(purifierOf(smallEpsilon(1, 1), reverse, 2, more), pixels(1, shape), draws)
  expect(attempt({ kind: 'sde', corrector: { snr: 0.16 } })).toThrow(
    'purifyVpsdeAdjoint: the adjoint equation has no corrector and no dropout',
  )
  expect(attempt({ kind: 'flow' }, { trainMode: true })).toThrow('no dropout; leave them out or take the exact gradient')
})
