import { describe, expect, it } from 'vitest'
import { apgdRun } from '../../../algorithms/attacks/apgd.ts'
import { atCheckpoint } from '../../../algorithms/attacks/apgdCheckpoints.ts'
import { fabRun } from '../../../algorithms/attacks/fab.ts'
import { inRuns } from '../../../algorithms/attacks/inRuns.ts'
import { marginLoss } from '../../../algorithms/attacks/logitLosses.ts'
import { gradientAt, lookAt, meanLogits } from '../../../algorithms/attacks/look.ts'
import { type AttackerView, viewOf } from '../../../algorithms/attacks/problem.ts'
import { firstSeen, joinRows, stronger } from '../../../algorithms/attacks/strongest.ts'
import { rankTargets } from '../../../algorithms/attacks/targets.ts'
import { full, ops, type Tensor, tensor, useBackend } from '../../../core/index.ts'
import { pixels } from '../fixtures.ts'
import { problemOf } from './attackFixtures.ts'

const numbers = (...values: number[]) => Float64Array.from(values)
/** Images of one pixel each. */
const column = (...values: number[]): Tensor => tensor(values, [values.length, 1, 1, 1])
const valuesOf = async (x: Tensor) => [...(await x.data())]

describe('atCheckpoint', () => {
  const state = { stepSize: 0.8, rises: 3, maxAtCheckpoint: 5, keptAtCheckpoint: false }

  it('should keep the step size when exactly 75 % of the iterations raised the loss, and halve it below', () => {
    expect(atCheckpoint(state, { length: 4, max: 6 })).toMatchObject({ halved: false, stepSize: 0.8, rises: 0, maxAtCheckpoint: 6 })
    expect(atCheckpoint({ ...state, rises: 2 }, { length: 4, max: 6 })).toMatchObject({
      halved: true,
      stepSize: 0.4,
      keptAtCheckpoint: false,
    })
  })

  it('should halve it when it was kept before and the largest loss has not grown since', () => {
    const before = atCheckpoint(state, { length: 4, max: 5 })
    expect(before).toMatchObject({ halved: false, keptAtCheckpoint: true })
    expect(atCheckpoint({ ...before, rises: 4 }, { length: 4, max: 5 }).halved).toBe(true)
    expect(atCheckpoint({ ...before, rises: 4 }, { length: 4, max: 5.1 }).halved).toBe(false)
  })
})

describe('stronger', () => {
  it('should prefer more misclassified samples, then the larger loss, image by image, and remember every success', async () => {
    await useBackend('reference')
    const best = firstSeen(column(0, 0, 0, 0), { loss: numbers(1, 1, 1, 1), wrongShare: numbers(0.5, 0.5, 0.5, 0) })
    const next = stronger(best, column(1, 1, 1, 1), { loss: numbers(9, 0, 2, 0.5), wrongShare: numbers(0.4, 0.6, 0.5, 0) })
    expect(await valuesOf(next.xAdv)).toEqual([0, 1, 1, 0])
    expect([...next.loss]).toEqual([1, 0, 2, 1])
    expect([...next.wrongShare]).toEqual([0.5, 0.6, 0.5, 0])
    expect(next.found).toEqual([true, true, true, false])
    expect(stronger(next, column(2, 2, 2, 2), { loss: numbers(0, 0, 0, 0), wrongShare: numbers(0, 0, 0, 0.1) }).found).toEqual(
      new Array(4).fill(true),
    )
  })
})

describe('joinRows', () => {
  it('should remember a success of a later run whose kept image is no success', async () => {
    await useBackend('reference')
    const best = firstSeen(column(0, 0), { loss: numbers(1, 1), wrongShare: numbers(0, 0) })
    const other = { ...firstSeen(column(1), { loss: numbers(0), wrongShare: numbers(0) }), found: [true] }
    const joined = joinRows(best, other, [1])
    expect(joined.found).toEqual([false, true])
    expect(await valuesOf(joined.xAdv)).toEqual([0, 0])
  })
})

describe('inRuns', () => {
  it('should leave out of later runs the images that are misclassified on every sample, and give each run draws of its own', async () => {
    await useBackend('reference')
    const seen: [rows: readonly number[], ids: readonly number[], labels: readonly number[], repetition: number][] = []
    const attack = inRuns(3, async ({ images, labels, draws }, run, rows) => {
      seen.push([rows, draws.images, labels, draws.context.repetition])
      return firstSeen(images.mul(0).add(run + 1), {
        loss: numbers(...rows.map(() => run)),
        wrongShare: numbers(...rows.map(row => (row === run ? 1 : 0))),
      })
    })
    const view = viewOf(x => x.reshape([-1, 1]))
    const problem = problemOf(column(0, 0, 0), [0, 1, 2], view)
    const result = await attack({ ...problem, draws: problem.draws.at({ repetition: 2 }) })
    expect(seen).toEqual([
      [[0, 1, 2], [0, 1, 2], [0, 1, 2], 2048],
      [[1, 2], [1, 2], [1, 2], 2049],
      [[2], [2], [2], 2050],
    ])
    expect(await valuesOf(result.xAdv)).toEqual([1, 2, 3])
    expect(result.found).toEqual([true, true, true])
    await expect(inRuns(0, async () => result)(problem)).rejects.toThrow(
      'attack: the number of runs must be a whole number from 1 to 1024, got 0',
    )
  })
})

describe('rankTargets', () => {
  it('should name the wrong classes by falling logit, at most as many as there are', async () => {
    await useBackend('reference')
    const view = viewOf(() => tensor([5, 1, 3, 2, 0, 9, 4, 7], [2, 4]))
    const problem = problemOf(column(0, 0), [0, 2], view)
    expect(await rankTargets(problem, 2)).toEqual([
      [2, 1],
      [3, 3],
    ])
    expect(await rankTargets(problem, 9)).toHaveLength(3)
  })
})

describe('looking at a defence', () => {
  /** Logits that tell the EoT sample, and a loss that is added. */
  const view: AttackerView = (x, draws) => {
    const k = draws.context.eotSample
    return {
      logits: x
        .reshape([-1, 1])
        .mul(tensor([1, -1], [1, 2]))
        .add(tensor([0, k], [1, 2])),
      extraLoss: x.reshape([-1]).mul(10),
    }
  }

  it('should average loss, added loss, errors and gradient over the samples', async () => {
    await useBackend('reference')
    // Margin 2 of sample k: -2 x + k, so that x = 0.4 is wrong on samples 1 and 2 of 0, 1, 2.
    const problem = problemOf(column(0.4, 0.9), [0, 0], view, { eotSamples: 3 })
    const look = await lookAt(problem, marginLoss, problem.images, 5)
    look.loss.forEach((loss, i) => {
      expect(loss).toBeCloseTo([-0.8 + 1 + 4, -1.8 + 1 + 9][i]!, 12)
    })
    expect([...look.wrongShare].map(share => Math.round(3 * share))).toEqual([2, 1])
    const { gradient, ...same } = await gradientAt(problem, marginLoss, problem.images, 5)
    expect(same).toEqual(look)
    for (const value of await valuesOf(gradient)) expect(value).toBeCloseTo(8, 12)
    const logits = await meanLogits(problem, problem.images, 5)
    ;[0.4, 0.6, 0.9, 0.1].forEach((value, i) => {
      expect(logits[i]).toBeCloseTo(value, 12)
    })
  })

  it('should name the image and the step when a loss or a gradient is not finite', async () => {
    await useBackend('reference')
    const message = (what: string) => `attack: image 1 of the batch has a ${what} that is not finite at step 4; check the model's weights`
    const nan = problemOf(column(0, 0), [0, 0], () => ({ logits: tensor([1, 0, Number.NaN, 0], [2, 2]) }))
    await expect(lookAt(nan, marginLoss, nan.images, 4)).rejects.toThrow(message('loss'))
    // sqrt has an infinite derivative at 0, where the loss itself is finite.
    const kink = problemOf(column(1, 0), [0, 0], x => ({ logits: ops.concat([x.reshape([-1, 1]).sqrt(), full([2, 1], 0)], 1) }))
    await expect(gradientAt(kink, marginLoss, kink.images, 4)).rejects.toThrow(message('gradient'))
  })
})

describe('iterates', () => {
  /** APGD on -|x - peak|^2 over four pixels: the images that it looked at, the clean one first when it starts there. */
  const climb = async (init?: 'zero') => {
    const peak = [0.55, 0.62, 0.44, 0.5]
    const x0 = pixels(3, [1, 1, 2, 2], { low: 0.4, high: 0.6 })
    const seen: number[][] = []
    const problem = problemOf(x0, [0], x => {
      seen.push([...x.dataSync()])
      const far = x
        .sub(tensor(peak, [1, 1, 2, 2]))
        .square()
        .sum([1, 2, 3])
        .reshape([1, 1])
      return { logits: far.mul(tensor([1, 0], [1, 2])) }
    })
    const { trace } = await apgdRun(problem, marginLoss, { steps: 20, ...(init && { init }) })
    return { clean: [...x0.dataSync()], peak, seen, stepSizes: trace.map(({ stepSize }) => stepSize[0]!) }
  }

  it('should follow in APGD three quarters of the new step and a quarter of the last one, from the best image where the step is halved', async () => {
    await useBackend('reference')
    const { clean, peak, seen, stepSizes } = await climb('zero')
    const project = (value: number, i: number) => clean[i]! + Math.min(0.1, Math.max(-0.1, value - clean[i]!))
    const loss = (x: readonly number[]) => -x.reduce((sum, value, i) => sum + (value - peak[i]!) ** 2, 0)
    let [before, x, best] = [clean, clean, clean]
    stepSizes.forEach((stepSize, k) => {
      if (loss(x) > loss(best)) best = x
      const from = stepSize < (stepSizes[k - 1] ?? 0) ? best : x
      const next = from.map((value, i) => {
        const z = project(value + stepSize * Math.sign(peak[i]! - value), i)
        return k === 0 ? z : project(value + 0.75 * (z - value) + 0.25 * (value - before[i]!), i)
      })
      ;[before, x] = [from, next]
      next.forEach((value, i) => {
        expect(seen[k + 1]![i]).toBeCloseTo(value, 12)
      })
    })
    expect(seen).toHaveLength(21)
    expect(stepSizes.at(-1)).toBeLessThan(stepSizes[0]!)
  })

  it('should start APGD at a random point of the ball, or at the image when asked', async () => {
    await useBackend('reference')
    const [random, zero] = [await climb(), await climb('zero')]
    expect(zero.seen[0]).toEqual(zero.clean)
    const away = random.seen[0]!.map((value, i) => value - random.clean[i]!)
    for (const value of away) expect(Math.abs(value)).toBeLessThanOrEqual(0.1 + 1e-12)
    expect(new Set(away.map(Math.sign))).toEqual(new Set([-1, 1]))
    expect(Math.max(...away.map(Math.abs))).toBeGreaterThan(0.02)
  })

  it('should mix into FAB the projection of the clean image by its share of the way, at most a tenth', async () => {
    await useBackend('reference')
    const seen: number[] = []
    // One pixel at 0.5, the boundary at 0.6: the way T is 0.1.
    const problem = problemOf(column(0.5), [0], x => {
      seen.push(x.dataSync()[0]!)
      return {
        logits: x
          .reshape([1, 1])
          .sub(0.6)
          .matmul(tensor([-1, 0], [1, 2])),
      }
    })
    await fabRun(problem, [1], { steps: 2, finalSteps: 0 })
    const [T, first] = [0.1, 1.05]
    const back = 0.9 * first
    const d = 1 - back
    const alpha = Math.min(Math.abs(d) / (Math.abs(d) + 1), 0.1)
    const second = (1 - alpha) * (back + 1.05 * d) + alpha * 1.05
    const expected = [0, 0, first, back, second].map(share => 0.5 + share * T)
    expected.forEach((value, i) => {
      expect(seen[i]).toBeCloseTo(value, 12)
    })
  })
})
