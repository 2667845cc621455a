import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type AttackEvidence, redFlags } from '../../../algorithms/evaluation/redFlags.ts'
import { differenceLimit, type RobustCount } from '../../../algorithms/evaluation/statistics/differenceLimit.ts'

/** An attack that left 50 of 100 images and gives no reason to doubt it. */
const sound: AttackEvidence = {
  zeroGradientShare: 0.1,
  gradientAttack: { robust: 50, images: 100 },
  otherAttacks: [{ name: 'Square', robust: 60, images: 100 }],
  unbounded: { robust: 0, images: 100 },
  table: { White: { robust: 50, images: 100 }, DW_Both: { robust: 30, images: 100 } },
  lossBySteps: [0.5, 2],
  lossByEpsilon: [0.5, 1, 3],
}

const flagged = (change: Partial<AttackEvidence>): string[] => redFlags({ ...sound, ...change }).map(({ name }) => name)

describe('redFlags', () => {
  it('should raise nothing for an attack that does what attacks do, nor for what was not measured', () => {
    expect(redFlags(sound)).toEqual([])
    expect(redFlags({ gradientAttack: sound.gradientAttack })).toEqual([])
  })

  it.each([
    ['zeroGradients', { zeroGradientShare: 0.51 }],
    ['otherAttackStronger', { otherAttacks: [{ name: 'Square', robust: 10, images: 100 }] }],
    ['unboundedRobust', { unbounded: { robust: 20, images: 100 } }],
    ['ordering', { table: { White: { robust: 30, images: 100 }, DW_Both: { robust: 60, images: 100 } } }],
    ['lossBySteps', { lossBySteps: [0.5, 0.5] }],
    ['lossByEpsilon', { lossByEpsilon: [0.5, 2, 0.4] }],
  ] satisfies [string, Partial<AttackEvidence>][])('should raise %s alone for its sign alone', (name, change) => {
    expect(flagged(change)).toEqual([name])
  })

  it('should leave within chance what chance explains, and raise each stronger attack by name', () => {
    expect(flagged({ otherAttacks: [{ name: 'Square', robust: 45, images: 100 }] })).toEqual([])
    expect(flagged({ unbounded: { robust: 2, images: 20 } })).toEqual([])
    // Lower limits of 8 % and 4.7 %, either side of 5 %.
    expect([15, 10].map(robust => flagged({ unbounded: { robust, images: 100 } }).length)).toEqual([1, 0])
    const [first, second] = redFlags({
      ...sound,
      otherAttacks: [
        { name: 'Square', robust: 1, images: 100 },
        { name: 'BPDA', robust: 2, images: 100 },
      ],
    })
    expect(first!.explanation).toBe('Square leaves 1.0 % of 100, the gradient attack 50.0 % of 100')
    expect(second!.explanation).toMatch(/^BPDA leaves 2\.0 %/)
  })

  it('should not mind a loss that stays when nothing is left to attack', () => {
    expect(flagged({ gradientAttack: { robust: 0, images: 100 }, otherAttacks: [], lossBySteps: [1, 1] })).toEqual([])
  })
})

describe('differenceLimit', () => {
  it('should be the limits that Newcombe prints for his method 10: of 56/70 - 48/80 and of 9/10 - 3/10', () => {
    const limits = (a: RobustCount, b: RobustCount) => [differenceLimit(a, b, 0.95), -differenceLimit(b, a, 0.95)]
    const [large, small] = [
      limits({ robust: 56, images: 70 }, { robust: 48, images: 80 }),
      limits({ robust: 9, images: 10 }, { robust: 3, images: 10 }),
    ]
    expect([...large, ...small].map(limit => limit.toFixed(4))).toEqual(['0.0524', '0.3339', '0.1705', '0.8090'])
  })

  it('should lie below the difference, at most sqrt(2) below it, and rise as images are added in proportion', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), fc.nat(50), fc.nat(50), (images, a, b) => {
        const [robustA, robustB] = [Math.min(a, images), Math.min(b, images)]
        const limit = (k: number) =>
          differenceLimit({ robust: k * robustA, images: k * images }, { robust: k * robustB, images: k * images })
        const difference = (robustA - robustB) / images
        // Below -1 there is nothing.
        if (difference === -1) return void expect([limit(1), limit(4)]).toEqual([-1, -1])
        expect(limit(1)).toBeLessThan(difference)
        expect(limit(1)).toBeGreaterThanOrEqual(difference - Math.SQRT2)
        expect(limit(4)).toBeGreaterThan(limit(1))
      }),
    )
  })
})
