import { describe, expect, it } from 'vitest'
import { type AuditInput, joinClaims } from '../../../experiments/audit/joinClaims.ts'
import type { SpecResult } from '../../../experiments/audit/specReport.ts'
import type { Claim } from '../../claims.ts'

const claim: Claim = {
  id: 'E8',
  place: 'Section 4.2',
  statement: 'ranks',
  code: ['algorithms/rbgm.ts#rbgm'],
  specs: ['spec/rbgm.spec.ts#keep the order'],
  properties: ['P2'],
}
const passed: SpecResult = { file: 'spec/rbgm.spec.ts', title: 'rbgm should keep the order', status: 'passed', runs: 100, seed: 7 }
const sound: AuditInput = {
  claims: [claim],
  tags: [{ id: 'E8', path: 'algorithms/rbgm.ts', line: 3, symbol: 'rbgm', deviations: 'ties are broken at random' }],
  sources: [{ path: 'algorithms/rbgm.ts', text: '\n\n\n\nexport const rbgm = 1\n' }],
  results: [passed],
}

const audit = (change: Partial<AuditInput>) => joinClaims({ ...sound, ...change })

describe('joinClaims', () => {
  it('should join a claim with its code, its tests with runs and seed, and its deviations', () => {
    expect(audit({})).toEqual({
      rows: [
        {
          claim,
          code: [{ path: 'algorithms/rbgm.ts', symbol: 'rbgm', line: 5 }],
          evidence: [{ file: 'spec/rbgm.spec.ts', title: 'rbgm should keep the order', tests: 1, failed: 0, runs: 100, seeds: [7] }],
          deviations: ['rbgm: ties are broken at random'],
          verdict: 'passed',
        },
      ],
      problems: [],
    })
  })

  it('should find code by its tag alone, and add up the tests of one title', () => {
    const { rows, problems } = audit({ claims: [{ ...claim, code: [] }], results: [passed, { ...passed, title: 'cpu keep the order' }] })
    expect(problems).toEqual([])
    expect(rows[0]!.code).toEqual([{ path: 'algorithms/rbgm.ts', symbol: 'rbgm', line: 3 }])
    expect(rows[0]!.evidence[0]).toMatchObject({ tests: 2, runs: 200, seeds: [7] })
  })

  it.each<[string, Partial<AuditInput>, string, string]>([
    [
      'a claim without code',
      { claims: [{ ...claim, code: [] }], tags: [] },
      'open',
      'E8: no code implements it; name a symbol or tag one with @paper E8',
    ],
    [
      'a named symbol that is gone',
      { claims: [{ ...claim, code: ['algorithms/rbgm.ts#rank'] }] },
      'open',
      'E8: algorithms/rbgm.ts declares no "rank"; correct the claim\'s code',
    ],
    ['a named file that is gone', { sources: [] }, 'open', "E8: there is no file algorithms/rbgm.ts; correct the claim's code"],
    ['a claim without a spec', { claims: [{ ...claim, specs: [] }] }, 'open', 'E8: no spec supports it; write one and name it'],
    [
      'a claimed spec that did not run',
      { results: [{ ...passed, title: 'something else' }] },
      'open',
      'E8: no test "keep the order" ran in spec/rbgm.spec.ts; run it, or correct the claim\'s specs',
    ],
    [
      'a claimed spec that was skipped',
      { results: [{ ...passed, status: 'skipped' }] },
      'open',
      'E8: no test "keep the order" ran in spec/rbgm.spec.ts; run it, or correct the claim\'s specs',
    ],
    [
      'a claimed spec that failed',
      { results: [passed, { ...passed, status: 'failed', message: 'order lost' }] },
      'failed',
      'spec/rbgm.spec.ts: "rbgm should keep the order" failed: order lost',
    ],
    [
      'a failed spec that no claim names',
      { results: [passed, { file: 'spec/other.spec.ts', title: 'other', status: 'failed', message: 'no' }] },
      'passed',
      'spec/other.spec.ts: "other" failed: no',
    ],
    [
      'a tag without a claim',
      { tags: [...sound.tags, { id: 'E99', path: 'core/a.ts', line: 12, symbol: 'a', deviations: '' }] },
      'passed',
      'core/a.ts:12: @paper E99 names no claim; add it to spec/claims.ts or correct the tag',
    ],
    ['a claim given twice', { claims: [claim, claim] }, 'passed', 'E8: claimed twice; keep one row'],
  ])('should report %s', (_, change, verdict, problem) => {
    const { rows, problems } = audit(change)
    expect(problems).toEqual([problem])
    expect(rows[0]!.verdict).toBe(verdict)
  })
})
