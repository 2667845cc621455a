import { describe, expect, it } from 'vitest'
import { readSpecReport } from '../../../experiments/audit/specReport.ts'

const report = (file: object) => ({
  success: true,
  testResults: [{ name: '/project/spec/a.spec.ts', status: 'passed', assertionResults: [], ...file }],
})

describe('readSpecReport', () => {
  it('should give file, title, status, runs and seed of each test', () => {
    const assertionResults = [
      { fullName: ' rbgm should sort', status: 'passed', failureMessages: [], meta: { runs: 50, seed: 3 } },
      { fullName: 'rbgm should fail', status: 'failed', failureMessages: ['Error: no\n at a'], meta: {} },
      { fullName: 'rbgm later', status: 'todo', failureMessages: [] },
    ]
    expect(readSpecReport(report({ status: 'failed', assertionResults }), '/project')).toEqual([
      { file: 'spec/a.spec.ts', title: 'rbgm should sort', status: 'passed', runs: 50, seed: 3 },
      { file: 'spec/a.spec.ts', title: 'rbgm should fail', status: 'failed', message: 'Error: no' },
      { file: 'spec/a.spec.ts', title: 'rbgm later', status: 'skipped' },
    ])
  })

  it('should count a file that did not load as a failure', () => {
    expect(readSpecReport(report({ status: 'failed', message: 'cannot import x\nat y' }), '/project')).toEqual([
      { file: 'spec/a.spec.ts', title: 'the file itself', status: 'failed', message: 'cannot import x' },
    ])
  })

  it('should refuse JSON that is no report', () => {
    expect(() => readSpecReport({ results: [] }, '/project')).toThrow(/testResults/)
  })
})
