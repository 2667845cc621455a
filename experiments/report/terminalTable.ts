import type { AuditResults, Comparison, Verdict } from '../dwBox/results.ts'
import { formatDuration } from '../support/progress.ts'
import { type Attribute, type Paint, painter } from './ansi.ts'
import { answerOf, QUESTION } from './answer.ts'
import { points, pValue } from './format.ts'
import { sampleSizes } from './sampleSizes.ts'
import { sectionsOf, sectionTitle } from './sections.ts'
import { paragraph, plain, wrap } from './textLayout.ts'
import { textTable } from './textTable.ts'

export interface TableOptions {
  readonly color: boolean
  /** Columns of the terminal; below 40 it is laid out for 40. */
  readonly width: number
  /** Where the files of the run lie; printed whole, whatever the width, so that they can be copied. */
  readonly paths?: { readonly results: string; readonly report: string }
}

const SMALLEST_WIDTH = 40

const OUTCOME: Readonly<Record<Verdict['outcome'], readonly [mark: string, attribute: Attribute]>> = {
  shown: ['✔', 'green'],
  'not shown': ['○', 'yellow'],
  contradicted: ['✘', 'red'],
}

const LEGEND =
  'Accuracy in % with its 95 % Wilson interval. cos: cosine between gradients of two independent halves of the EoT samples; ' +
  'near 1 the attacker knows where to go, near 0 the gradient is noise. "= White" and "= DW_Both": the same attack, since a ' +
  'deterministic reverse process has no noise to know.'

/** The results of a run for a terminal: the answer, the table, the sweeps, comparisons, verdicts, lints and where the files lie. */
export const renderTable = (results: AuditResults, { color, width: given, paths }: TableOptions): string => {
  const width = Math.max(SMALLEST_WIDTH, Math.floor(given))
  const paint = painter(color)
  const title = (text: string): string[] => ['', ...wrap(text, width).map(line => paint('cyan', line))]

  const lines = [
    ...wrap(QUESTION, width).map(line => paint('bold', line)),
    ...wrap(answerOf(results), width),
    ...sectionsOf(results).flatMap(section => [
      ...title(sectionTitle(section)),
      ...textTable(section, width, paint),
      ...wrap(sampleSizes(section), width).map(line => paint('dim', line)),
    ]),
    '',
    ...wrap(LEGEND, width).map(line => paint('dim', line)),
  ]
  if (results.comparisons.length > 0) {
    lines.push(...title('Comparisons on the same images (points, 95 % interval; exact McNemar on majorities)'))
    lines.push(...results.comparisons.flatMap(comparison => comparisonLines(comparison, width, paint)))
  }
  if (results.verdicts.length > 0) {
    lines.push(...title('Verdicts'), ...results.verdicts.flatMap(verdict => verdictLines(verdict, width, paint)))
  }
  lines.push(...title('Lints'), ...lintLines(results.lints, width, paint))
  lines.push('', ...wrap(`${formatDuration(results.seconds)} on ${results.provenance.backend}, seed ${results.provenance.seed}`, width))
  if (paths) lines.push(`results  ${plain(paths.results)}`, `report   ${plain(paths.report)}`)
  return lines.join('\n')
}

const comparisonLines = ({ setting, a, b, images, difference, mcnemar }: Comparison, width: number, paint: Paint): string[] => {
  const { mean, low, high } = difference
  const decided = low > 0 || high < 0
  const numbers =
    `${points(mean)} [${points(low)}, ${points(high)}], McNemar ${pValue(mcnemar.p)} ` +
    `(of ${images} images only the first right on ${mcnemar.onlyB}, only the second on ${mcnemar.onlyA})`
  return [
    ...paragraph(`${b} against ${a}`, width, 9, setting),
    ...paragraph(numbers, width, 9).map(line => (decided ? line : paint('dim', line))),
  ]
}

const verdictLines = ({ claim, statement, outcome, evidence }: Verdict, width: number, paint: Paint): string[] => {
  const [mark, attribute] = OUTCOME[outcome]
  return [
    ...paragraph(`${outcome}: ${claim}`, width, 2, mark).map(line => paint(attribute, line)),
    ...paragraph(statement, width, 2),
    ...paragraph(evidence, width, 2).map(line => paint('dim', line)),
  ]
}

const lintLines = (lints: readonly string[], width: number, paint: Paint): string[] =>
  lints.length === 0
    ? wrap('none: the table respects the order of the settings (E14) and its percentages are possible counts (GRIM)', width)
    : lints.flatMap(lint => paragraph(lint, width, 2, '!')).map(line => paint('yellow', line))
