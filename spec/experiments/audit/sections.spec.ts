import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import type { Section } from '../../../experiments/audit/section.ts'
import { sectionHtml } from '../../../experiments/audit/sectionHtml.ts'
import { sectionMarkdown } from '../../../experiments/audit/sectionMarkdown.ts'
import { killTableSection } from '../../../experiments/audit/sections/killTable.ts'
import { orderingP, tableLintsSection } from '../../../experiments/audit/sections/tableLints.ts'
import { lastRun, mutationResults, quirkResults } from '../../../experiments/audit/storedResults.ts'
import type { AuditResults, ResultRow, SettingResult } from '../../../experiments/dwBox/results.ts'

const section: Section = {
  id: 'one',
  title: 'A < B',
  lead: ['x & y'],
  tables: [
    {
      caption: 'c | d',
      columns: ['Row', 'Value'],
      rows: [['<r>', { text: 'v\nw', href: 'a.ts#L1', tone: 'failed' }]],
    },
  ],
}

const setting = (name: SettingResult['setting'], right: readonly number[]): SettingResult => ({
  setting: name,
  robust: { mean: right.reduce((a, b) => a + b, 0) / right.length, low: 0, high: 1, images: right.length, draws: 1 },
  eotSamples: 1,
  lossCurve: [],
  eotCosine: null,
  imageIds: right.map((_, i) => i),
  cleanOutcomes: right.map(() => '1'),
  robustOutcomes: right.map(String),
})

const row = (white: readonly number[], both: readonly number[]): ResultRow => ({
  id: 'ddpm',
  label: 'DDPM',
  variation: '',
  clean: { mean: 1, low: 1, high: 1, images: white.length, draws: 1 },
  settings: [setting('White', white), setting('DW_Both', both)],
})

const shares = (right: number, of: number): number[] => Array.from({ length: of }, (_, i) => Number(i < right))

const folder = mkdtempSync(join(tmpdir(), 'audit-runs-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const runOf = (id: string, rows: readonly ResultRow[]) =>
  ({
    id,
    command: 'npm start',
    provenance: { time: '2020-01-02T03:04:05Z', git: null },
    options: { seed: 0 },
    rows,
  }) as unknown as AuditResults

describe('sections', () => {
  it('should be escaped in HTML, with a label on each cell for narrow screens', () => {
    const html = sectionHtml(section)
    for (const part of [
      'A &lt; B',
      'x &amp; y',
      '<th scope="row">&lt;r&gt;</th>',
      '<td data-label="Value" class="failed"><a href="a.ts#L1">v<br>w</a></td>',
    ])
      expect(html).toContain(part)
  })

  it('should be escaped in Markdown, a table row per row', () => {
    expect(sectionMarkdown(section)).toEqual([
      '## A \\< B',
      '',
      'x & y',
      '',
      '**c \\| d**',
      '',
      '| Row | Value |',
      '| --- | --- |',
      '| \\<r\\> | [v<br>w](a.ts#L1) |',
      '',
    ])
  })
})

describe('the ordering of a table', () => {
  it('should have the one-sided p of exact McNemar: 2^-n when n images are right only where the attacker knows more', () => {
    expect(orderingP(row(shares(2, 10), shares(9, 10)), 'DW_Both', 'White')!.p).toBeCloseTo(2 ** -7, 12)
    expect(orderingP(row(shares(9, 10), shares(2, 10)), 'DW_Both', 'White')!.p).toBeGreaterThan(0.9)
    expect(orderingP(row([1], [1]), 'DW_Fwd', 'White')).toBeNull()
  })

  const verdicts = (rows: readonly ResultRow[]) => tableLintsSection(runOf('r', rows)).tables[0]!.rows.map(cells => cells.at(-1))

  it('should be called a weak attack only beyond chance', () => {
    expect(verdicts([row(shares(2, 10), shares(9, 10))])).toEqual([{ text: 'weak attack', tone: 'failed' }])
    expect(verdicts([row(shares(2, 10), shares(8, 10))])).toEqual([{ text: 'in order', tone: 'passed' }])
  })

  it('should hold the numbers of the paper to GRIM, and say so where there is no run yet', () => {
    const { lead, tables } = tableLintsSection(undefined)
    expect(lead).toEqual(['No run yet: npm start'])
    expect(tables.at(-1)!.rows.map(cells => cells[3])).toEqual(['172', '484', '401', '527'])
  })

  it('should call a share impossible that no count gives', () => {
    const wrong = row(shares(3, 10), shares(1, 10))
    const settings = wrong.settings.map(s => ({ ...s, robust: { ...s.robust, mean: 0.123 } }))
    const rows = tableLintsSection(runOf('r', [{ ...wrong, settings }])).tables.at(-1)!.rows
    expect(rows.at(-1)!.at(-1)).toEqual({ text: 'impossible', tone: 'failed' })
  })
})

describe('the kill table', () => {
  it('should count the faults that no spec noticed, and show two titles of many', () => {
    const kill = { fault: 'f', file: 'core/a.ts', description: 'd', seconds: 1.6 }
    const { lead, tables } = killTableSection([
      { ...kill, killedBy: ['a', 'b', 'c', 'd'] },
      { ...kill, killedBy: [] },
    ])
    expect(lead).toEqual(['1 of 2 faults put into the code make a spec fail.'])
    expect(tables[0]!.rows.map(cells => cells[2])).toEqual([
      { text: 'a\nb\nand 2 more', tone: 'passed' },
      { text: 'nothing', tone: 'failed' },
    ])
    expect(killTableSection(undefined)).toMatchObject({ lead: ['Not measured yet: npm run audit -- --mutate'], tables: [] })
  })
})

describe('stored results', () => {
  it('should be the last finished run, no other command’s results, and nothing where there is none', () => {
    expect(lastRun(join(folder, 'none'))).toBeUndefined()
    const put = (id: string, content: unknown, seconds: number) => {
      mkdirSync(join(folder, id))
      const path = join(folder, id, 'results.json')
      writeFileSync(path, JSON.stringify(content))
      utimesSync(path, seconds, seconds)
    }
    put('late', runOf('late', []), 2000)
    put('early', runOf('early', []), 1000)
    put('quirks', { arms: {} }, 3000)
    mkdirSync(join(folder, 'unfinished'))
    expect(lastRun(folder)!.id).toBe('late')
  })

  it('should be refused by name when they hold something else', () => {
    writeFileSync(join(folder, 'mutation.json'), '{"a": 1}')
    writeFileSync(join(folder, 'quirks.json'), 'no json')
    expect(() => mutationResults(folder)).toThrow('mutation.json does not hold what it should')
    expect(() => quirkResults(folder)).toThrow('quirks.json does not hold what it should')
  })

  it('should take the mutation check as it names its faults', () => {
    writeFileSync(
      join(folder, 'mutation.json'),
      JSON.stringify([{ id: 'f1', file: 'a.ts', description: 'd', place: 1, killedBy: ['t'], seconds: 2 }]),
    )
    expect(mutationResults(folder)).toEqual([{ fault: 'f1', file: 'a.ts', description: 'd', killedBy: ['t'], seconds: 2 }])
  })
})
