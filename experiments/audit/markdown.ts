import type { Audit, AuditRow, SpecEvidence } from './joinClaims.ts'
import type { Section } from './section.ts'
import { escapedMarkdown as escaped, sectionMarkdown } from './sectionMarkdown.ts'
import { evidenceTitle, type Summary, summaryLines } from './summary.ts'

const cell = (items: readonly string[]): string => items.join('<br>') || 'none'

const evidenceText = (evidence: SpecEvidence): string => {
  const { file, tests, failed, runs, seeds } = evidence
  const outcome = tests === 0 ? 'did not run' : failed > 0 ? `${failed} of ${tests} failed` : `${tests} passed`
  const properties = runs > 0 ? `, ${runs} runs, seed ${seeds.join(', ')}` : ''
  return `[${escaped(evidenceTitle(evidence))}](${file}): ${outcome}${properties}`
}

const rowText = ({ claim, code, evidence, deviations, verdict }: AuditRow): string =>
  `| ${[
    `**${escaped(claim.id)}** ${escaped(claim.place)}`,
    escaped(claim.statement),
    cell(code.map(({ path, symbol, line }) => `[${escaped(symbol || path)}](${path}#L${line})`)),
    claim.properties.join(', '),
    cell(evidence.map(evidenceText)),
    verdict,
    cell(deviations.map(escaped)),
  ].join(' | ')} |`

/** The audit as one Markdown page: a row per claim, and the problems. Links are relative to the project's root. */
export const auditMarkdown = ({ rows, problems }: Audit, summary: Summary, sections: readonly Section[] = []): string =>
  [
    '# Audit: claims, code, evidence',
    '',
    ...summaryLines(summary),
    '',
    ...(problems.length > 0 ? ['## Problems', '', ...problems.map(problem => `- ${escaped(problem)}`), ''] : []),
    '## Claims',
    '',
    '| Paper | Statement | Code | Properties | Specs | Verdict | Deviations |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...rows.map(rowText),
    '',
    ...sections.flatMap(sectionMarkdown),
  ].join('\n')
