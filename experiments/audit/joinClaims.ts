import type { Claim } from '../../spec/claims.ts'
import { lineOfSymbol, type PaperTag, type SourceFile } from './paperTags.ts'
import type { SpecResult } from './specReport.ts'

export interface CodePlace {
  readonly path: string
  readonly symbol: string
  readonly line: number
}

/** The tests behind one entry of a claim's `specs`. */
export interface SpecEvidence {
  readonly file: string
  /** Of the first test; the part that was asked for when none ran. */
  readonly title: string
  readonly tests: number
  readonly failed: number
  readonly runs: number
  readonly seeds: readonly number[]
}

/** A claim with everything that was found for it. */
export interface AuditRow {
  readonly claim: Claim
  readonly code: readonly CodePlace[]
  readonly evidence: readonly SpecEvidence[]
  readonly deviations: readonly string[]
  /** `passed`: every spec it names ran and passed; `failed`: one did not pass; `open`: code or a spec is missing. */
  readonly verdict: 'passed' | 'failed' | 'open'
}

export interface Audit {
  readonly rows: readonly AuditRow[]
  /** One line each; empty when the audit passes. */
  readonly problems: readonly string[]
}

export interface AuditInput {
  readonly claims: readonly Claim[]
  readonly tags: readonly PaperTag[]
  readonly sources: readonly SourceFile[]
  readonly results: readonly SpecResult[]
}

const splitReference = (reference: string): [string, string] => {
  const at = reference.indexOf('#')
  return at < 0 ? [reference, ''] : [reference.slice(0, at), reference.slice(at + 1)]
}

const unique = <T>(items: readonly T[]): T[] => [...new Set(items)]

const locate = (claim: Claim, { tags, sources }: AuditInput, problems: string[]): CodePlace[] => {
  const named = claim.code.flatMap(reference => {
    const [path, symbol] = splitReference(reference)
    const source = sources.find(file => file.path === path)
    const line = source && lineOfSymbol(source.text, symbol)
    if (line !== undefined) return [{ path, symbol, line }]
    problems.push(`${claim.id}: ${source ? `${path} declares no "${symbol}"` : `there is no file ${path}`}; correct the claim's code`)
    return []
  })
  const tagged = tags
    .filter(tag => tag.id === claim.id && !claim.code.includes(`${tag.path}#${tag.symbol}`))
    .map(({ path, symbol, line }) => ({ path, symbol, line }))
  const places = [...named, ...tagged]
  if (places.length === 0 && claim.code.length === 0)
    problems.push(`${claim.id}: no code implements it; name a symbol or tag one with @paper ${claim.id}`)
  return places
}

const collect = (claim: Claim, { results }: AuditInput, problems: string[]): SpecEvidence[] => {
  if (claim.specs.length === 0) problems.push(`${claim.id}: no spec supports it; write one and name it`)
  return claim.specs.map(reference => {
    const [file, title] = splitReference(reference)
    const matching = results.filter(result => result.file === file && result.title.includes(title) && result.status !== 'skipped')
    if (matching.length === 0) problems.push(`${claim.id}: no test "${title}" ran in ${file}; run it, or correct the claim's specs`)
    return {
      file,
      title: matching[0]?.title ?? title,
      tests: matching.length,
      failed: matching.filter(result => result.status === 'failed').length,
      runs: matching.reduce((total, result) => total + (result.runs ?? 0), 0),
      seeds: unique(matching.flatMap(result => (result.seed === undefined ? [] : [result.seed]))),
    }
  })
}

const verdictOf = (claim: Claim, code: readonly CodePlace[], evidence: readonly SpecEvidence[]): AuditRow['verdict'] => {
  if (evidence.some(({ failed }) => failed > 0)) return 'failed'
  const located = claim.code.every(reference => code.some(({ path, symbol }) => reference === `${path}#${symbol}`))
  const complete = located && code.length > 0 && evidence.length > 0 && evidence.every(({ tests }) => tests > 0)
  return complete ? 'passed' : 'open'
}

/**
 * Joins the table of claims with the code that carries or is named for each, and with the results of its specs.
 * A problem is: a claim without code or without a spec, code or a spec that is named and not there, a tag without a claim,
 * a claim given twice, and every failed test, claimed or not.
 */
export const joinClaims = (input: AuditInput): Audit => {
  const { claims, tags, results } = input
  const problems: string[] = []
  const ids = claims.map(({ id }) => id)
  for (const id of unique(ids.filter((id, i) => ids.indexOf(id) !== i))) problems.push(`${id}: claimed twice; keep one row`)

  const rows = claims.map(claim => {
    const code = locate(claim, input, problems)
    const evidence = collect(claim, input, problems)
    const told = tags.filter(tag => tag.id === claim.id && tag.deviations !== '').map(tag => `${tag.symbol}: ${tag.deviations}`)
    const deviations = unique([...(claim.deviations ? [claim.deviations] : []), ...told])
    return { claim, code, evidence, deviations, verdict: verdictOf(claim, code, evidence) }
  })

  for (const { id, path, line } of tags) {
    if (!ids.includes(id)) problems.push(`${path}:${line}: @paper ${id} names no claim; add it to spec/claims.ts or correct the tag`)
  }
  for (const { file, title, message } of results.filter(({ status }) => status === 'failed')) {
    problems.push(`${file}: "${title}" failed: ${message ?? 'no message'}`)
  }
  return { rows, problems }
}
