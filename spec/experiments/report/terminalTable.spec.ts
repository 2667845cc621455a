import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { percent, percentRange, points, pValue } from '../../../experiments/report/format.ts'
import { renderTable } from '../../../experiments/report/terminalTable.ts'
import { columns, wrap } from '../../../experiments/report/textLayout.ts'
import { runs } from '../../support/replay.ts'
import { fixture } from './fixture.ts'

const ESC = String.fromCharCode(27)
const withoutColor = (text: string): string => text.replace(new RegExp(`${ESC}\\[\\d+m`, 'g'), '')
const render = (width: number, results = fixture()): string => renderTable(results, { color: false, width })
/** Wrapped texts as one line again. */
const flat = (text: string): string => text.replace(/\s+/g, ' ')

describe('renderTable', () => {
  const results = fixture()

  it.each([40, 60, 80, 100, 160])('should show every row, setting, verdict and comparison at width %i', width => {
    const text = render(width)
    for (const row of results.rows) {
      for (const word of row.label.split(' ')) expect(text).toContain(word)
      for (const accuracy of [row.clean, ...row.settings.map(({ robust }) => robust)]) {
        expect(text).toContain(percent(accuracy.mean))
        expect(text).toContain(percentRange(accuracy))
      }
      for (const { eotCosine } of row.settings) if (eotCosine !== null) expect(text).toContain(`cos ${eotCosine.toFixed(2)}`)
    }
    for (const { claim, outcome, statement, evidence } of results.verdicts) {
      for (const part of [`${outcome}: ${claim}`, statement, evidence]) expect(flat(text)).toContain(part)
    }
    for (const { difference, mcnemar } of results.comparisons) {
      expect(flat(text)).toContain(
        `${points(difference.mean)} [${points(difference.low)}, ${points(difference.high)}], McNemar ${pValue(mcnemar.p)}`,
      )
    }
    for (const lint of results.lints) expect(flat(text)).toContain(lint)
  })

  it('should explain every cell without an attack of its own', () => {
    const lines = render(120).split('\n')
    const row = lines.findIndex(line => line.startsWith('DDIM vanilla'))
    expect(lines.slice(row, row + 3).join('\n')).toMatch(/= DW_Both +.*= White/)
    const bare = lines.findIndex(line => line.startsWith('undefended'))
    expect(lines[bare + 1]!.match(/no noise/g)).toHaveLength(3)
  })

  it('should not take a setting that a sweep left out for one that coincides', () => {
    const rows = fixture().rows.filter(row => row.id === 'ddpm-vanilla' || row.id === 'ddpm-vanilla-t0.10')
    const mixed = rows.map(row => ({ ...row, variation: 't* 0.10' }))
    const text = render(120, { ...results, rows: mixed })
    expect(text).toContain('not run')
    expect(text.slice(0, text.indexOf('Accuracy in %'))).not.toContain('= White')
  })

  it('should never be wider than the terminal, whatever the texts', () => {
    const texts = fc.string({ unit: 'grapheme-ascii', maxLength: 90 })
    fc.assert(
      fc.property(fc.integer({ min: 40, max: 200 }), fc.boolean(), texts, (width, color, text) => {
        const base = fixture()
        const odd = {
          ...base,
          rows: base.rows.slice(0, 6).map(row => ({ ...row, label: row.label + text, variation: row.variation && row.variation + text })),
          verdicts: base.verdicts.map(verdict => ({ ...verdict, statement: text, claim: verdict.claim + text })),
          lints: [text],
        }
        for (const line of withoutColor(renderTable(odd, { color, width })).split('\n')) {
          expect(columns(line)).toBeLessThanOrEqual(width)
        }
      }),
      { numRuns: runs(25) },
    )
  })

  it('should say the same with colour and without', () => {
    const colored = renderTable(results, { color: true, width: 80 })
    expect(colored).toContain(ESC)
    expect(withoutColor(colored)).toBe(render(80))
    expect(render(80)).not.toContain(ESC)
  })

  it('should not let a text steer the terminal', () => {
    const steering = { ...results, lints: [`${ESC}[2Jgone\r\n`], rows: [{ ...results.rows[1]!, label: `${ESC}[31mred` }] }
    expect(render(80, steering)).not.toContain(ESC)
    expect(render(80, steering)).not.toContain('\r')
  })

  it('should end with the places of the files, uncut', () => {
    const place = `/a/${'long/'.repeat(30)}`
    const text = renderTable(results, {
      color: false,
      width: 60,
      paths: { results: `${place}results.json`, report: `${place}report.html` },
    })
    expect(text.split('\n').slice(-2)).toEqual([`results  ${place}results.json`, `report   ${place}report.html`])
  })

  it('should answer by the verdict on claim 1', () => {
    const answers = (['shown', 'not shown', 'contradicted'] as const).map(
      outcome => render(200, { ...results, verdicts: [{ ...results.verdicts[0]!, outcome }] }).split('\n')[1]!,
    )
    expect(answers[0]).toMatch(/^Yes, in this run: DDPM vanilla/)
    expect(answers[1]).toMatch(/^This run does not show it/)
    expect(answers[2]).toMatch(/^No, not in this run/)
    expect(render(200, { ...results, rows: [] })).toContain('This run gives no answer')
  })
})

describe('wrap', () => {
  it('should keep every word in order and every line within the width', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: 'grapheme-ascii', maxLength: 30 }).map(word => word.replace(/ /g, '_'))),
        fc.integer({ min: 1, max: 25 }),
        (words, width) => {
          const lines = wrap(words.join(' '), width)
          for (const line of lines) expect(columns(line)).toBeLessThanOrEqual(width)
          expect(lines.join('').replace(/ /g, '')).toBe(words.join(''))
        },
      ),
    )
  })
})

describe('points', () => {
  it('should sign what does not round to nothing', () => {
    expect([0.0421, -0.0134, 0.0004, -0.0004].map(points)).toEqual(['+4.2', '−1.3', '0.0', '0.0'])
  })
})
