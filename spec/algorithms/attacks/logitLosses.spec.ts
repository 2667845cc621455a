import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  dlrLoss,
  logitLosses,
  marginLoss,
  misclassified,
  rankMasks,
  targetedDlrLoss,
  targetedMarginLoss,
} from '../../../algorithms/attacks/logitLosses.ts'
import { grad, type Tensor, tensor, useBackend } from '../../../core/index.ts'
import { backendsUnderTest, isFloat32 } from '../../support/backends.ts'
import { expectAllNear, expectNear } from '../../support/numbers.ts'
import { runs } from '../../support/replay.ts'
import { gaussian } from '../fixtures.ts'

const batch = 2
const labels = [1, 4]
const targets = [3, 0]
const logitsOf = (seed: number): Tensor => gaussian(seed, 'logits', [batch, 5])
const rowsOf = async (t: Tensor): Promise<number[][]> => {
  const values = [...(await t.data())]
  return [values.slice(0, 5), values.slice(5)]
}

/** Each loss from its definition, by sorting on the host. */
const oracle = {
  margin: (z: number[], y: number) => Math.max(...z.filter((_, i) => i !== y)) - z[y]!,
  dlr: (z: number[], y: number) => {
    const sorted = z.toSorted((a, b) => b - a)
    return oracle.margin(z, y) / (sorted[0]! - sorted[2]!)
  },
  targetedDlr: (z: number[], y: number, t: number) => {
    const sorted = z.toSorted((a, b) => b - a)
    return (z[t]! - z[y]!) / (sorted[0]! - (sorted[2]! + sorted[3]!) / 2)
  },
}

describe.each(backendsUnderTest)('losses of logits on %s', backend => {
  const tolerance = isFloat32(backend) ? 1e-5 : 1e-10

  it('should be what sorting on the host gives', async () => {
    await useBackend(backend)
    await fc.assert(
      fc.asyncProperty(fc.nat(1e6), async seed => {
        const z = logitsOf(seed)
        const rows = await rowsOf(z)
        const of = (f: (z: number[], y: number, t: number) => number) => rows.map((row, i) => f(row, labels[i]!, targets[i]!))
        expectAllNear(await marginLoss(z, labels).data(), of(oracle.margin), tolerance)
        expectAllNear(await dlrLoss(z, labels).data(), of(oracle.dlr), tolerance)
        expectAllNear(await targetedDlrLoss(z, labels, targets).data(), of(oracle.targetedDlr), tolerance)
        expectAllNear(
          await targetedMarginLoss(z, labels, targets).data(),
          of((row, y, t) => row[t]! - row[y]!),
          tolerance,
        )
      }),
      { numRuns: runs(10) },
    )
  })

  it('should not change by a shift, and DLR neither by a scale, of all logits', async () => {
    await useBackend(backend)
    await fc.assert(
      fc.asyncProperty(fc.nat(1e6), fc.constantFrom(-3, 0.5, 20), fc.constantFrom(0.01, 7, 100), async (seed, shift, scale) => {
        const z = logitsOf(seed)
        for (const loss of Object.values(logitLosses)) {
          expectAllNear(await loss(z.add(shift), labels).data(), await loss(z, labels).data(), 20 * tolerance)
        }
        for (const loss of [dlrLoss, (logits: Tensor) => targetedDlrLoss(logits, labels, targets)]) {
          const expected = [...(await loss(z, labels).data())]
          const actual = [...(await loss(z.mul(scale).add(shift), labels).data())]
          actual.forEach((value, i) => {
            expectNear(value, expected[i]!, 1e3 * tolerance * (1 + Math.abs(expected[i]!)))
          })
        }
      }),
      { numRuns: runs(6) },
    )
  })

  it('should rank equal logits by class, each class once', async () => {
    await useBackend(backend)
    const z = tensor([1, 3, 3, 0, 3, -1, 2, 2, 5, 5], [2, 5])
    const ranks = await Promise.all(rankMasks(z, 4).map(rowsOf))
    const classesOf = (image: number) =>
      ranks.map(masks => masks[image]!.flatMap((value, c) => (value === 1 ? [c] : value === 0 ? [] : [-1])))
    expect(classesOf(0)).toEqual([[1], [2], [4], [0]])
    expect(classesOf(1)).toEqual([[3], [4], [1], [2]])
    // The smaller of two equal classes is predicted.
    expect([...(await misclassified(z, [2, 3]).data())]).toEqual([1, 0])
    expect([...(await misclassified(z, [1, 4]).data())]).toEqual([0, 1])
  })

  it('should be finite, loss and gradient, where all logits are equal', async () => {
    await useBackend(backend)
    const z = tensor(new Float64Array(10).fill(0.25), [2, 5])
    for (const loss of [...Object.values(logitLosses), (logits: Tensor) => targetedDlrLoss(logits, labels, targets)]) {
      expect((await loss(z, labels).data()).every(Number.isFinite)).toBe(true)
      expect((await grad((logits: Tensor) => loss(logits, labels).sum())(z).data()).every(Number.isFinite)).toBe(true)
    }
  })

  it('should refuse logits of too few classes', async () => {
    await useBackend(backend)
    expect(() => dlrLoss(gaussian(1, 'z', [1, 2]), [0])).toThrow('dlrLoss: needs at least 3 classes, got 2')
    expect(() => targetedDlrLoss(gaussian(1, 'z', [1, 3]), [0], [1])).toThrow('targetedDlrLoss: needs at least 4 classes, got 3')
  })
})

describe('gradients of losses of logits', () => {
  it('should be central differences of the loss (P54)', async () => {
    await useBackend('reference')
    await fc.assert(
      fc.asyncProperty(fc.nat(1e6), async seed => {
        const z = logitsOf(seed)
        const direction = gaussian(seed, 'direction', [batch, 5])
        // A rank or a maximum that changes within the step would be a kink.
        const gaps = (await rowsOf(z)).flatMap(row => row.toSorted((a, b) => a - b).map((value, i, all) => value - (all[i - 1] ?? -9)))
        fc.pre(Math.min(...gaps) > 1e-3)
        for (const loss of [...Object.values(logitLosses), (logits: Tensor) => targetedDlrLoss(logits, labels, targets)]) {
          const along = (h: number) =>
            loss(z.add(direction.mul(h)), labels)
              .sum()
              .item()
          const slope = await grad((logits: Tensor) => loss(logits, labels).sum())(z)
            .mul(direction)
            .sum()
            .item()
          const difference = ((await along(1e-5)) - (await along(-1e-5))) / 2e-5
          expectNear(slope, difference, 1e-5 * (1 + Math.abs(difference)))
        }
      }),
      { numRuns: runs(10) },
    )
  })
})
