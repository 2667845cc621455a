import { readdirSync, readFileSync } from 'node:fs'
import { join, posix, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Command, Option } from 'commander'
import { claims } from '../../spec/claims.ts'
import { pathName } from '../cli/arguments.ts'
import { UserError } from '../support/errors.ts'
import { type OutputFile, outputFile } from '../support/outputFile.ts'
import { collectProvenance } from '../support/provenance.ts'
import { auditHtml } from './html.ts'
import { joinClaims } from './joinClaims.ts'
import { auditMarkdown } from './markdown.ts'
import { parsePaperTags, type SourceFile } from './paperTags.ts'
import { summarise, summaryLines } from './summary.ts'

const projectRoot = fileURLToPath(new URL('../..', import.meta.url))

const readFolder = (folder: string): SourceFile[] =>
  readdirSync(join(projectRoot, folder), { recursive: true, encoding: 'utf8' })
    .map(path => posix.join(folder, path.replaceAll('\\', '/')))
    .filter(path => path.endsWith('.ts'))
    .sort()
    .map(path => ({ path, text: readFileSync(join(projectRoot, path), 'utf8') }))

/** An option whose default is a folder of the project. */
const ofProject = (flags: string, description: string, folder: string): Option =>
  new Option(flags, description).default(join(projectRoot, folder), folder || 'the project folder').argParser(pathName)

/**
 * `audit`: runs the specs, joins them with claims and code, calibrates the evaluator, and writes AUDIT.md and audit.html; an error when
 * something is amiss. Longer measurements are those that other commands left in the folder of runs.
 */
export const auditCommand = (): Command =>
  new Command('audit')
    .description('run the specs and write a report of every claim with its code, tests and deviations')
    .option('--reuse <json>', 'take the results of an earlier vitest JSON report instead of running the specs', pathName)
    .addOption(ofProject('--runs <folder>', 'where npm start, npm run quirks and --mutate left results', 'runs'))
    .addOption(ofProject('--out <folder>', 'where AUDIT.md and audit.html go; their links expect the project folder', ''))
    .option('--mutate', 'first plant known faults in private copies of the project, each of which a spec must notice')
    .addHelpText(
      'after',
      `
Examples:
  npm run audit                                          run the specs, then write AUDIT.md and audit.html
  npm run audit -- --reuse runs/specs.json               with the results that npm test left there
  npm run audit -- --reuse runs/specs.json --out build   into another folder
  npm run audit -- --mutate                              with the check that every known fault is noticed`,
    )
    .action(async ({ reuse, runs, out, mutate }: { reuse?: string; runs: string; out: string; mutate?: boolean }) => {
      const [markdown, html] = ['AUDIT.md', 'audit.html'].map(name => outputFile(join(out, name), '--out')) as [OutputFile, OutputFile]
      const { lastRun, mutationResults, quirkResults } = await import('./storedResults.ts')
      // They are used when all is computed; a damaged one should be refused before that.
      for (const read of [lastRun, quirkResults, ...(mutate ? [] : [mutationResults])]) read(resolve(runs))
      const { reuseReport, runSpecs } = await import('./runSpecs.ts')
      const unnoticed = mutate ? await (await import('../mutation/runMutationCheck.ts')).runMutationCheck(projectRoot) : []
      const results = reuse === undefined ? await runSpecs(projectRoot) : reuseReport(resolve(reuse), projectRoot)
      const sources = ['core', 'algorithms', 'experiments'].flatMap(readFolder)
      const joined = joinClaims({ claims, tags: sources.flatMap(parsePaperTags), sources, results })
      const { auditSections } = await import('./sections/index.ts')
      const more = await auditSections({ runs: resolve(runs), sources })
      const audit = { ...joined, problems: [...joined.problems, ...more.problems] }
      const seed = results.find(result => result.seed !== undefined)?.seed ?? 0
      const summary = summarise(audit, results, collectProvenance({ seed, backend: 'all' }))

      markdown.write([auditMarkdown(audit, summary, more.sections)])
      html.write([auditHtml(audit, summary, more.sections)])
      const problems = [...audit.problems, ...unnoticed]
      for (const line of [...problems, ...summaryLines(summary)]) process.stdout.write(`${line}\n`)
      if (problems.length > 0) throw new UserError(`audit: ${problems.length} problems`, 'mend what the lines above say')
    })
