import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { apgdRun } from '../../../algorithms/attacks/apgd.ts'
import { apgdCheckpoints } from '../../../algorithms/attacks/apgdCheckpoints.ts'
import { logitLosses, marginLoss } from '../../../algorithms/attacks/logitLosses.ts'
import { viewOf } from '../../../algorithms/attacks/problem.ts'
import type { Norm } from '../../../algorithms/attacks/projections.ts'
import { liveTensors, ops, useBackend } from '../../../core/index.ts'
import { backendsUnderTest, isFloat32 } from '../../support/backends.ts'
import { expectNear } from '../../support/numbers.ts'
import { runs } from '../../support/replay.ts'
import { gaussian, linearClassifier, pixels } from '../fixtures.ts'
import { features, problemOf, shape, twoClasses } from './attackFixtures.ts'

const norms = fc.constantFrom<Norm>('linf', 'l2')

/** Step sizes as Algorithm 1 of the paper gives them for one image's losses f(x_0), f(x_1), ..., found from the definition alone. */
const scheduleOf = (losses: readonly number[], eta0: number): number[] => {
  const n = losses.length
  const p = [0, 0.22]
  while (p.at(-1)! + Math.max(p.at(-1)! - p.at(-2)! - 0.03, 0.06) <= 1 + 1e-9)
    p.push(p.at(-1)! + Math.max(p.at(-1)! - p.at(-2)! - 0.03, 0.06))
  const w = p.map(share => Math.ceil(share * n - 1e-9))
  const etas = [eta0]
  // Where iteration i begins: at the iterate's own loss, or at the maximum after going back.
  const starts = losses.slice()
  const maxUpTo = (i: number) => Math.max(...losses.slice(0, i + 1))
  for (let k = 1; k < n; k++) {
    etas[k] = etas[k - 1]!
    const j = w.indexOf(k)
    if (j < 1) continue
    const from = w[j - 1]!
    let rises = 0
    for (let i = from; i < k; i++) if (losses[i + 1]! > starts[i]!) rises++
    const tooFew = rises < 0.75 * (k - from)
    const stuck = etas[from] === (etas[from - 1] ?? eta0) && maxUpTo(from) === maxUpTo(k)
    if (tooFew || stuck) {
      etas[k] = etas[k - 1]! / 2
      starts[k] = maxUpTo(k)
    }
  }
  return etas
}

describe.each(backendsUnderTest)('APGD on %s', backend => {
  const ulp = isFloat32(backend) ? 2 ** -24 : 2 ** -53

  it('should halve its step size when, and only when, Algorithm 1 says so', async () => {
    await useBackend(backend)
    let [halvings, kept] = [0, 0]
    await fc.assert(
      fc.asyncProperty(fc.nat(1e6), norms, fc.constantFrom(6, 25), fc.constantFrom(0.5, 3), async (seed, norm, steps, bend) => {
        // Waves over the image: the loss rises and falls along the way.
        const w = gaussian(seed, 'w', [features, 3])
        const view = viewOf(x => ops.sin(linearClassifier(w)(x).mul(bend)).mul(2))
        const { trace } = await apgdRun(problemOf(pixels(seed, shape), [0, 1], view, { norm, epsilon: 0.4 }), logitLosses.ce, { steps })
        for (const image of [0, 1]) {
          const expected = scheduleOf(
            trace.map(({ loss }) => loss[image]!),
            0.8,
          )
          expect(trace.map(({ stepSize }) => stepSize[image])).toEqual(expected)
          for (const k of apgdCheckpoints(steps).filter(at => at > 0 && at < steps)) {
            if (expected[k]! < expected[k - 1]!) halvings++
            else kept++
          }
        }
      }),
      { numRuns: runs(6) },
    )
    expect(halvings).toBeGreaterThan(0)
    expect(kept).toBeGreaterThan(0)
  })

  it('should reach the closed-form optimum on a linear classifier: epsilon ||w||_1 for l_inf, epsilon ||w||_2 for l_2 (P63)', async () => {
    await useBackend(backend)
    await fc.assert(
      fc.asyncProperty(fc.nat(1e6), norms, async (seed, norm) => {
        // No pixel can leave the box: all are at least epsilon away from it.
        const [x, w] = [pixels(seed, shape, { low: 0.25, high: 0.75 }), gaussian(seed, 'w', [features])]
        const problem = problemOf(x, [0, 0], twoClasses(w, 0), { norm, epsilon: 0.2 })
        const { result } = await apgdRun(problem, marginLoss, { steps: 8 })
        const before = [...(await linearClassifier(w.reshape([features, 1]))(x).data())]
        const weights = [...(await w.data())]
        const dual = norm === 'linf' ? weights.reduce((sum, value) => sum + Math.abs(value), 0) : Math.hypot(...weights)
        // In l_2 the direction is exact after one step of 2 epsilon only up to the start; momentum then closes in on it.
        const slack = norm === 'linf' ? 64 * ulp * (1 + dual) : 0.02 * dual * 0.2
        before.forEach((margin, i) => {
          expectNear(result.loss[i]!, 0.2 * dual - margin, slack)
        })
      }),
      { numRuns: runs(8) },
    )
  })

  it('should leave nothing behind but its result', async () => {
    await useBackend(backend)
    const problem = problemOf(pixels(1, shape), [0, 0], twoClasses(gaussian(1, 'w', [features]), 0.1))
    const before = liveTensors()
    const { result, trace } = await apgdRun(problem, logitLosses.ce, { steps: 7 })
    expect(trace).toHaveLength(7)
    result.xAdv.dispose()
    expect(liveTensors()).toBe(before)
  })

  it('should refuse a number of steps that is not a whole number >= 1', async () => {
    await useBackend(backend)
    const problem = problemOf(pixels(1, shape), [0, 0], twoClasses(gaussian(1, 'w', [features]), 0.1))
    for (const steps of [0, 1.5, Number.NaN]) {
      await expect(apgdRun(problem, logitLosses.ce, { steps })).rejects.toThrow(`apgd: steps must be a whole number >= 1, got ${steps}`)
    }
  })
})

describe('apgdCheckpoints', () => {
  it('should be at 22, 41, 57, 70, 80, 87, 93 and 99 % of the iterations', () => {
    expect(apgdCheckpoints(100)).toEqual([0, 22, 41, 57, 70, 80, 87, 93, 99])
    expect(apgdCheckpoints(1)).toEqual([0, 1])
    expect(apgdCheckpoints(7)).toEqual([0, 2, 3, 4, 5, 6, 7])
  })
})
