import { describe, expect, it } from 'vitest'
import { compare } from '../../../experiments/dwBox/summary.ts'
import { claim1, claim3, lintRows } from '../../../experiments/dwBox/verdicts.ts'
import { firstRight, rowOf } from './rows.ts'

const counts = (white: number, both: number, images: number) =>
  rowOf('DDPM vanilla', { White: firstRight(white, images), DW_Both: firstRight(both, images) })

describe('the verdict on claim 1', () => {
  it.each<[what: string, row: ReturnType<typeof counts>, outcome: string]>([
    ['shown when most of the accuracy goes', counts(60, 20, 100), 'shown'],
    ['not shown when a third of the accuracy goes, however surely', counts(90, 60, 100), 'not shown'],
    ['not shown when five images of ten go from few to fewer', counts(5, 2, 10), 'not shown'],
    ['not shown when nothing changes', counts(50, 50, 100), 'not shown'],
    ['not shown by four images that all behave alike', counts(4, 0, 4), 'not shown'],
    ['not shown when there is no accuracy to lose', counts(0, 0, 100), 'not shown'],
    ['contradicted when accuracy rises', counts(20, 60, 100), 'contradicted'],
    ['not contradicted by four images that all behave alike', counts(0, 4, 4), 'not shown'],
  ])('should be %s', (_, row, outcome) => {
    expect(claim1(row)!.outcome).toBe(outcome)
  })

  it('should give the numbers that decide', () => {
    expect(claim1(counts(60, 20, 100))!.evidence).toMatch(
      /^White 60\.0 % \[.+\], DW_Both 20\.0 % \[.+\]; .* by -40\.0 points \[-49\.\d, -30\.\d\] on the same 100 images, McNemar p = 1\.8e-12: 66\.7 % of the robustness is lost\.$/,
    )
    expect(claim1(counts(0, 1, 4))!.evidence).toMatch(/McNemar p = 1\.0\.$/)
  })

  it('should be none for a row that lacks a setting', () => {
    expect(claim1(rowOf('undefended', { White: firstRight(1, 4) }))).toBeNull()
  })
})

describe('the verdict on claim 3', () => {
  const verdict = (vanilla: number, addt: number, images = 100) => {
    const rows = [vanilla, addt].map((right, i) => rowOf(`row ${i}`, { DW_Both: firstRight(right, images) }))
    return claim3(rows[1]!, [compare(rows[0]!, rows[1]!, 'DW_Both')!])!
  }

  it.each([
    [20, 40, 'shown'],
    [20, 22, 'not shown'],
    [20, 20, 'not shown'],
    [40, 20, 'contradicted'],
  ])('should, for %i against %i of 100 images, be: %s', (vanilla, addt, outcome) => {
    expect(verdict(vanilla, addt).outcome).toBe(outcome)
  })

  it('should give the counts with those of ADDT first', () => {
    expect(verdict(20, 30).evidence).toMatch(
      /^Against row 0: DW_Both \+10\.0 points \[.*\] on 100 images, McNemar 10 against 0, p = 0\.0020\.$/,
    )
  })

  it('should judge a row of the default table by its own comparison, not by that of a sweep', () => {
    const [vanilla, addt] = ['vanilla', 'ADDT'].map((label, i) => rowOf(label, { DW_Both: firstRight(20 + 20 * i, 100) }))
    const sweep = ['vanilla', 'ADDT'].map((label, i) => rowOf(label, { DW_Both: firstRight(40 - 20 * i, 100) }, 't* 0.20'))
    const comparisons = [compare(sweep[0]!, sweep[1]!, 'DW_Both')!, compare(vanilla!, addt!, 'DW_Both')!]
    expect(claim3(addt!, comparisons)!.outcome).toBe('shown')
    expect(claim3(vanilla!, comparisons)).toBeNull()
  })
})

describe('lintRows', () => {
  it('should be silent about a consistent table', () => {
    expect(lintRows([counts(60, 20, 100), counts(20, 22, 100)])).toEqual([])
  })

  it('should tell that knowing more cannot make an attack weaker (E14)', () => {
    const row = rowOf('ADDT', { White: firstRight(20, 100), DW_Both: firstRight(60, 100) }, 't* 0.10')
    expect(lintRows([row])).toEqual(['ADDT (t* 0.10): DW_Both is +40.0 points above White; the attack in DW_Both is too weak (E14)'])
  })

  it('should tell a share that no count gives (GRIM)', () => {
    const row = rowOf('ADDT', { White: firstRight(3, 10) })
    const forged = { ...row, settings: row.settings.map(s => ({ ...s, robust: { ...s.robust, mean: 0.345 } })) }
    expect(lintRows([forged])).toEqual(['ADDT White: 34.5 % is no count of 10 images x 1 draws (GRIM)'])
  })
})
