import { describe, expect, it } from 'vitest'
import { orderingViolations, type RobustCount } from '../../../algorithms/evaluation/statistics/ordering.ts'
import type { LockSetName } from '../../../algorithms/randomness/lockSets.ts'
import { binomialProbabilities } from './binomial.ts'

/** right(d, f, r): whether the classifier is right under perturbation d, forward noise f and reverse noise r; two of each. */
type Game = (d: number, f: number, r: number) => boolean

const average = (of: (i: number) => number): number => (of(0) + of(1)) / 2
const worst = (of: (d: number) => number): number => Math.min(of(0), of(1))
const cell = (accuracy: number): RobustCount => ({ robust: accuracy * 4e6, images: 4e6 })

/** The accuracies of a game against optimal attackers, who know the noise that is locked. */
const optimalTable = (game: Game) => {
  const right = (d: number, f: number, r: number): number => (game(d, f, r) ? 1 : 0)
  return {
    White: cell(worst(d => average(f => average(r => right(d, f, r))))),
    DW_Fwd: cell(average(f => worst(d => average(r => right(d, f, r))))),
    DW_Rev: cell(average(r => worst(d => average(f => right(d, f, r))))),
    DW_Both: cell(average(f => average(r => worst(d => right(d, f, r))))),
  }
}
const games = Array.from(
  { length: 256 },
  (_, bits): Game =>
    (d, f, r) =>
      ((bits >> (4 * d + 2 * f + r)) & 1) === 1,
)

describe('orderingViolations (E14)', () => {
  it('should accept every game of two perturbations, two forward and two reverse noises under optimal attackers (P51)', () => {
    for (const game of games) expect(orderingViolations(optimalTable(game))).toEqual([])
  })

  it('should see DW_Fwd = DW_Both and DW_Rev = White in every game without reverse noise (P51)', () => {
    for (const game of games) {
      const table = optimalTable((d, f) => game(d, f, 0))
      expect(orderingViolations(table, { deterministicReverse: true })).toEqual([])
    }
  })

  it('should report each pair out of order, with the weak setting above', () => {
    const table = { White: { robust: 300, images: 1024 }, DW_Fwd: { robust: 480, images: 1024 }, DW_Both: { robust: 172, images: 1024 } }
    const violations = orderingViolations(table)
    expect(violations.map(({ below, above }) => [below, above])).toEqual([['DW_Fwd', 'White']])
    expect(violations[0]!.difference).toBeCloseTo(180 / 1024, 12)
    expect(violations[0]!.excess).toBeGreaterThan(0)
    expect(violations[0]!.excess).toBeLessThan(180 / 1024)
  })

  it('should compare all five pairs, and DW_Fwd with DW_Rev not at all', () => {
    const reported = (low: LockSetName, high: LockSetName): number =>
      orderingViolations({ [low]: { robust: 0, images: 500 }, [high]: { robust: 500, images: 500 } }).length
    const names: readonly LockSetName[] = ['White', 'DW_Fwd', 'DW_Rev', 'DW_Both']
    expect(names.map(low => names.map(high => (low === high ? 0 : reported(low, high))))).toEqual([
      [0, 1, 1, 1],
      [0, 0, 0, 1],
      [0, 0, 0, 1],
      [0, 0, 0, 0],
    ])
  })

  it('should report an inequality only where a deterministic reverse process demands equality', () => {
    const table = { DW_Fwd: { robust: 480, images: 1024 }, DW_Both: { robust: 172, images: 1024 } }
    expect(orderingViolations(table)).toEqual([])
    const [violation] = orderingViolations(table, { deterministicReverse: true })
    expect(violation).toMatchObject({ below: 'DW_Both', above: 'DW_Fwd', equal: true })
    expect(violation!.excess).toBeLessThan(0)
  })

  it('should raise a false alarm in less than 1 % of tables of equal accuracies, summed exactly (P66)', () => {
    const images = 60
    for (const accuracy of [0.1, 0.3, 0.5, 0.9]) {
      const weights = binomialProbabilities(images, accuracy)
      let alarms = 0
      for (let i = 0; i <= images; i++)
        for (let j = 0; j <= images; j++) {
          const table = { White: { robust: i, images }, DW_Both: { robust: j, images } }
          if (orderingViolations(table).length > 0) alarms += weights[i]! * weights[j]!
        }
      expect(alarms).toBeLessThan(0.01)
      expect(alarms).toBeGreaterThan(0.0005)
    }
  })
})
