import { isAbsolute, relative } from 'node:path'
import { z } from 'zod'

/** How one test ended. */
export interface SpecResult {
  /** Path of the spec from the project's root. */
  readonly file: string
  /** Titles of its groups and its own, joined by spaces. */
  readonly title: string
  readonly status: 'passed' | 'failed' | 'skipped'
  /** Property runs, and the seed they started from; absent in a test without properties. */
  readonly runs?: number | undefined
  readonly seed?: number | undefined
  /** First line of the failure. */
  readonly message?: string | undefined
}

const reportSchema = z.object({
  testResults: z.array(
    z.object({
      name: z.string(),
      status: z.string(),
      message: z.string().optional(),
      assertionResults: z.array(
        z.object({
          fullName: z.string(),
          status: z.string(),
          failureMessages: z.array(z.string()).nullish(),
          meta: z.object({ runs: z.number().optional(), seed: z.number().optional() }).optional(),
        }),
      ),
    }),
  ),
})

const statusOf = (status: string): SpecResult['status'] => (status === 'passed' || status === 'failed' ? status : 'skipped')

const firstLine = (text: string | undefined): string | undefined => text?.split('\n')[0]

/**
 * The results in a vitest JSON report; `root` is the project's folder. A file that failed to load is one failed result.
 * Throws ZodError when the JSON is no such report.
 */
export const readSpecReport = (json: unknown, root: string): SpecResult[] =>
  reportSchema.parse(json).testResults.flatMap(({ name, status, message, assertionResults }) => {
    const file = (isAbsolute(name) ? relative(root, name) : name).replaceAll('\\', '/')
    const results = assertionResults.map(test => ({
      file,
      // The JSON reporter puts the nameless root suite first.
      title: test.fullName.trim(),
      status: statusOf(test.status),
      runs: test.meta?.runs,
      seed: test.meta?.seed,
      message: firstLine(test.failureMessages?.[0]),
    }))
    const unexplained = status === 'failed' && !results.some(result => result.status === 'failed')
    return unexplained ? [...results, { file, title: 'the file itself', status: 'failed' as const, message: firstLine(message) }] : results
  })
