import { describe, expect, it } from 'vitest'
import { parseAuditOptions } from '../../../experiments/dwBox/options.ts'
import { planRows, planUnits } from '../../../experiments/dwBox/plan.ts'
import { processSteps } from '../../../experiments/dwBox/process.ts'

const plan = (given: Record<string, unknown>) => {
  const options = parseAuditOptions(given)
  const rows = planRows(options)
  return { ddpm: rows.find(({ id }) => id === 'ddpm-vanilla')!, units: planUnits(rows, options) }
}

const intervalsOf = (given: Record<string, unknown>) => {
  const steps = processSteps(plan(given).ddpm.defence)
  return 'schedule' in steps ? steps.intervals : []
}

describe('--reading', () => {
  it('should be the default in the reading of the paper, but for the name', () => {
    const [none, paper] = [plan({}), plan({ reading: 'paper' })]
    expect(paper.ddpm.settings).toEqual(none.ddpm.settings)
    expect(intervalsOf({ reading: 'paper' })).toEqual(intervalsOf({}))
    expect(paper.units.map(({ key }) => key)).toEqual(none.units.map(({ key }) => key))
  })

  it('should take the timesteps of the scripts, one report draw, and one EoT sample in DW_Fwd alone', () => {
    const { ddpm, units } = plan({ reading: 'faithful' })
    expect(ddpm.settings.map(({ name, eotSamples }) => `${name} ${eotSamples}`)).toEqual(['White 5', 'DW_Fwd 1', 'DW_Rev 5', 'DW_Both 1'])
    expect(units.flatMap(unit => (unit.kind === 'accuracy' ? [unit.reportDraws] : [])).every(draws => draws === 1)).toBe(true)
    expect(intervalsOf({ reading: 'faithful' }).map(({ t }) => t)).toEqual([150, 120, 90, 60, 30, 0])
    expect(intervalsOf({}).map(({ t }) => t)).toEqual([149, 119, 89, 59, 29])
  })

  it('should judge by as many report draws as are asked for, in every reading', () => {
    for (const reading of ['paper', 'faithful']) {
      const draws = plan({ reading, reportDraws: 3 }).units.flatMap(unit => (unit.kind === 'accuracy' ? [unit.reportDraws] : []))
      expect(new Set(draws)).toEqual(new Set([3]))
    }
  })

  it('should refuse processes that have no such timesteps', () => {
    expect(() => parseAuditOptions({ reading: 'faithful', process: 'vpsde' })).toThrow('--reading faithful fits ddpm, ddim only')
    expect(() => parseAuditOptions({ reading: 'faithful', full: true })).toThrow('--reading faithful fits ddpm, ddim only')
    expect(() => parseAuditOptions({ reading: 'other' })).toThrow('--reading is "other"')
  })
})
