import { spawn } from 'node:child_process'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { readSpecReport, type SpecResult } from '../audit/specReport.ts'
import { splitSpecs } from './fault.ts'

/** The title of the failed result that stands for a file which did not load. */
export const unloadable = 'the file itself'

const pattern = (title: string): string => title.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

/** Titles are matched in all files at once; a test counts when its own file was named with them. */
const isNamed = ({ file, title }: SpecResult, specs: readonly string[]): boolean =>
  title === unloadable || specs.some(reference => reference.startsWith(`${file}#`) && title.includes(reference.slice(file.length + 1)))

export interface SpecRun {
  /** Named tests that ran. */
  readonly results: readonly SpecResult[]
  /** What the test runner printed, for when it broke. */
  readonly output: string
  readonly timedOut: boolean
}

/** Runs the tests that the references name in a copy of the project; with `bail` up to the first failure. */
export const runSpecsIn = async (
  root: string,
  specs: readonly string[],
  { limitSeconds, bail, workers }: { readonly limitSeconds: number; readonly bail: boolean; readonly workers: number },
): Promise<SpecRun> => {
  const { files, titles } = splitSpecs(specs)
  const report = join(root, 'mutation-report.json')
  rmSync(report, { force: true })
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs')
  const options = [...(bail ? ['--bail=1'] : []), '--cache=false', `--maxWorkers=${workers}`, '--reporter=json', `--outputFile=${report}`]
  const child = spawn(process.execPath, [vitest, 'run', ...files, '-t', titles.map(pattern).join('|'), ...options], { cwd: root })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text: Buffer) => {
      output = `${output}${text}`.slice(-2000)
    })
  }
  let timedOut = false
  const limit = setTimeout(() => {
    timedOut = true
    child.kill('SIGKILL')
  }, limitSeconds * 1000)
  await new Promise<void>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', () => resolve())
  })
  clearTimeout(limit)
  const results = existsSync(report) ? readSpecReport(JSON.parse(readFileSync(report, 'utf8')), root) : []
  return { results: results.filter(result => result.status !== 'skipped' && isNamed(result, specs)), output, timedOut }
}
