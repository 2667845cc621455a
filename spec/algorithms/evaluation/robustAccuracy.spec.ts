import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Defence, purifiedClassifier, undefended } from '../../../algorithms/evaluation/defence.ts'
import { type EvaluationOptions, evaluateBatch, judge, type LabelledBatch } from '../../../algorithms/evaluation/robustAccuracy.ts'
import { createDraws } from '../../../algorithms/randomness/draws.ts'
import { type LockSetName, lockSets } from '../../../algorithms/randomness/lockSets.ts'
import { liveTensors, ops, type Tensor, tensor, useBackend } from '../../../core/index.ts'
import { crossEntropy } from '../../../core/nn/crossEntropy.ts'
import { mean, normalCdf } from '../../core/random/statistics.ts'
import { backendsUnderTest } from '../../support/backends.ts'
import { standardErrors } from '../../support/falseFailures.ts'
import { runs } from '../../support/replay.ts'
import { bits, gaussian, linearClassifier, pixels, purifierOf, recording, smallEpsilon } from '../fixtures.ts'

type Attack = EvaluationOptions['attack']

const optionsOf = (name: LockSetName, attack: Partial<Attack> = {}, eotSamples = 1): EvaluationOptions => ({
  seed: 7,
  setting: { name, locks: lockSets[name], eotSamples },
  attack: { norm: 'linf', epsilon: 0.1, stepSize: 0.05, steps: 3, ...attack },
})

/** `count` copies of one image of 2x2 pixels that cannot leave the box, label 0, each with an id and so noise of its own. */
const copies = (count: number): LabelledBatch => {
  const ids = Array.from({ length: count }, (_, id) => id)
  const pixelsOfAll = ids.flatMap(() => [0.4, 0.5, 0.6, 0.45])
  return { images: tensor(pixelsOfAll, [count, 1, 2, 2]), labels: ids.map(() => 0), ids }
}

const weights = [0.5, -1, 0.75, 0.25]
const bias = 0.6
const sigma = 0.5
/** w . x + b of the image above. */
const cleanMargin = 0.5 * 0.4 - 0.5 + 0.75 * 0.6 + 0.25 * 0.45 + bias
const weightsL1 = 2.5

/** Logits (value, 0) from a value per image, [batch, 1]: label 0 is right where the value is positive. */
const against0 = (value: Tensor): Tensor => value.matmul(tensor([1, 0], [1, 2]))
const margin = (x: Tensor): Tensor => linearClassifier(tensor(weights, [4, 1]))(x).add(bias)

/** Right where w . x + b + sigma z > 0: its accuracy under the best l_inf attack is Phi((w . x + b - epsilon ||w||_1) / sigma). */
const noisyLinear: Defence = (x, draws) => against0(margin(x).add(draws.normal('forward', [1]).mul(sigma)))

/**
 * Right with probability p = 1/2 - asin(c) / pi, whatever the image: 50 z is uniform modulo 2 pi up to e^-1250. Other images
 * meet other coins in the same noise, and no gradient shows the way to them.
 */
const coin =
  (c: number): Defence =>
  (x, draws) => {
    const ofImage = x.reshape([x.shape[0]!, -1]).sum([1], { keepDims: true }).mul(100)
    const phase = draws.normal('forward', [1]).mul(50).add(ofImage)
    return against0(ops.sin(phase).sub(c).sign().mul(3))
  }
const coinAccuracy = (c: number): number => 0.5 - Math.asin(c) / Math.PI

const accuracy = (outcomes: readonly (readonly boolean[])[]): number => mean(outcomes.flat().map(Number))

/** Holds within so many standard errors of the outcomes. */
const expectAccuracy = (outcomes: readonly (readonly boolean[])[], p: number, errors: number): void => {
  const n = outcomes.flat().length
  expect(Math.abs(accuracy(outcomes) - p)).toBeLessThanOrEqual(errors * Math.sqrt((p * (1 - p)) / n))
}

describe.each(backendsUnderTest)('evaluateBatch on %s', backend => {
  it('should report clean accuracy for an attack that does nothing, outcome by outcome, n = 3000 (P65)', async () => {
    await useBackend(backend)
    for (const nothing of [{ epsilon: 0 }, { stepSize: 0 }, { steps: 0 }]) {
      const { cleanCorrect, advCorrect } = await evaluateBatch(noisyLinear, copies(300), optionsOf('White', nothing))
      expect(advCorrect).toEqual(cleanCorrect)
      expectAccuracy(cleanCorrect, normalCdf(cleanMargin / sigma), standardErrors('clean accuracy (P65)', 3))
    }
  })

  it('should report the accuracy that a noisy linear defence has under the best attack, n = 3000 (P65)', async () => {
    await useBackend(backend)
    const errors = standardErrors('accuracy under the best attack (P65)', 6)
    for (const epsilon of [0.02, 0.1, 0.2]) {
      const { cleanCorrect, advCorrect } = await evaluateBatch(noisyLinear, copies(300), optionsOf('White', { epsilon, stepSize: epsilon }))
      expectAccuracy(cleanCorrect, normalCdf(cleanMargin / sigma), errors)
      expectAccuracy(advCorrect, normalCdf((cleanMargin - epsilon * weightsL1) / sigma), errors)
    }
  })

  it('should report under DW_Both, image by image and on every draw, what the locked noise decides (P65)', async () => {
    await useBackend(backend)
    const batch = copies(200)
    const { cleanCorrect, advCorrect } = await evaluateBatch(noisyLinear, batch, { ...optionsOf('DW_Both'), reportDraws: 2 })
    const noise = createDraws({ seed: 7, images: batch.ids, locks: lockSets.DW_Both }).normalValues('forward', [1])
    noise.forEach((z, i) => {
      const right = cleanMargin + sigma * z > 0
      const survives = cleanMargin - 0.1 * weightsL1 + sigma * z > 0
      expect([cleanCorrect[i], advCorrect[i]]).toEqual([
        [right, right],
        [survives, survives],
      ])
    })
  })

  it('should find a planted adversarial example when the ball just reaches it, and none when it just does not (P65)', async () => {
    await useBackend(backend)
    await fc.assert(
      fc.asyncProperty(fc.nat(1e6), async seed => {
        const w = gaussian(seed, 'w', [4, 1])
        const l1 = [...(await w.data())].reduce((sum, value) => sum + Math.abs(value), 0)
        const x = pixels(seed, [1, 1, 2, 2], { low: 0.3, high: 0.7 })
        const at = (await linearClassifier(w)(x).data())[0]!
        // The decision boundary is put at l_inf distance 0.1 from x.
        const defence = undefended(images => against0(linearClassifier(w)(images).sub(at - 0.1 * l1)))
        const found = async (epsilon: number) => {
          const batch = { images: x, labels: [0], ids: [0] }
          const { cleanCorrect, advCorrect } = await evaluateBatch(defence, batch, { ...optionsOf('White', { epsilon }), reportDraws: 1 })
          expect(cleanCorrect).toEqual([[true]])
          return !advCorrect[0]![0]
        }
        expect(await found(0.101)).toBe(true)
        expect(await found(0.099)).toBe(false)
      }),
      { numRuns: runs(8) },
    )
  })

  it('should report for a constant classifier the share of its class, whatever the attack (P65)', async () => {
    await useBackend(backend)
    const constant = undefended(x =>
      x
        .reshape([x.shape[0]!, -1])
        .matmul(tensor(new Float64Array(12), [4, 3]))
        .add(tensor([0, 1, -1])),
    )
    const labels = [1, 0, 1, 2, 1]
    const batch = { images: pixels(1, [5, 1, 2, 2]), labels, ids: [0, 1, 2, 3, 4] }
    for (const norm of ['linf', 'l2'] as const) {
      const { advCorrect } = await evaluateBatch(constant, batch, optionsOf('White', { norm, restarts: 2 }))
      expect(advCorrect).toEqual(labels.map(label => new Array(10).fill(label === 1)))
    }
  })

  it('should report the accuracy of a coin whatever the attack, n = 3000 (P65)', async () => {
    await useBackend(backend)
    const errors = standardErrors('accuracy of a coin (P65)', 6)
    for (const c of [-0.9, 0, 0.5]) {
      const { cleanCorrect, advCorrect } = await evaluateBatch(coin(c), copies(300), optionsOf('White'))
      expectAccuracy(cleanCorrect, coinAccuracy(c), errors)
      expectAccuracy(advCorrect, coinAccuracy(c), errors)
    }
  })

  /** 8 candidates, each a fair coin on 5 select draws: the worst of them has about 0.15 there, and still 0.5 on fresh draws. */
  it("should report no winner's curse: the choice among restarts is biased on its own draws, the report is not, n = 3000 (P66)", async () => {
    await useBackend(backend)
    const batch = copies(300)
    const o = optionsOf('White', { restarts: 8, selectDraws: 5, steps: 1 })
    const { advCorrect, xAdv } = await evaluateBatch(coin(0), batch, o)
    expectAccuracy(advCorrect, 0.5, standardErrors('no bias by selection (P66)'))
    const draws = createDraws({ seed: 7, images: batch.ids }).at({ purpose: 'select' })
    const onSelect = await judge(k => coin(0)(xAdv, draws.at({ eotSample: k })), batch.labels, 5)
    expect(accuracy(onSelect)).toBeLessThan(0.3)
  })

  it('should choose among restarts, image by image, by the mean loss on select draws: it rises with their number (P64)', async () => {
    await useBackend(backend)
    let improved = 0
    await fc.assert(
      fc.asyncProperty(fc.nat(1e6), fc.constantFrom<LockSetName>('White', 'DW_Both'), async (seed, name) => {
        const classifier = linearClassifier(gaussian(seed, 'w', [4, 3]).mul(3))
        // A wave of many hills, so that other starts end elsewhere.
        const defence: Defence = (x, draws) => classifier(ops.sin(x.mul(40)).add(draws.normal('forward', [1, 2, 2]).mul(0.2)))
        const batch = { images: pixels(seed, [4, 1, 2, 2]), labels: [0, 1, 2, 0], ids: [5, 6, 7, 8] }
        const draws = createDraws({ seed: 7, images: batch.ids, locks: lockSets[name] }).at({ purpose: 'select' })
        const scores: number[][] = []
        for (const restarts of [1, 2, 4]) {
          const { xAdv } = await evaluateBatch(defence, batch, {
            ...optionsOf(name, { restarts, selectDraws: 3, epsilon: 0.3 }),
            reportDraws: 1,
          })
          const total = [0, 1, 2]
            .map(eotSample => crossEntropy(defence(xAdv, draws.at({ eotSample })), batch.labels))
            .reduce((a, b) => a.add(b))
          scores.push([...(await total.data())])
        }
        scores.slice(1).forEach((row, k) => {
          row.forEach((value, i) => {
            expect(value).toBeGreaterThanOrEqual(scores[k]![i]!)
          })
        })
        improved += scores[2]!.filter((value, i) => value > scores[0]![i]!).length
      }),
      { numRuns: runs(4) },
    )
    // Not every image gains from other starts, but among the 16 and more of all runs some do.
    expect(improved).toBeGreaterThan(0)
  })

  it('should attack, select and report on disjoint draws, the report being shared by clean and adversarial images (P52)', async () => {
    await useBackend(backend)
    const batch = copies(2)
    const keysOf = async (name: LockSetName) => {
      const keys: Record<string, string[]> = { attack: [], select: [], report: [] }
      const watched: Defence = (x, draws) =>
        noisyLinear(
          x,
          recording(draws, (_, named) => keys[named.context.purpose]!.push(named.key('forward', 1).join())),
        )
      await evaluateBatch(watched, batch, { ...optionsOf(name, { steps: 2, restarts: 3, selectDraws: 4 }, 2), reportDraws: 5 })
      return keys
    }
    const keys = await keysOf('White')
    // Runs x steps x EoT samples; two scores for each of two choices; clean and adversarial.
    expect([keys.attack!.length, keys.select!.length, keys.report!.length]).toEqual([3 * 2 * 2, 2 * 2 * 4, 2 * 5])
    const distinct = [new Set(keys.attack), new Set(keys.select), new Set(keys.report)]
    expect(distinct.map(set => set.size)).toEqual([12, 4, 5])
    expect(new Set(distinct.flatMap(set => [...set])).size).toBe(12 + 4 + 5)
    const locked = await keysOf('DW_Both')
    expect(new Set(Object.values(locked).flat()).size).toBe(1)
  })

  it('should give an image the same outcomes and the same adversarial image in every batch (P48)', async () => {
    await useBackend(backend)
    const defence = purifiedClassifier(purifierOf(smallEpsilon(1, 1)), linearClassifier(gaussian(1, 'w', [9, 3])))
    const images = pixels(1, [3, 1, 3, 3])
    const batch = { images, labels: [0, 1, 2], ids: [11, 5, 8] }
    for (const name of ['White', 'DW_Both'] as const) {
      const o = { ...optionsOf(name, { restarts: 2, selectDraws: 2 }, 2), reportDraws: 4 }
      const whole = await evaluateBatch(defence, batch, o)
      const last = { images: images.slice([2, 0, 0, 0], [1, 1, 3, 3]), labels: [2], ids: [8] }
      const alone = await evaluateBatch(defence, last, o)
      expect([alone.cleanCorrect[0], alone.advCorrect[0]]).toEqual([whole.cleanCorrect[2], whole.advCorrect[2]])
      expect(await bits(alone.xAdv)).toBe(await bits(whole.xAdv.slice([2, 0, 0, 0], [1, 1, 3, 3])))
    }
  })

  it('should leave nothing behind but the adversarial images', async () => {
    await useBackend(backend)
    const batch = copies(2)
    const before = liveTensors()
    const { xAdv } = await evaluateBatch(noisyLinear, batch, optionsOf('White', { restarts: 3 }, 2))
    expect(liveTensors() - before).toBe(1)
    xAdv.dispose()
  })

  // OpenGL need not know NaN: there min(max(NaN, 0), 1) is 1, and what comes behind it are numbers.
  it.skipIf(backend === 'gpu:headlessgl')('should refuse weights that are not numbers, with and without an attack', async () => {
    await useBackend(backend)
    const broken = purifiedClassifier(purifierOf(smallEpsilon(1, 1)), linearClassifier(tensor([1, Number.NaN, 0, 1, 2, 3, 4, 5], [4, 2])))
    const brokenPurifier = purifiedClassifier(
      purifierOf(xT => xT.mul(Number.NaN)),
      linearClassifier(gaussian(1, 'w', [4, 2])),
    )
    for (const defence of [broken, brokenPurifier]) {
      await expect(evaluateBatch(defence, copies(1), optionsOf('White'))).rejects.toThrow(
        "pgd: image 0 of the batch has a loss of NaN or a gradient that is not finite at step 0; check the model's weights",
      )
      await expect(evaluateBatch(defence, copies(2), optionsOf('White', { steps: 0 }))).rejects.toThrow(
        "evaluateBatch: image 0 of the batch has a logit that is NaN on draw 0; check the model's weights",
      )
    }
  })

  it('should refuse a batch whose parts differ in length, and counts below one', async () => {
    await useBackend(backend)
    const batch = copies(2)
    const attempt = (given: Partial<LabelledBatch>, o = optionsOf('White')) => evaluateBatch(noisyLinear, { ...batch, ...given }, o)
    await expect(attempt({ labels: [0] })).rejects.toThrow('evaluateBatch: 2 images, 1 labels and 2 ids; give one of each per image')
    await expect(attempt({ ids: [0, 1, 2] })).rejects.toThrow('2 images, 2 labels and 3 ids')
    await expect(attempt({ labels: [0, 2] })).rejects.toThrow('label 2 at 1 is no class of 0..1')
    await expect(attempt({}, optionsOf('White', { restarts: 0 }))).rejects.toThrow(
      'evaluateBatch: restarts must be a whole number >= 1, got 0',
    )
    await expect(attempt({}, optionsOf('White', { selectDraws: 0 }))).rejects.toThrow('selectDraws must be a whole number >= 1, got 0')
    await expect(attempt({}, { ...optionsOf('White'), reportDraws: 0 })).rejects.toThrow('reportDraws must be a whole number >= 1, got 0')
    await expect(attempt({}, optionsOf('White', { epsilon: -1 }))).rejects.toThrow('epsilon must be >= 0, got -1')
  })

  it('should judge by the largest logit, a tie going to the smaller class', async () => {
    await useBackend(backend)
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.integer({ min: -2, max: 2 }), { minLength: 3, maxLength: 3 }), { minLength: 1, maxLength: 4 }),
        fc.nat(2),
        async (rows, label) => {
          const outcome = await judge(
            k => tensor(rows.flat(), [rows.length, 3]).mul(k + 1),
            rows.map(() => label),
            2,
          )
          const wins = (row: number[]) => row.every((value, other) => (other < label ? value < row[label]! : value <= row[label]!))
          expect(outcome).toEqual(rows.map(row => [wins(row), wins(row)]))
        },
      ),
      { numRuns: runs(20) },
    )
  })
})
