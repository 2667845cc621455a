import type { Provenance } from '../support/provenance.ts'
import type { Audit, SpecEvidence } from './joinClaims.ts'
import type { SpecResult } from './specReport.ts'

/** What both reports say at the top. */
export interface Summary {
  readonly claims: number
  /** Claims whose code is there and whose specs all passed. */
  readonly passed: number
  readonly tests: number
  readonly failed: number
  readonly propertyRuns: number
  readonly seeds: readonly number[]
  readonly commit: string
  readonly node: string
  readonly time: string
}

export const summarise = ({ rows }: Audit, results: readonly SpecResult[], { git, node, time }: Provenance): Summary => ({
  claims: rows.length,
  passed: rows.filter(({ verdict }) => verdict === 'passed').length,
  tests: results.filter(({ status }) => status !== 'skipped').length,
  failed: results.filter(({ status }) => status === 'failed').length,
  propertyRuns: results.reduce((total, { runs = 0 }) => total + runs, 0),
  seeds: [...new Set(results.flatMap(({ seed }) => (seed === undefined ? [] : [seed])))],
  commit: git ? `${git.commit.slice(0, 12)}${git.dirty ? ' with changes' : ''}` : 'no commit',
  node,
  time,
})

const seedText = ([first, ...others]: readonly number[]): string =>
  first === undefined ? 'no seed' : others.length === 0 ? `seed ${first}` : `seed ${first} and ${others.length} that specs fix`

/** Figures of the summary as sentences. */
export const summaryLines = (s: Summary): string[] => [
  `${s.passed} of ${s.claims} claims have their code and pass their specs.`,
  `${s.tests} tests ran, ${s.failed} failed, with ${s.propertyRuns} property runs from ${seedText(s.seeds)}.`,
  `Commit ${s.commit}, Node ${s.node}, ${s.time}.`,
]

/** The title of a claim's evidence, saying how many tests beside the first share what was asked for. */
export const evidenceTitle = ({ title, tests }: SpecEvidence): string => (tests > 1 ? `${title} (and ${tests - 1} more)` : title)
