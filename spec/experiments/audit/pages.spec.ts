import { describe, expect, it } from 'vitest'
import { auditHtml } from '../../../experiments/audit/html.ts'
import type { Audit } from '../../../experiments/audit/joinClaims.ts'
import { auditMarkdown } from '../../../experiments/audit/markdown.ts'
import { type Summary, summaryLines } from '../../../experiments/audit/summary.ts'

const audit: Audit = {
  rows: [
    {
      claim: { id: 'E8', place: 'Figure 4', statement: 'a < b | c', code: [], specs: [], properties: ['P1', 'P2'] },
      code: [{ path: 'algorithms/rbgm.ts', symbol: 'rbgm', line: 9 }],
      evidence: [
        { file: 'spec/rbgm.spec.ts', title: 'keeps <order>', tests: 3, failed: 1, runs: 60, seeds: [5] },
        { file: 'spec/late.spec.ts', title: 'late', tests: 0, failed: 0, runs: 0, seeds: [] },
      ],
      deviations: ['ties & ranks'],
      verdict: 'failed',
    },
  ],
  problems: ['E8: late <b>'],
}
const summary: Summary = {
  claims: 1,
  passed: 0,
  tests: 3,
  failed: 1,
  propertyRuns: 60,
  seeds: [5, 6],
  commit: 'abc',
  node: 'v20',
  time: 'now',
}

describe('audit pages', () => {
  it('should say how many claims hold, what ran, and from which seed and commit', () => {
    expect(summaryLines(summary)).toEqual([
      '0 of 1 claims have their code and pass their specs.',
      '3 tests ran, 1 failed, with 60 property runs from seed 5 and 1 that specs fix.',
      'Commit abc, Node v20, now.',
    ])
  })

  it('should show place, statement, code, properties, evidence, verdict and deviations in one Markdown row', () => {
    expect(auditMarkdown(audit, summary)).toContain(
      '| **E8** Figure 4 | a \\< b \\| c | [rbgm](algorithms/rbgm.ts#L9) | P1, P2 | [keeps \\<order\\> (and 2 more)](spec/rbgm.spec.ts): 1 of 3 failed, 60 runs, seed 5<br>[late](spec/late.spec.ts): did not run | failed | ties & ranks |',
    )
    expect(auditMarkdown(audit, summary)).toContain('- E8: late \\<b\\>')
  })

  it('should escape everything it puts into the HTML page and load nothing from elsewhere', () => {
    const html = auditHtml(audit, summary)
    for (const text of [
      'E8: a &lt; b | c',
      'keeps &lt;order&gt; (and 2 more)',
      'ties &amp; ranks',
      'E8: late &lt;b&gt;',
      'algorithms/rbgm.ts:9',
    ]) {
      expect(html).toContain(text)
    }
    expect(html).not.toMatch(/https?:|<script|<link|@import|src=/)
  })
})
