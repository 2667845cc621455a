import { measuredEffect } from '../../quirks/effects.ts'
import { type Finding, findings } from '../../quirks/findings.ts'
import { differingOptions, type Reading, readings } from '../../quirks/readings.ts'
import type { QuirkResults } from '../../quirks/results.ts'
import { type Cell, percent, points, type Section } from '../section.ts'

/** Link of `file#symbol` to its line; the file alone where the symbol is not found. */
export type CodeLink = (reference: string) => string

const commitOf = ({ provenance: { git } }: QuirkResults): string =>
  git ? `commit ${git.commit.slice(0, 12)}${git.dirty ? ' with changes' : ''}` : 'no commit'

const open: Cell = { text: 'not measured yet: npm run quirks', tone: 'open' }

const effectCells = (finding: Finding, results: QuirkResults | undefined): Cell[] => {
  if (finding.why === 'ties') {
    if (!results) return [open]
    const { tied, pixels, images } = results.ties
    const share = `${tied} of ${pixels} values of CGPO's delta on ${images} images are tied`
    return [{ text: tied === 0 ? `no effect on numbers: ${share}` : share }]
  }
  if (finding.effects.length === 0) return [{ text: finding.why ?? '' }]
  return finding.effects.map(effect => {
    const found = results && measuredEffect(results, effect)
    if (!found) return { text: `${effect.label}: ${open.text}`, tone: 'open' }
    const { difference: d, mcnemar: m, images, meanA } = found.paired
    const undecided = found.undecided > 0 ? `; ${percent(found.undecided)} of its images differ between draws` : ''
    return {
      text:
        `${found.label}: ${points(d.mean)} points [${points(d.low)}, ${points(d.high)}] from ${percent(meanA)}, ${images} images, ` +
        `McNemar ${m.onlyB} against ${m.onlyA}, p = ${m.p.toPrecision(2)}${undecided}`,
    }
  })
}

const shown = (value: Reading[keyof Reading]): string => (typeof value === 'object' ? JSON.stringify(value) : String(value))

/** The findings about the published scripts with what they change, and the two readings side by side. */
export const quirksSection = (results: QuirkResults | undefined, link: CodeLink): Section => ({
  id: 'quirks',
  title: 'Published scripts against the paper',
  lead: [
    results
      ? `Measured by ${results.command} on ${results.provenance.time.slice(0, 10)} at ${commitOf(results)}, on the digits: ${Object.entries(
          results.options,
        )
          .map(([name, value]) => `${name} ${value}`)
          .join(', ')}.`
      : 'Nothing is measured yet: npm run quirks',
    'An effect is the accuracy of what the scripts do minus that of what stands beside it, on the same images and draws, with its paired 95 % interval and exact McNemar. Short trainings show a direction, not the end of it.',
  ],
  tables: [
    {
      caption: 'Findings',
      columns: ['Finding', 'Published scripts', 'Paper', 'Our option', 'Effect'],
      rows: findings.map(finding => {
        const cells = effectCells(finding, results)
        return [
          finding.id,
          finding.scripts,
          finding.paper,
          { text: finding.option, href: link(finding.code) },
          { text: cells.map(({ text }) => text).join('\n'), ...(cells.some(({ tone }) => tone === 'open') && { tone: 'open' as const }) },
        ]
      }),
    },
    {
      caption: 'The two readings; what is not named is the same in both',
      columns: ['Option', 'paper', 'faithful'],
      rows: differingOptions().map(name => [name, shown(readings.paper[name]), shown(readings.faithful[name])]),
    },
  ],
})
