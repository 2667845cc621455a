import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { apgd } from '../../../algorithms/attacks/apgd.ts'
import { marginLoss } from '../../../algorithms/attacks/logitLosses.ts'
import { lookAt } from '../../../algorithms/attacks/look.ts'
import { pgdAttack } from '../../../algorithms/attacks/pgdAttack.ts'
import { type AttackPreset, attackPresets, type Component } from '../../../algorithms/attacks/presets.ts'
import { type AttackerView, type AttackProblem, viewOf } from '../../../algorithms/attacks/problem.ts'
import type { Norm } from '../../../algorithms/attacks/projections.ts'
import { square } from '../../../algorithms/attacks/square.ts'
import { purifiedClassifier } from '../../../algorithms/evaluation/defence.ts'
import { ops, type Tensor, tensor, useBackend } from '../../../core/index.ts'
import { backendsUnderTest, isFloat32 } from '../../support/backends.ts'
import { expectNear } from '../../support/numbers.ts'
import { runs } from '../../support/replay.ts'
import { bits, gaussian, linearClassifier, pixels, purifierOf, smallEpsilon } from '../fixtures.ts'
import { features, lengths, linearView, predictions, problemOf, shape } from './attackFixtures.ts'

/** Each attack of the presets once. */
const attacks: readonly Component[] = [...attackPresets['autoattack-fresh'].components, ...attackPresets.pgd.components]
const budget = { steps: 2 }
const norms: readonly Norm[] = ['linf', 'l2']

const purifiedProblem = (seed: number, more: Partial<AttackProblem> = {}): AttackProblem => {
  const classifier = linearClassifier(gaussian(seed, 'w', [features, 5]))
  return problemOf(pixels(seed, shape), [0, 2], viewOf(purifiedClassifier(purifierOf(smallEpsilon(seed, 1)), classifier)), {
    eotSamples: 2,
    epsilon: 0.2,
    ...more,
  })
}

describe.each(backendsUnderTest)('every attack on %s', backend => {
  const ulp = isFloat32(backend) ? 2 ** -24 : 2 ** -53

  it.each(attacks.map(({ name, attack }) => [name, attack] as const))(
    'should stay in the ball and the box, and repeat itself bit for bit given the draws: %s (P61)',
    async (_, attack) => {
      await useBackend(backend)
      for (const norm of norms) {
        const problem = purifiedProblem(norm === 'linf' ? 1 : 2, { norm })
        const { xAdv, ...said } = await attack(budget)(problem)
        const [values, clean] = [await xAdv.data(), await problem.images.data()]
        expect(values.every(value => value >= 0 && value <= 1)).toBe(true)
        for (const length of lengths(values, clean, norm)) expect(length).toBeLessThanOrEqual(0.2 + 4 * ulp)
        const again = await attack(budget)(problem)
        expect(await bits(again.xAdv)).toBe(await bits(xAdv))
        expect({ ...again, xAdv: null }).toEqual({ ...said, xAdv: null })
      }
    },
  )

  it.each(attacks.map(({ name, attack }) => [name, attack] as const))(
    'should return the image bit for bit for epsilon 0: %s (P62)',
    async (_, attack) => {
      await useBackend(backend)
      for (const norm of norms) {
        const problem = purifiedProblem(3, { norm, epsilon: 0, eotSamples: 1 })
        const { xAdv } = await attack(budget)(problem)
        expect(await bits(xAdv)).toBe(await bits(problem.images))
      }
    },
  )

  it.each(attacks.map(({ name, attack }) => [name, attack] as const))(
    'should find nothing, and fail at nothing, where the classifier is constant: %s',
    async (_, attack) => {
      await useBackend(backend)
      const constant = viewOf(x => linearClassifier(tensor(new Float64Array(5 * features), [features, 5]), tensor([0, 3, 1, 2, 0]))(x))
      const right = await attack(budget)(problemOf(pixels(1, shape), [1, 1], constant))
      expect([right.found, [...right.wrongShare]]).toEqual([
        [false, false],
        [0, 0],
      ])
      const half = await attack(budget)(problemOf(pixels(1, shape), [1, 2], constant))
      expect(half.found).toEqual([false, true])
    },
  )

  it("should not let one image's attack depend on the other images of the batch (P48)", async () => {
    await useBackend(backend)
    for (const { attack } of attacks) {
      const problem = purifiedProblem(4, { eotSamples: 1 })
      const together = await attack(budget)(problem)
      const alone = await attack(budget)({
        ...problem,
        images: problem.images.slice([1, 0, 0, 0], [1, 1, 3, 3]),
        labels: [2],
        draws: problem.draws.forImages([1]),
      })
      expect([...(await alone.xAdv.data())]).toEqual([...(await together.xAdv.data()).slice(features)])
    }
  })
})

/** Logits whose values change only in steps, as of a quantised network: the gradient is zero almost everywhere. */
const quantised = (classifier: (x: Tensor) => Tensor) => (x: Tensor) => {
  const z = classifier(x)
  // 40 steps of 0.05: the sum of signs has no gradient.
  let level = z.mul(0)
  for (let k = -20; k < 20; k++) level = level.add(ops.less(tensor([k * 0.1]), z))
  return level
}

describe('attackPresets', () => {
  it('should have the budgets, parts, draws and numbers of their names', () => {
    const said = Object.fromEntries(
      Object.entries<AttackPreset>(attackPresets).map(([name, { components, steps, eot, selection, reports }]) => [
        name,
        [components.map(part => part.name).join(), steps, eot, selection.draws, selection.tie, reports],
      ]),
    )
    expect(said).toMatchObject({
      'pgd20-eot10': ['pgd', 20, 10, 10, 'largerMargin', 'fresh'],
      'pgd200-eot20': ['pgd', 200, 20, 10, 'largerMargin', 'fresh'],
      'autoattack-standard': ['apgd-ce,apgd-t,fab-t,square', undefined, 1, 1, 'keep', 'selection'],
      'autoattack-rand': ['apgd-ce,apgd-dlr', undefined, 'setting', 1, 'keep', 'selection'],
      'autoattack-fixed': ['apgd-ce,apgd-dlr', undefined, 'setting', 20, 'keep', 'selection'],
      'autoattack-fresh': ['apgd-ce,apgd-dlr,apgd-t,fab-t,square', undefined, 'setting', 20, 'largerMargin', 'fresh'],
    })
  })

  it('should give Square 50 queries for each iteration of the others, as AutoAttack 5,000 beside 100', async () => {
    await useBackend('reference')
    const seen: number[] = []
    const view: AttackerView = (x, { context }) => {
      seen.push(context.attackStep)
      return {
        logits: x
          .sum([1, 2, 3])
          .mul(0)
          .reshape([-1, 1])
          .add(tensor([1, 0], [1, 2])),
      }
    }
    await attackPresets.square.components[0].attack({ steps: 2 })(problemOf(pixels(1, shape), [0, 0], view))
    expect(Math.max(...seen)).toBe(100)
  })
})

describe('attacks on a defence that masks its gradient', () => {
  it('should break with Square what PGD and APGD find robust', async () => {
    await useBackend('reference')
    const w = tensor(
      [1, -1, 1, -1, 1, -1, 1, -1, 1].flatMap(value => [value / 2, -value / 2]),
      [features, 2],
    )
    const x = pixels(1, shape, { low: 0.4, high: 0.6 })
    const view = viewOf(quantised(linearClassifier(w)))
    const labels = await predictions(view, x)
    const problem = problemOf(x, labels, view, { epsilon: 0.25 })
    const robust = async (attack: ReturnType<typeof square>) => (await attack(problem)).wrongShare
    expect([...(await robust(pgdAttack({ steps: 10 })))]).toEqual([0, 0])
    expect([...(await robust(apgd({ loss: 'ce', steps: 10, init: 'zero' })))]).toEqual([0, 0])
    expect([...(await robust(square({ queries: 60 })))]).toEqual([1, 1])
  })
})

describe('PGD as an attack', () => {
  it("should under the paper's names take the paper's steps, 2/255 of 8/255 in l_inf and 0.1 of 0.5 in l_2, and else a quarter of epsilon", async () => {
    await useBackend('reference')
    const { view } = linearView(1, 5)
    for (const [name, l2Step] of [
      ['pgd20-eot10', 0.1],
      ['pgd200-eot20', 0.1],
      ['pgd', 0.125],
    ] as const) {
      for (const [norm, epsilon, step] of [
        ['linf', 8 / 255, 2 / 255],
        ['l2', 0.5, l2Step],
      ] as const) {
        const problem = problemOf(pixels(1, shape, { low: 0.4, high: 0.6 }), [0, 1], view, { norm, epsilon })
        const [{ attack }] = attackPresets[name].components
        const { xAdv } = await attack({ steps: 1 })(problem)
        for (const length of lengths(await xAdv.data(), await problem.images.data(), norm)) expectNear(length, step, 1e-12)
      }
    }
  })

  it('should return an iterate at least as good as the start and as the last when the best counts, and with more restarts (P64)', async () => {
    await useBackend('reference')
    await fc.assert(
      fc.asyncProperty(fc.nat(1e6), fc.constantFrom(...norms), async (seed, norm) => {
        // Steps as long as the ball is wide overshoot; noise that is locked makes losses comparable.
        const { view } = linearView(seed, 5)
        const wavy = viewOf(x => ops.sin(view(x, problem.draws).logits.mul(4)))
        const problem = problemOf(pixels(seed, shape), [0, 1], wavy, { norm, epsilon: 0.3 })
        const reached = async (o: Parameters<typeof pgdAttack>[0]) => [
          ...(await pgdAttack({ loss: 'margin', relativeStep: 1.5, ...o })(problem)).loss,
        ]
        const start = [...(await lookAt(problem, marginLoss, problem.images, 0)).loss]
        const [best, last] = [await reached({ steps: 5, iterate: 'best' }), await reached({ steps: 5 })]
        const [few, many] = [await reached({ steps: 3, iterate: 'best' }), await reached({ steps: 5, iterate: 'best', restarts: 3 })]
        best.forEach((loss, i) => {
          for (const other of [start, last, few]) expect(loss).toBeGreaterThanOrEqual(other[i]!)
          expect(many[i]!).toBeGreaterThanOrEqual(loss)
        })
      }),
      { numRuns: runs(10) },
    )
  })
})
