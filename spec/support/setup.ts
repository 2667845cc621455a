import fc from 'fast-check'
import { TestRunner } from 'vitest'
import { describeFailure, runs, specSeed } from './replay.ts'

/**
 * Loaded before every spec file. Every property starts from one fixed seed, tells its test how many runs it made (the
 * audit prints them), and when it fails says how to run it again.
 */
declare module 'vitest' {
  interface TaskMeta {
    runs?: number
    seed?: number
  }
}

fc.configureGlobal({ seed: specSeed(), numRuns: runs(100) })

fc.installGlobalPlugin(() => ({
  onAllRunsComplete: details => {
    const test = TestRunner.getCurrentTest()
    if (test) {
      test.meta.runs = (test.meta.runs ?? 0) + details.numRuns
      test.meta.seed = details.seed
    }
    if (details.failed) throw describeFailure(details, test && { file: test.file.name, title: titleOf(test) })
  },
}))

const titleOf = (test: NonNullable<ReturnType<typeof TestRunner.getCurrentTest>>): string => {
  const names = [test.name]
  for (let suite = test.suite; suite; suite = suite.suite) names.unshift(suite.name)
  return names.join(' ')
}
