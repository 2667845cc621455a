import { describe, expect, it } from 'vitest'
import { useBackend } from '../../../core/index.ts'
import { normal } from '../../../core/random/distributions.ts'
import { foldIn, key } from '../../../core/random/key.ts'
import { meetsExpectation } from '../../../experiments/calibration/calibrate.ts'
import { signalOf } from '../../../experiments/calibration/certificates.ts'
import { checkMasking, maskingCheck } from '../../../experiments/calibration/maskingChecks.ts'

const rowOf = (truth: number, [mean, low, high]: readonly [number, number, number], expected: 'exact' | 'unbiased' | 'tooLow') => ({
  name: 'n',
  evaluator: 'ours' as const,
  truth,
  measured: { mean, low, high, trials: 100 },
  expected,
})

describe('calibration', () => {
  it('should pass a number within its interval, and fail one that a biased evaluator gives', () => {
    expect(meetsExpectation(rowOf(0.75, [0.7, 0.6, 0.8], 'unbiased'))).toBe(true)
    expect(meetsExpectation(rowOf(0.75, [0.6, 0.5, 0.7], 'unbiased'))).toBe(false)
    expect(meetsExpectation(rowOf(0.75, [0.9, 0.8, 1], 'unbiased'))).toBe(false)
  })

  it('should allow nothing where nothing is random', () => {
    expect(meetsExpectation(rowOf(1, [1, 0.9, 1], 'exact'))).toBe(true)
    expect(meetsExpectation(rowOf(1, [0.995, 0.9, 1], 'exact'))).toBe(false)
  })

  it('should see the bias of a protocol only beyond its interval', () => {
    expect(meetsExpectation(rowOf(0.75, [0.3, 0.2, 0.4], 'tooLow'))).toBe(true)
    expect(meetsExpectation(rowOf(0.75, [0.7, 0.6, 0.8], 'tooLow'))).toBe(false)
    expect(meetsExpectation(rowOf(0.75, [0.9, 0.85, 0.95], 'tooLow'))).toBe(false)
  })
})

describe('masked gradients', () => {
  it('should be flagged, and an honest defence of equal fragility not', async () => {
    await useBackend('cpu')
    const checks = await checkMasking()
    expect(checks.map(({ name, passed }) => [name, passed])).toEqual([
      ['honest', true],
      ['quantised pixels', true],
      ['saturated logits', true],
    ])
    for (const { masks, evidence, flags } of checks) {
      expect(evidence.gradientAttack.robust).toBe(masks ? 40 : 0)
      expect(flags.map(({ name }) => name)).toEqual(
        masks ? ['zeroGradients', 'otherAttackStronger', 'unboundedRobust', 'lossBySteps', 'lossByEpsilon'] : [],
      )
    }
  })

  it('should fail the check when missed, and when an honest defence is flagged', () => {
    const quiet = { gradientAttack: { robust: 1, images: 2 } }
    expect(maskingCheck('m', true, quiet).passed).toBe(false)
    expect(maskingCheck('h', false, { ...quiet, zeroGradientShare: 1 }).passed).toBe(false)
  })
})

describe('signalOf', () => {
  it('should find signal and noise of gradients that are a known vector and known noise, n = 8 draws of 50 images', () => {
    const [images, size, draws, noise] = [50, 20, 8, 2]
    const values = (name: string, count: number) => normal(foldIn(key(3), name), count)
    const truth = values('truth', images * size)
    const gradients = Array.from({ length: draws }, (_, k) => values(`draw ${k}`, images * size).map((z, i) => truth[i]! + noise * z))
    // Signal to noise of a draw: sqrt(|truth|^2 / (size noise^2)); its estimate has a deviation below 2 %, and would be a fifth too large with the noise of the mean left in.
    const expected = Math.sqrt(truth.reduce((sum, x) => sum + x * x, 0) / (images * size * noise ** 2))
    const found = signalOf(gradients, images)
    expect(found.signalToNoise / expected).toBeGreaterThan(0.9)
    expect(found.signalToNoise / expected).toBeLessThan(1.1)
    expect([4, 5]).toContain(found.samplesForOne)
    // 1 / sqrt(1 + 4) of the locked draw, 1 / sqrt(1 + 4/7) of the mean of the others.
    expect(Math.abs(found.cosineWithLocked - 0.357)).toBeLessThan(0.05)
  })

  it('should say that no number of samples is enough where there is no signal', () => {
    const alternating = Array.from({ length: 10 }, (_, k) => Float64Array.of(k % 2 === 0 ? 1 : -1))
    expect(signalOf(alternating, 1)).toMatchObject({ signalToNoise: 0, samplesForOne: Number.POSITIVE_INFINITY })
  })
})
