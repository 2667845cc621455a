import { describe, expect, it } from 'vitest'
import { parseAuditOptions } from '../../../experiments/dwBox/options.ts'
import { UsageError } from '../../../experiments/support/errors.ts'

const refusal = (given: Record<string, unknown>): string => {
  try {
    parseAuditOptions(given)
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError)
    return (error as Error).message
  }
  throw new Error(`${JSON.stringify(given)} was accepted`)
}

describe('parseAuditOptions', () => {
  it('should fill in the defaults of the preset', () => {
    expect(parseAuditOptions({ epsilon: 0 })).toMatchObject({
      preset: 'digits',
      epsilon: 0,
      images: 128,
      imagesDeterministic: 256,
      steps: 20,
    })
  })

  it.each<[Record<string, unknown>, string]>([
    [{ preset: 'cifar' }, '--preset is "cifar"; use digits'],
    [{ backend: 'cuda' }, '--backend is "cuda"; use cpu, reference, gpu or gpu:<mode>'],
    [{ norm: 'l1' }, '--norm is "l1"; use linf or l2'],
    [{ epsilon: -0.1 }, '--epsilon is -0.1; use a number from 0 to 8 (pixels lie in [0,1])'],
    [{ epsilon: 1e30 }, '--epsilon is 1e+30; use a number from 0 to 8 (pixels lie in [0,1])'],
    [{ steps: 1.5 }, '--steps is 1.5; use a whole number of at least 0'],
    [{ seed: -1 }, '--seed is -1; use a whole number of at least 0'],
    [{ images: 1 }, '--images is 1; use a whole number from 2 to 500'],
    [{ imagesDeterministic: 501 }, '--images-deterministic is 501; use a whole number from 2 to 500'],
    [{ eotSamples: 0 }, '--eot-samples is 0; use a whole number of at least 1'],
    [{ tStar: 0 }, '--t-star is 0; use a number above 0 and at most 1'],
    [{ reverseSteps: 0 }, '--reverse-steps is 0; use a whole number from 1 to 1000'],
    [{ reportDraws: 2000 }, '--report-draws is 2000; use a whole number from 1 to 1000'],
    [{ workers: 2 }, 'there is no option --workers; see --help'],
  ])('should refuse %o in one line with the flag and the remedy', (given, message) => {
    expect(refusal(given)).toBe(message)
  })

  it('should refuse more reverse steps than there are timesteps, also for the smallest t* of a sweep', () => {
    expect(refusal({ reverseSteps: 151 })).toMatch(/^--reverse-steps is 151, but there are only 150 timesteps up to t\* = 0\.15; /)
    expect(parseAuditOptions({ reverseSteps: 150 }).reverseSteps).toBe(150)
    expect(refusal({ reverseSteps: 101, full: true })).toMatch(/only 100 timesteps up to t\* = 0\.1; /)
  })
})
