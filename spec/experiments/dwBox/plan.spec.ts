import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { splitDigits } from '../../../experiments/data/digits.ts'
import { parseAuditOptions } from '../../../experiments/dwBox/options.ts'
import { planRows, planUnits } from '../../../experiments/dwBox/plan.ts'
import { runs } from '../../support/replay.ts'

const options = fc
  .record({
    images: fc.integer({ min: 2, max: 500 }),
    imagesDeterministic: fc.integer({ min: 2, max: 500 }),
    eotSamples: fc.integer({ min: 1, max: 7 }),
    steps: fc.integer({ min: 0, max: 40 }),
    full: fc.boolean(),
  })
  .map(parseAuditOptions)

const expectDistinct = (names: readonly string[]): void => {
  expect(new Set(names).size).toBe(names.length)
}

/** Every plan splits the digits anew. */
const few = { numRuns: runs(20) }

describe('planRows', () => {
  it('should name every row once', () => {
    fc.assert(fc.property(options, o => expectDistinct(planRows(o).map(({ id }) => id))))
  })

  it('should attack DDIM in its two distinct settings, and nothing but White where there is no purifier', () => {
    const settingsOf = (id: string) =>
      planRows(parseAuditOptions({}))
        .find(row => row.id === id)!
        .settings.map(({ name }) => name)
    expect(settingsOf('ddim-vanilla')).toEqual(['White', 'DW_Both'])
    expect(settingsOf('ddpm-vanilla')).toEqual(['White', 'DW_Fwd', 'DW_Rev', 'DW_Both'])
    expect(settingsOf('undefended')).toEqual(['White'])
  })

  it('should give DW_Both one EoT sample and keep the others over whatever stays random', () => {
    fc.assert(
      fc.property(options, o => {
        for (const row of planRows(o).filter(({ defence }) => defence.purifier !== null)) {
          for (const { name, eotSamples } of row.settings) expect(eotSamples).toBe(name === 'DW_Both' ? 1 : o.eotSamples)
        }
      }),
    )
  })

  it('should begin a full run with the default table, and add sweeps, controls and two training seeds', () => {
    const [table, full] = [false, true].map(value => planRows(parseAuditOptions({ full: value })))
    expect(full!.slice(0, table!.length)).toEqual(table)
    expect(table!.every(({ variation }) => variation === '')).toBe(true)
    const added = new Set(full!.slice(table!.length).map(({ variation }) => variation))
    expect([...added]).toEqual([
      'other processes',
      't* 0.10',
      't* 0.20',
      'epsilon 0.10',
      'epsilon 0.20',
      'l_2, epsilon 0.75',
      'attack of 5 times the steps',
      'attack straight through clamps',
      'noise and one denoising',
      'controls',
      'training seed 1',
      'training seed 2',
    ])
  })

  it('should step by a quarter of the radius in every row', () => {
    for (const { attack } of planRows(parseAuditOptions({ full: true, epsilon: 0.3 })))
      expect(attack.stepSize).toBeCloseTo(attack.epsilon / 4, 12)
  })
})

describe('planUnits', () => {
  it('should name every unit once', () => {
    fc.assert(
      fc.property(options, o => expectDistinct(planUnits(planRows(o), o).map(({ key }) => key))),
      few,
    )
  })

  it('should cover the first test images of every setting exactly once', () => {
    const { test } = splitDigits()
    fc.assert(
      fc.property(options, o => {
        const rows = planRows(o)
        const units = planUnits(rows, o).filter(({ kind }) => kind === 'accuracy')
        for (const row of rows) {
          for (const setting of row.settings) {
            const ids = units.filter(unit => unit.row.id === row.id && unit.setting.name === setting.name).flatMap(unit => unit.imageIds)
            const nothingRandom = row.id === 'undefended' || setting.name === 'DW_Both'
            const halfRandom = setting.name === 'DW_Fwd' || setting.name === 'DW_Rev'
            const expected = test.slice(0, nothingRandom ? o.imagesDeterministic : halfRandom ? o.imagesPartial : o.images)
            expect(Int32Array.from(ids).sort()).toEqual(expected.sort())
          }
        }
      }),
      few,
    )
  })

  it('should take the longest units first', () => {
    fc.assert(
      fc.property(options, o => {
        const work = planUnits(planRows(o), o).map(unit => unit.work)
        expect(work).toEqual([...work].sort((a, b) => b - a))
      }),
      few,
    )
  })

  it('should show pictures of clean and ADDT fine-tuning and follow attacks on the first', () => {
    const o = parseAuditOptions({})
    const others = planUnits(planRows(o), o).filter(({ kind }) => kind !== 'accuracy')
    expect(others.map(({ key }) => key).sort()).toEqual(['gallery/ddpm-addt-scaled', 'gallery/ddpm-vanilla', 'trajectory/ddpm-vanilla'])
  })
})
