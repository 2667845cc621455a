import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { UserError } from '../support/errors.ts'
import { readSpecReport, type SpecResult } from './specReport.ts'

/** Reads the results of an earlier `vitest run --reporter=json --outputFile=...`. Throws UserError when it is none. */
export const reuseReport = (path: string, root: string): SpecResult[] => {
  if (!existsSync(path))
    throw new UserError(`audit: there is no file ${path}`, 'make it with vitest run --reporter=json --outputFile=<file>')
  try {
    return readSpecReport(JSON.parse(readFileSync(path, 'utf8')), root)
  } catch (cause) {
    throw new UserError(`audit: ${path} is no vitest JSON report`, 'make it with vitest run --reporter=json --outputFile=<file>', { cause })
  }
}

/** Runs the whole suite in a process of its own, its progress shown as dots on stderr. Failing tests are results, not errors. */
export const runSpecs = async (root: string): Promise<SpecResult[]> => {
  const folder = mkdtempSync(join(tmpdir(), 'audit-'))
  const outputFile = join(folder, 'report.json')
  try {
    await new Promise<void>((resolve, reject) => {
      const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs')
      const args = [vitest, 'run', '--reporter=dot', '--reporter=json', `--outputFile.json=${outputFile}`]
      const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', process.stderr.fd, process.stderr.fd] })
      child.on('error', reject)
      child.on('close', () => resolve())
    })
    if (!existsSync(outputFile)) throw new UserError('audit: the specs ended without a report', 'run npx vitest run and mend what it shows')
    return reuseReport(outputFile, root)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
