import { beforeAll, describe, expect, it } from 'vitest'
import { apgd, apgdTargeted } from '../../../algorithms/attacks/apgd.ts'
import { fabRun, fabTargeted } from '../../../algorithms/attacks/fab.ts'
import { pgdAttack } from '../../../algorithms/attacks/pgdAttack.ts'
import type { Attack, AttackerView } from '../../../algorithms/attacks/problem.ts'
import { square } from '../../../algorithms/attacks/square.ts'
import { type Tensor, tensor, useBackend } from '../../../core/index.ts'
import { bits, gaussian, linearClassifier, pixels } from '../fixtures.ts'
import { features, linearView, predictions, problemOf, shape } from './attackFixtures.ts'

/** In which random world attacks look, at which images, and what they ignore there. */

beforeAll(() => useBackend('reference'))

interface Seen {
  readonly image: readonly number[]
  readonly attackStep: number
  readonly repetition: number
}

/** What an attack sees of a classifier that is right by a wide margin, image 0 of class 0 alone. */
const watch = async (attack: Attack, classes = 5): Promise<{ readonly clean: number[]; readonly seen: Seen[] }> => {
  const seen: Seen[] = []
  const sure = tensor(
    Array.from({ length: classes }, (_, c) => (c === 0 ? 50 : 0)),
    [1, classes],
  )
  const classifier = linearClassifier(gaussian(1, 'w', [features, classes]))
  const view: AttackerView = (x, { context: { attackStep, repetition } }) => {
    seen.push({ image: [...x.dataSync()], attackStep, repetition })
    return { logits: classifier(x).add(sure) }
  }
  const images = pixels(1, [1, 1, 3, 3])
  await attack(problemOf(images, [0], view))
  return { clean: [...images.dataSync()], seen }
}

const fabOnce =
  (steps: number, finalSteps: number): Attack =>
  async problem =>
    (await fabRun(problem, [1], { steps, finalSteps })).result

describe('the random world of a look', () => {
  it.each([
    ['PGD', pgdAttack({ steps: 3 }), [0, 1, 2, 3]],
    ['PGD that keeps its best', pgdAttack({ steps: 2, iterate: 'best' }), [0, 1, 2, 2]],
    ['APGD', apgd({ loss: 'ce', steps: 3 }), [0, 1, 2, 3]],
    ['Square', square({ queries: 3 }), [0, 1, 2, 3]],
    // The clean image; a gradient and a look at each step; halvings; the result.
    ['FAB', fabOnce(2, 2), [0, 0, 0, 1, 1, 2, 3, 4]],
  ] as const)('should be that of the attack step: %s', async (_, attack, steps) => {
    expect((await watch(attack)).seen.map(({ attackStep }) => attackStep)).toEqual(steps)
  })

  it('should be another for each restart of PGD, which starts at random then', async () => {
    const { clean, seen } = await watch(pgdAttack({ steps: 1, restarts: 3 }))
    expect(seen.map(({ repetition }) => repetition)).toEqual([0, 0, 1, 1, 2, 2])
    const [first, second, third] = [0, 2, 4].map(i => seen[i]!.image.join())
    expect(first).toBe(clean.join())
    expect(new Set([first, second, third]).size).toBe(3)
  })

  it.each([
    ['APGD', apgdTargeted({ steps: 1 })],
    ['FAB', fabTargeted({ steps: 1, finalSteps: 0 })],
  ] as const)('should be another for each of nine targets, of which there may be more: %s', async (_, attack) => {
    expect(new Set((await watch(attack, 12)).seen.map(({ repetition }) => repetition)).size).toBe(9)
  })
})

describe('what is added to the loss', () => {
  it.each([
    ['FAB', fabTargeted({ steps: 2, finalSteps: 2, targets: 2 }), 0.5],
    // A ball in which nothing is misclassified, so that the search goes on.
    ['Square', square({ queries: 5 }), 0.01],
  ] as const)('should not move an attack that needs the difference of logits: %s', async (_, attack, epsilon) => {
    const { view } = linearView(2, 5)
    const extra: AttackerView = (x, draws) => ({ ...view(x, draws), extraLoss: x.square().sum([1, 2, 3]).mul(-100) })
    const x = pixels(2, shape)
    const labels = await predictions(view, x)
    const attacked = async (own: AttackerView) => bits((await attack(problemOf(x, labels, own, { epsilon }))).xAdv)
    const plain = await attacked(view)
    expect(await attacked(extra)).toBe(plain)
    expect(plain).not.toBe(await bits(x))
  })
})

describe('FAB', () => {
  /** Misclassified on all samples but the first. */
  const wrongAfterFirst: AttackerView = (x, { context: { eotSample } }) => ({
    logits: x
      .sum([1, 2, 3])
      .mul(0)
      .add(eotSample === 0 ? 1 : -1)
      .reshape([-1, 1])
      .matmul(tensor([1, -1], [1, 2])),
  })

  it('should count as adversarial what is misclassified on more than half of the samples', async () => {
    const distance = async (eotSamples: number) =>
      (await fabRun(problemOf(pixels(1, [1, 1, 3, 3]), [0], wrongAfterFirst, { eotSamples }), [1], { steps: 1 })).distance[0]
    expect([await distance(2), await distance(3)]).toEqual([Infinity, 0])
  })

  it('should weigh the projection of the clean image by a tenth where its share of the way is more', async () => {
    const seen: number[] = []
    // One pixel at 0.5 + u with the margin sqrt(u + 0.01) - 0.5: it bends down, so that the first step falls short of u = 0.24.
    const margin = (u: number) => Math.sqrt(u + 0.01) - 0.5
    const view: AttackerView = (x: Tensor) => {
      seen.push(x.dataSync()[0]! - 0.5)
      return {
        logits: x
          .reshape([1, 1])
          .sub(0.49)
          .sqrt()
          .sub(0.5)
          .matmul(tensor([0, 1], [1, 2])),
      }
    }
    await fabRun(problemOf(tensor([0.5], [1, 1, 1, 1]), [0], view), [1], { steps: 2, finalSteps: 0 })
    const way = (u: number) => -margin(u) * 2 * Math.sqrt(u + 0.01)
    const first = 1.05 * way(0)
    const plane = first + way(first)
    expect(way(first) / (way(first) + plane)).toBeGreaterThan(0.3)
    const second = 0.9 * (first + 1.05 * way(first)) + 0.1 * 1.05 * plane
    ;[0, 0, first, first, second].forEach((u, i) => {
      expect(seen[i]).toBeCloseTo(u, 12)
    })
  })
})
