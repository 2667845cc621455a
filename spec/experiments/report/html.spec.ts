import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { decode } from 'fast-png'
import { describe, expect, it } from 'vitest'
import type { AuditResults } from '../../../experiments/dwBox/results.ts'
import { percent, percentRange, points } from '../../../experiments/report/format.ts'
import { pngDataUri } from '../../../experiments/report/html/gallery.ts'
import { renderReport } from '../../../experiments/report/html/index.ts'
import { html } from '../../../experiments/report/html/markup.ts'
import { runs } from '../../support/replay.ts'
import { fixture } from './fixture.ts'
import { readPage } from './markupTree.ts'

const HOSTILE = `<img src=x onerror="alert('1')">&amp;</style></script>`

/** Puts a text wherever results hold one, but for names that decide what is drawn. */
const withTexts = (value: unknown, hostile: string): unknown => {
  if (Array.isArray(value)) return value.map(item => withTexts(item, hostile))
  if (typeof value !== 'object' || value === null) return value
  const kept = new Set(['setting', 'outcome', 'cleanOutcomes', 'robustOutcomes'])
  const pictures = new Set(['clean', 'adversarial', 'perturbation', 'purifiedClean', 'purifiedAdversarial'])
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      typeof item !== 'string' ? withTexts(item, hostile) : item === '' || kept.has(key) || pictures.has(key) ? item : `${item} ${hostile}`,
    ]),
  )
}

describe('renderReport', () => {
  const results = fixture()
  const source = renderReport(results)
  const page = readPage(source)

  it('should show every accuracy with its interval, and every defence', () => {
    for (const row of results.rows) {
      expect(page.text).toContain(row.label)
      for (const accuracy of [row.clean, ...row.settings.map(({ robust }) => robust)]) {
        expect(source).toContain(`<b>${percent(accuracy.mean)}</b> <span class="range">${percentRange(accuracy)}</span>`)
      }
    }
  })

  it('should draw one cell per defence and column, and explain those without an attack of their own', () => {
    const cells = page.elements.filter(({ name, attributes }) => name === 'td' && /data-label="(clean|White|DW_)/.test(attributes))
    const sweeps = results.rows.filter(({ variation }) => variation !== '').length
    expect(cells.length).toBe((results.rows.length - sweeps) * 5 + sweeps * 3)
    expect(page.text.match(/same as White: no reverse noise/g)).toHaveLength(1)
    expect(page.text.match(/same as DW_Both: no reverse noise/g)).toHaveLength(1)
    expect(page.text.match(/no noise to know/g)).toHaveLength(3)
    expect(page.text).not.toContain('not run')
  })

  it('should show every verdict with its evidence, every comparison and every lint', () => {
    for (const { claim, statement, outcome, evidence } of results.verdicts) {
      for (const text of [claim, statement, outcome, evidence]) expect(page.text).toContain(text)
    }
    for (const { a, b, difference } of results.comparisons) {
      expect(page.text).toContain(`${b} against ${a}`)
      expect(page.text).toContain(`${points(difference.low)} to ${points(difference.high)}`)
    }
    for (const lint of results.lints) expect(page.text).toContain(lint)
  })

  it('should draw a line per setting, per swept setting and per attack', () => {
    const lines = page.elements.filter(({ name }) => name === 'polyline').length
    const defaults = results.rows.filter(({ variation }) => variation === '')
    const lossLines = defaults.reduce((sum, row) => sum + row.settings.length, 0)
    // Two defences over t*, each with clean, White and DW_Both; a trajectory has a path and a loss curve.
    expect(lines).toBe(lossLines + 2 * 3 + 2 * results.trajectories.length)
  })

  it('should put the default table into a sweep whose coordinate the options give', () => {
    const onlyOne = { ...results, rows: results.rows.filter(({ variation }) => variation === '' || variation === 't* 0.10') }
    expect(renderReport(onlyOne)).toContain('Accuracy of DDPM vanilla by t*')
    expect(renderReport({ ...onlyOne, options: {} })).not.toContain('Accuracy of DDPM vanilla by t*')
  })

  it('should leave out no option and no provenance', () => {
    const { provenance } = results
    for (const text of [
      results.command,
      provenance.git!.commit,
      provenance.cpu.model,
      provenance.time,
      'attack.norm',
      'gpu.js',
      '20m 34s',
    ]) {
      expect(page.text).toContain(text)
    }
  })

  it('should need nothing beside it', () => {
    expect(page.elements.filter(({ name }) => ['script', 'link', 'iframe', 'object'].includes(name))).toEqual([])
    const addresses = page.elements.flatMap(({ attributes }) => [...attributes.matchAll(/(?:src|href)="([^"]*)"/g)].map(m => m[1]!))
    expect(addresses.length).toBe(5 * results.gallery.length)
    for (const address of addresses) expect(address.startsWith('data:image/png;base64,')).toBe(true)
    expect(source).not.toMatch(/url\(|@import/)
  })

  it('should escape whatever text the results hold', () => {
    const hostile = readPage(renderReport(withTexts(fixture(), HOSTILE) as AuditResults))
    expect(hostile.elements.filter(({ attributes }) => /\sonerror/.test(attributes.replace(/"[^"]*"/g, '""')))).toEqual([])
    expect(hostile.elements.filter(({ name }) => name === 'img')).toHaveLength(5 * results.gallery.length)
    expect(hostile.text).toContain(HOSTILE)
  })

  it('should render a run that measured nothing', () => {
    const empty = { ...fixture(), rows: [], comparisons: [], verdicts: [], lints: [], trajectories: [], gallery: [] }
    expect(readPage(renderReport(empty)).text).toContain('This run gives no answer')
  })
})

describe('html', () => {
  it('should give back any text, in a text and in an attribute', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), text => {
        const page = readPage(html`<p title="${text}">${text}</p>`.markup)
        expect(page.text).toBe(text)
        expect(page.elements).toHaveLength(1)
      }),
    )
  })
})

describe('pngDataUri', () => {
  it('should decode to the same pixels', () => {
    const pictures = fc.tuple(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 12 })).chain(([width, height]) =>
      fc.record({
        width: fc.constant(width),
        height: fc.constant(height),
        pixels: fc.uint8Array({ minLength: width * height, maxLength: width * height }),
      }),
    )
    fc.assert(
      fc.property(pictures, ({ width, height, pixels }) => {
        const uri = pngDataUri(Buffer.from(pixels).toString('base64'), width, height)
        const image = decode(Buffer.from(uri.split(',')[1]!, 'base64'))
        expect([image.width, image.height, image.channels, image.depth]).toEqual([width, height, 1, 8])
        expect([...image.data]).toEqual([...pixels])
      }),
      { numRuns: runs(30) },
    )
  })

  it('should refuse a wrong number of pixels', () => {
    expect(() => pngDataUri(Buffer.from([1, 2, 3]).toString('base64'), 2, 2)).toThrow('a 2 x 2 grey picture has 4 bytes, got 3')
  })
})
