import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type AttackerView, viewOf } from '../../../algorithms/attacks/problem.ts'
import type { Norm } from '../../../algorithms/attacks/projections.ts'
import { squareRun } from '../../../algorithms/attacks/square.ts'
import { l2Grid, l2Pattern, type ProposalContext, squareL2, squareLinf, stripes } from '../../../algorithms/attacks/squareProposals.ts'
import { squareShare, squareSide } from '../../../algorithms/attacks/squareSchedule.ts'
import { liveTensors, stopGradient, useBackend } from '../../../core/index.ts'
import { uniform } from '../../../core/random/distributions.ts'
import { foldIn, key } from '../../../core/random/key.ts'
import { backendsUnderTest } from '../../support/backends.ts'
import { runs } from '../../support/replay.ts'
import { bits, gaussian, linearClassifier, pixels } from '../fixtures.ts'
import { features, problemOf, shape, twoClasses } from './attackFixtures.ts'

const norms = fc.constantFrom<Norm>('linf', 'l2')

const contextOf = (seed: number, imageShape: readonly [number, number, number], epsilon: number): ProposalContext => {
  const size = imageShape[0] * imageShape[1] * imageShape[2]
  const values = uniform(foldIn(key(seed), 'proposal'), 4 * size + 20)
  let used = 0
  return { clean: uniform(foldIn(key(seed), 'clean'), size), shape: imageShape, epsilon, next: () => values[used++]! }
}

const norm2 = (x: ArrayLike<number>): number => Math.hypot(...Array.from(x))
const minus = (a: Float64Array, b: Float64Array): Float64Array => a.map((value, i) => value - b[i]!)

describe('square proposals', () => {
  it('should start l_inf with stripes of one sign per column and channel', () => {
    const context = contextOf(1, [2, 4, 5], 0.001)
    const delta = minus(stripes(context), context.clean)
    const signs = delta.map(Math.sign)
    for (let i = 0; i < delta.length; i++) expect(Math.abs(Math.abs(delta[i]!) - 0.001)).toBeLessThan(1e-12)
    for (let channel = 0; channel < 2; channel++)
      for (let row = 1; row < 4; row++)
        expect([...signs.slice((channel * 4 + row) * 5, (channel * 4 + row) * 5 + 5)]).toEqual([
          ...signs.slice(channel * 20, channel * 20 + 5),
        ])
    expect(new Set(signs)).toEqual(new Set([-1, 1]))
  })

  it('should change one square of one sign per channel in l_inf, and reach every corner', () => {
    const corners = new Set<number>()
    for (let seed = 0; seed < 60; seed++) {
      const context = contextOf(seed, [2, 4, 5], 0.001)
      const delta = minus(squareLinf(context.clean, 2, context), context.clean)
      const changed = [...delta.keys()].filter(i => delta[i] !== 0)
      expect(changed).toHaveLength(8)
      const first = changed[0]!
      expect(changed.slice(0, 4)).toEqual([first, first + 1, first + 5, first + 6])
      expect(changed.slice(4)).toEqual(changed.slice(0, 4).map(i => i + 20))
      for (const channel of [0, 4]) expect(new Set(changed.slice(channel, channel + 4).map(i => Math.sign(delta[i]!))).size).toBe(1)
      corners.add(first)
    }
    expect(corners.size).toBe(12)
  })

  it('should set the l_inf square from the clean image, whatever was there before', () => {
    const context = contextOf(5, [1, 4, 4], 0.001)
    const moved = context.clean.map(value => value + 0.1)
    const next = squareLinf(moved, 2, context)
    const changed = [...next.keys()].filter(i => next[i] !== moved[i])
    expect(changed).toHaveLength(4)
    for (const i of changed) expect(Math.abs(next[i]! - context.clean[i]!)).toBeCloseTo(0.001, 12)
  })

  it('should have l_2 patterns of unit norm, of two halves of opposite sign that fall from their centres', () => {
    for (const side of [2, 3, 4, 5, 8]) {
      const pattern = l2Pattern(side, false)
      expect(Math.abs(norm2(pattern) - 1)).toBeLessThan(1e-12)
      const half = Math.floor(side / 2)
      pattern.forEach((value, i) => {
        expect(Math.sign(value)).toBe(Math.floor(i / side) < half ? 1 : -1)
      })
      const turned = l2Pattern(side, true)
      pattern.forEach((value, i) => {
        expect(turned[(i % side) * side + Math.floor(i / side)]).toBeCloseTo(value, 12)
      })
    }
    // 3 rows, 5 columns each: rings of 1 + 1/4 + 1/9, 1/4 + 1/9 and 1/9 around the centre of the lower half.
    const lower = l2Pattern(5, false).slice(10)
    const ring = (d: number) => lower[5 + 2 + d]! / lower[5 + 2]!
    const [one, two, three] = [1, 1 / 4, 1 / 9]
    expect(ring(1)).toBeCloseTo((two + three) / (one + two + three), 12)
    expect(ring(2)).toBeCloseTo(three / (one + two + three), 12)
  })

  it('should spend all of epsilon in l_2 where no pixel meets the box, and empty one window for another', () => {
    fc.assert(
      fc.property(fc.nat(1e6), fc.constantFrom(2, 3), (seed, side) => {
        const given = contextOf(seed, [2, 6, 6], 0.1)
        const context = { ...given, clean: given.clean.map(value => 0.4 + value / 5) }
        const start = l2Grid(2, context)
        expect(Math.abs(norm2(minus(start, context.clean)) - 0.1)).toBeLessThan(1e-12)
        const next = squareL2(start, side, context)
        expect(Math.abs(norm2(minus(next, context.clean)) - 0.1)).toBeLessThan(1e-12)
        // What a smaller perturbation leaves of epsilon is shared by the channels.
        const half = start.map((value, i) => (value + context.clean[i]!) / 2)
        expect(Math.abs(norm2(minus(squareL2(half, side, context), context.clean)) - 0.1)).toBeLessThan(1e-12)
        const changed = [...start.keys()].filter(i => start[i] !== next[i])
        expect(changed.length).toBeGreaterThan(0)
        expect(changed.length).toBeLessThanOrEqual(2 * 2 * side * side)
      }),
      { numRuns: runs(30) },
    )
  })

  it('should halve the share at 10, 50, 200, 500, 1000, 2000, 4000, 6000 and 8000 of 10,000 queries', () => {
    const halvedAfter = (queries: number) =>
      Array.from({ length: queries - 1 }, (_, i) => i).filter(
        i => squareShare(i + 1, { queries, initial: 0.8 }) < squareShare(i, { queries, initial: 0.8 }),
      )
    expect(halvedAfter(10_000)).toEqual([10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000])
    expect(halvedAfter(5000)).toEqual([5, 25, 100, 250, 500, 1000, 2000, 3000, 4000])
    expect(squareShare(0, { queries: 100, initial: 0.8 })).toBe(0.8)
    expect([0.8, 0.05, 1e-9, 2].map(p => squareSide(p, { height: 8, width: 10, least: 1 }))).toEqual([8, 2, 1, 8])
  })
})

describe.each(backendsUnderTest)('Square attack on %s', backend => {
  it('should never lower the kept margin, and end with the largest loss that it saw', async () => {
    await useBackend(backend)
    await fc.assert(
      fc.asyncProperty(fc.nat(1e6), norms, async (seed, norm) => {
        const view = viewOf(linearClassifier(gaussian(seed, 'w', [features, 3])))
        const problem = problemOf(pixels(seed, shape), [0, 1], view, { norm, epsilon: norm === 'linf' ? 0.1 : 0.3 })
        const { result, kept } = await squareRun(problem, { queries: 25 })
        kept.forEach((margins, k) => {
          margins.forEach((margin, i) => {
            expect(margin).toBeGreaterThanOrEqual(kept[k - 1]?.[i] ?? -Infinity)
          })
        })
        if (kept.length > 0)
          kept.at(-1)!.forEach((margin, i) => {
            expect(result.loss[i]!).toBeGreaterThanOrEqual(margin)
          })
      }),
      { numRuns: runs(5) },
    )
  })

  it('should not use a gradient: a defence without one is attacked to the same bits', async () => {
    await useBackend(backend)
    const classifier = linearClassifier(gaussian(3, 'w', [features, 3]))
    const attacked = async (view: typeof classifier) =>
      (await squareRun(problemOf(pixels(3, shape), [0, 1], viewOf(view)), { queries: 20 })).result.xAdv
    expect(await bits(await attacked(x => stopGradient(classifier(stopGradient(x)))))).toBe(await bits(await attacked(classifier)))
  })

  it('should come close to the optimum of a linear classifier, epsilon ||w||_1', async () => {
    await useBackend(backend)
    const [x, w] = [pixels(7, shape, { low: 0.3, high: 0.7 }), gaussian(7, 'w', [features])]
    const margins = [...(await linearClassifier(w.reshape([features, 1]))(x).data())]
    const l1 = [...(await w.data())].reduce((sum, value) => sum + Math.abs(value), 0)
    // The boundary is just out of reach, so that the search does not end early.
    const b = 0.11 * l1 - Math.min(...margins)
    const { result } = await squareRun(problemOf(x, [0, 0], twoClasses(w, b)), { queries: 150 })
    result.loss.forEach((loss, i) => {
      expect((loss + margins[i]! + b) / (0.1 * l1)).toBeGreaterThan(0.95)
    })
  })

  it('should stop when every image is misclassified on all samples, and leave nothing behind', async () => {
    await useBackend(backend)
    const w = gaussian(1, 'w', [features])
    const problem = problemOf(pixels(1, shape), [0, 0], twoClasses(w, -50))
    const before = liveTensors()
    const { result, kept } = await squareRun(problem, { queries: 20 })
    expect(kept).toHaveLength(0)
    result.xAdv.dispose()
    const longer = await squareRun({ ...problem, view: twoClasses(w, 50) }, { queries: 3 })
    longer.result.xAdv.dispose()
    expect(liveTensors()).toBe(before)
  })
})

describe('the windows of Square attack', () => {
  it('should change windows of the side that the schedule gives each query after the first, in l_2 two pixels at least', async () => {
    await useBackend('reference')
    const [size, queries] = [6, 100]
    // Nothing changes the logits, so that the first image is kept and every query proposes a change of it.
    const constant = viewOf(x => linearClassifier(gaussian(1, 'w', [size * size, 3]).mul(0))(x))
    const changedAt = async (norm: Norm, last: number): Promise<number[][]> => {
      const seen: number[][] = []
      const x = pixels(2, [1, 1, size, size], { low: 0.4, high: 0.6 })
      const view: AttackerView = (image, draws) => {
        if (draws.context.attackStep > 0) seen.push([...image.dataSync()])
        if (draws.context.attackStep === last) throw new Error('seen enough')
        return constant(image, draws)
      }
      await expect(squareRun(problemOf(x, [0], view, { norm }), { queries })).rejects.toThrow('seen enough')
      return seen.slice(1).map(image => [...image.keys()].filter(i => Math.abs(image[i]! - seen[0]![i]!) > 1e-6))
    }
    const rows = (await changedAt('linf', 8)).map(changed => new Set(changed.map(i => Math.floor(i / size))).size)
    // Query 1 + k of 100 stands for 100 k of 10,000: shares 0.8 / 4, / 4, then / 8, / 8, / 8 and / 16; a window over columns of its own sign changes nothing.
    expect(rows.map((count, k) => count === 0 || count === [3, 3, 2, 2, 2, 1, 1][k])).toEqual(new Array(7).fill(true))
    expect(rows[1]).toBe(3)
    const moved = (await changedAt('l2', 60)).slice(20).map(changed => changed.length)
    expect(Math.max(...moved)).toBeGreaterThan(4)
    expect(Math.max(...moved)).toBeLessThanOrEqual(8)
  })
})
