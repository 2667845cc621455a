import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseAuditOptions } from '../../../experiments/dwBox/options.ts'
import { planRows, planUnits, type Unit } from '../../../experiments/dwBox/plan.ts'
import type { AccuracyResult } from '../../../experiments/dwBox/runUnit.ts'
import { compare, pairedComparison, summariseRows } from '../../../experiments/dwBox/summary.ts'
import { runs } from '../../support/replay.ts'
import { firstRight, rowOf, settingOf } from './rows.ts'

const o = parseAuditOptions({ images: 130, imagesDeterministic: 500, steps: 2, eotSamples: 3 })
const rows = planRows(o)
const units = planUnits(rows, o)

/** Outcomes that tell the image, the row and the setting, so that any mix-up shows. */
const resultOf = ({ row, setting, imageIds }: Unit): AccuracyResult => {
  const bit = (id: number): string => String((id + row.id.length + setting.name.length) % 2)
  const total = (f: (id: number) => number): number => imageIds.reduce((sum, id) => sum + f(id), 0)
  return {
    cleanOutcomes: imageIds.map(() => '11'),
    robustOutcomes: imageIds.map(id => `${bit(id)}1`),
    lossSums: [total(id => id), total(id => 2 * id)],
    cosineSums: [total(() => 0.5), total(() => 0.25)],
  }
}

describe('summariseRows', () => {
  const expected = summariseRows(rows, units, resultOf)

  it('should join the units of a setting in the order of the images', () => {
    const plain = units.filter(({ kind, row, setting }) => kind === 'accuracy' && row.id === 'ddpm-vanilla' && setting.name === 'DW_Both')
    const joined = expected.find(({ id }) => id === 'ddpm-vanilla')!.settings.find(({ setting }) => setting === 'DW_Both')!
    expect(plain.length).toBe(4)
    expect(joined.imageIds.length).toBe(500)
    for (const unit of plain) {
      const at = joined.imageIds.indexOf(unit.imageIds[0]!)
      expect(at).toBe(Number(unit.key.split('/').at(-1)))
      expect(joined.imageIds.slice(at, at + unit.imageIds.length)).toEqual(unit.imageIds)
      expect(joined.robustOutcomes.slice(at, at + unit.imageIds.length)).toEqual(resultOf(unit).robustOutcomes)
    }
  })

  it('should not depend on the order of the units', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(units, { minLength: units.length }), shuffled => {
        expect(summariseRows(rows, shuffled, resultOf)).toEqual(expected)
      }),
      { numRuns: runs(10) },
    )
  })

  it('should average losses and cosines over images, and leave the cosine out for a single sample', () => {
    const [white, , , both] = expected.find(({ id }) => id === 'ddpm-vanilla')!.settings
    const meanId = white!.imageIds.reduce((sum, id) => sum + id, 0) / white!.imageIds.length
    expect(white!.lossCurve[0]).toBeCloseTo(meanId, 9)
    expect(white!.lossCurve[1]).toBeCloseTo(2 * meanId, 9)
    expect(white!.eotCosine).toBeCloseTo(0.375, 12)
    expect(both!.eotCosine).toBeNull()
  })
})

describe('pairedComparison', () => {
  // Shares of a on images 1..5: 1, 1/2, 0, 1/2, 0; of b: 0, 1/2, 1, 1, 1/2. Image 6 has no partner.
  const a = settingOf('White', ['11', '10', '00', '01', '00', '11'], [1, 2, 3, 4, 5, 6])
  const b = settingOf('DW_Both', ['01', '11', '11', '10', '00'], [5, 4, 3, 2, 1])

  it('should give mean and interval of the differences image by image', () => {
    const { images, meanA, difference } = pairedComparison(a, b)
    expect(images).toBe(5)
    expect(meanA).toBeCloseTo(0.4, 12)
    // d = -1, 0, 1, 1/2, 1/2; sum of squared deviations 2.3; SE = sqrt(2.3 / 20).
    expect(difference.mean).toBeCloseTo(0.2, 12)
    expect(difference.high).toBeCloseTo(0.2 + 1.959964 * Math.sqrt(0.115), 6)
    expect(difference.low).toBeCloseTo(0.2 - 1.959964 * Math.sqrt(0.115), 6)
  })

  it('should count as onlyB the images that only b gets right on at least half of the draws', () => {
    expect(pairedComparison(a, b).mcnemar).toMatchObject({ onlyA: 1, onlyB: 2 })
  })

  it('should take half of the draws for right', () => {
    const { mcnemar } = pairedComparison(settingOf('White', ['10', '10']), settingOf('White', ['00', '01']))
    expect(mcnemar).toMatchObject({ onlyA: 1, onlyB: 0 })
  })

  it('should give the exact p-value: six to none is 2 / 2^6', () => {
    const { mcnemar } = pairedComparison(settingOf('White', firstRight(0, 6)), settingOf('White', firstRight(6, 6)))
    expect(mcnemar).toMatchObject({ onlyA: 0, onlyB: 6 })
    expect(mcnemar.p).toBeCloseTo(2 / 64, 12)
  })

  it('should change sides when a and b do', () => {
    const [there, back] = [pairedComparison(a, b), pairedComparison(b, a)]
    expect(back.difference.mean).toBeCloseTo(-there.difference.mean, 12)
    expect(back.difference.low).toBeCloseTo(-there.difference.high, 12)
    expect(back.mcnemar).toMatchObject({ onlyA: 2, onlyB: 1 })
  })
})

describe('compare', () => {
  it('should name sweep rows with their variation and be silent about a setting that one lacks', () => {
    const first = rowOf('vanilla', { White: firstRight(1, 4), DW_Both: firstRight(1, 4) }, 't* 0.10')
    const second = rowOf('ADDT', { White: firstRight(3, 4) }, 't* 0.10')
    expect(compare(first, second, 'White')).toMatchObject({ a: 'vanilla (t* 0.10)', b: 'ADDT (t* 0.10)', images: 4, mcnemar: { onlyB: 2 } })
    expect(compare(first, second, 'DW_Both')).toBeNull()
  })
})
