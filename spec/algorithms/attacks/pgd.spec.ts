import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type AttackLoss, type PgdOptions, pgd } from '../../../algorithms/attacks/pgd.ts'
import type { Norm } from '../../../algorithms/attacks/projections.ts'
import { purifiedClassifier } from '../../../algorithms/evaluation/defence.ts'
import { createDraws } from '../../../algorithms/randomness/draws.ts'
import { liveTensors, stopGradient, type Tensor, tensor, useBackend } from '../../../core/index.ts'
import { crossEntropy } from '../../../core/nn/crossEntropy.ts'
import { backendsUnderTest, isFloat32 } from '../../support/backends.ts'
import { expectNear } from '../../support/numbers.ts'
import { runs } from '../../support/replay.ts'
import { bits, gaussian, linearClassifier, pixels, purifierOf, smallEpsilon } from '../fixtures.ts'

const shape = [2, 1, 3, 3]
const features = 9
const norms = fc.constantFrom<Norm>('linf', 'l2')
const budget = { norm: 'linf', epsilon: 8 / 255, stepSize: 2 / 255, steps: 5, eotSamples: 1 } as const

/** Cross-entropy behind a purifier, with fresh noise at every attack step and EoT sample. */
const purifiedLoss = (seed: number): AttackLoss => {
  const classifier = linearClassifier(gaussian(seed, 'w', [features, 3]))
  const defence = purifiedClassifier(purifierOf(smallEpsilon(seed, 1)), classifier)
  const draws = createDraws({ seed, images: [0, 1] }).at({ purpose: 'attack' })
  return (x, attackStep, eotSample) => crossEntropy(defence(x, draws.at({ attackStep, eotSample })), [0, 2])
}

/** Cross-entropy of the linear classifier with logits (w . x, 0): label 0 is lost as w . x falls. */
const linearLoss =
  (w: Tensor): AttackLoss =>
  x =>
    crossEntropy(linearClassifier(w.reshape([features, 1]).matmul(tensor([1, 0], [1, 2])))(x), [0, 0])

const lengths = (delta: ArrayLike<number>, norm: Norm): number[] =>
  [0, 1].map(i => {
    const image = Float64Array.from(delta).slice(i * features, (i + 1) * features)
    return norm === 'linf' ? Math.max(...image.map(Math.abs)) : Math.hypot(...image)
  })

describe.each(backendsUnderTest)('PGD on %s', backend => {
  const ulp = isFloat32(backend) ? 2 ** -24 : 2 ** -53

  it('should keep every iterate in the ball and in the box, also from a start outside (P61)', async () => {
    await useBackend(backend)
    await fc.assert(
      fc.asyncProperty(
        fc.nat(1e6),
        norms,
        fc.constantFrom(8 / 255, 0.3),
        fc.constantFrom(0.01, 2),
        fc.boolean(),
        async (seed, norm, epsilon, stepSize, outside) => {
          const x = pixels(seed, shape)
          let seen = 0
          const onStep = async (xAdv: Tensor) => {
            seen++
            const [adversarial, clean] = [await xAdv.data(), await x.data()]
            expect(adversarial.every(value => value >= 0 && value <= 1)).toBe(true)
            const delta = Float64Array.from(adversarial, (value, i) => value - clean[i]!)
            // Each pixel of x + delta is rounded by half a unit in the last place.
            for (const length of lengths(delta, norm)) expect(length).toBeLessThanOrEqual(epsilon + 4 * ulp)
          }
          const start = outside ? gaussian(seed, 'start', shape) : undefined
          await pgd(purifiedLoss(seed), x, { norm, epsilon, stepSize, steps: 3, eotSamples: 2, start, onStep })
          expect(seen).toBe(3)
        },
      ),
      { numRuns: runs(10) },
    )
  })

  it('should return x bit for bit when epsilon, the step size or the number of steps is 0 (P62)', async () => {
    await useBackend(backend)
    await fc.assert(
      fc.asyncProperty(fc.nat(1e6), norms, async (seed, norm) => {
        const x = pixels(seed, shape)
        for (const zero of [{ epsilon: 0 }, { stepSize: 0 }, { steps: 0 }]) {
          const { xAdv } = await pgd(purifiedLoss(seed), x, { ...budget, norm, steps: 2, ...zero })
          expect(await bits(xAdv)).toBe(await bits(x))
        }
      }),
      { numRuns: runs(5) },
    )
  })

  it('should return x bit for bit, without NaN, when the gradient is zero (P61)', async () => {
    await useBackend(backend)
    for (const norm of ['linf', 'l2'] as const) {
      const x = pixels(4, shape)
      const { xAdv, trace } = await pgd(input => input.mul(0).sum([1, 2, 3]).add(1), x, { ...budget, norm, eotSamples: 2 })
      expect(await bits(xAdv)).toBe(await bits(x))
      for (const { loss, cosine } of trace)
        expect([[...loss], [...cosine]]).toEqual([
          [1, 1],
          [0, 0],
        ])
    }
  })

  it('should reach the closed-form optimum on a linear classifier: epsilon ||w||_1 for l_inf, epsilon ||w||_2 for l_2 (P63)', async () => {
    await useBackend(backend)
    await fc.assert(
      fc.asyncProperty(fc.nat(1e6), norms, fc.integer({ min: 1, max: 6 }), async (seed, norm, steps) => {
        // No pixel can leave the box: all are at least epsilon away from it.
        const epsilon = norm === 'linf' ? 0.1 : 0.2
        const [x, w] = [pixels(seed, shape, { low: 0.25, high: 0.75 }), gaussian(seed, 'w', [features])]
        const { xAdv } = await pgd(linearLoss(w), x, { norm, epsilon, stepSize: (1.01 * epsilon) / steps, steps, eotSamples: 1 })
        const margins = async (images: Tensor) => [...(await linearClassifier(w.reshape([features, 1]))(images).data())]
        const weights = [...(await w.data())]
        const dual = norm === 'linf' ? weights.reduce((sum, value) => sum + Math.abs(value), 0) : Math.hypot(...weights)
        const after = await margins(xAdv)
        for (const [i, before] of (await margins(x)).entries()) expectNear(before - after[i]!, epsilon * dual, 64 * ulp * (1 + dual))
      }),
      { numRuns: runs(20) },
    )
  })

  it('should not lower the loss of a linear classifier by more steps or a larger epsilon, nested (P64)', async () => {
    await useBackend(backend)
    await fc.assert(
      fc.asyncProperty(fc.nat(1e6), norms, async (seed, norm) => {
        const [x, w] = [pixels(seed, shape), gaussian(seed, 'w', [features])]
        const loss = linearLoss(w)
        const reached = async (o: Partial<PgdOptions>) => [
          ...(await loss((await pgd(loss, x, { ...budget, norm, ...o })).xAdv, 0, 0).data()),
        ]
        for (const grid of [
          [0, 1, 2, 3, 6].map(steps => ({ steps })),
          [0, 0.01, 0.05, 0.5].map(epsilon => ({ epsilon, stepSize: epsilon })),
        ]) {
          let before = await reached(grid[0]!)
          for (const o of grid.slice(1)) {
            const after = await reached(o)
            after.forEach((value, i) => {
              expect(value).toBeGreaterThanOrEqual(before[i]! - 64 * ulp)
            })
            before = after
          }
        }
      }),
      { numRuns: runs(6) },
    )
  })

  it('should record the loss before each step and leave nothing behind but its result', async () => {
    await useBackend(backend)
    const [x, w] = [pixels(1, shape), gaussian(1, 'w', [features])]
    const loss = linearLoss(w)
    const clean = await loss(x, 0, 0).data()
    const before = liveTensors()
    const { xAdv, trace } = await pgd(loss, x, budget)
    expect(liveTensors() - before).toBe(1)
    expect(trace).toHaveLength(5)
    expect([...trace[0]!.loss]).toEqual([...clean])
    expect(trace[4]!.loss[0]!).toBeGreaterThan(trace[0]!.loss[0]!)
    xAdv.dispose()
  })

  it('should return the first of iterates of equal loss when the best counts', async () => {
    await useBackend(backend)
    const x = pixels(1, shape)
    // Its value is 0 everywhere, its gradient 1.
    const flat: AttackLoss = input => input.sub(stopGradient(input)).sum([1, 2, 3])
    const [best, last] = [await pgd(flat, x, { ...budget, iterate: 'best' }), await pgd(flat, x, budget)]
    expect(await bits(best.xAdv)).toBe(await bits(x))
    expect(await bits(last.xAdv)).not.toBe(await bits(x))
  })

  it('should name the image and the step when a loss or a gradient is not finite', async () => {
    await useBackend(backend)
    const x = pixels(1, shape)
    const poison = tensor([0, Number.NaN], [2, 1, 1, 1])
    await expect(pgd(input => input.add(poison).sum([1, 2, 3]), x, budget)).rejects.toThrow(
      "pgd: image 1 of the batch has a loss of NaN or a gradient that is not finite at step 0; check the model's weights",
    )
    // sqrt has an infinite derivative at 0, where the loss itself is finite.
    await expect(pgd(input => input.sub(x).abs().sqrt().sum([1, 2, 3]), x, budget)).rejects.toThrow('image 0 of the batch has a loss of 0')
  })

  it('should refuse budgets that make no sense', async () => {
    await useBackend(backend)
    const attack = (o: Partial<PgdOptions>) => pgd(x => x.sum([1, 2, 3]), pixels(1, shape), { ...budget, ...o })
    await expect(attack({ epsilon: -0.1 })).rejects.toThrow('pgd: epsilon must be >= 0, got -0.1; give the radius in pixel units')
    await expect(attack({ stepSize: Number.NaN })).rejects.toThrow('pgd: stepSize must be >= 0, got NaN')
    await expect(attack({ steps: 1.5 })).rejects.toThrow('pgd: steps must be a whole number >= 0, got 1.5')
    await expect(attack({ eotSamples: 0 })).rejects.toThrow('eot: the number of samples must be a whole number >= 1, got 0')
  })
})
