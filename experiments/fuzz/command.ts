import { Command, Option } from 'commander'
import { wholeNumber } from '../cli/arguments.ts'
import { UserError } from '../support/errors.ts'
import { createProgress } from '../support/progress.ts'
import { fuzzFormatNames } from './formatNames.ts'
import type { Tally } from './tally.ts'

interface Options {
  readonly format?: string
  readonly mutations: number
  readonly seed: number
  readonly first: number
  readonly json?: boolean
}

const SHOWN_VIOLATIONS = 5

const formatLine = (name: string, { loaded, refused, violations, slowest, largest }: Tally): string =>
  [
    name.padEnd(18),
    `${String(loaded).padStart(6)} loaded`,
    `${String(refused).padStart(6)} refused`,
    `${String(violations.length).padStart(4)} wrong`,
    `slowest ${slowest.milliseconds.toFixed(0).padStart(4)} ms (case ${slowest.index})`,
    `most memory ${(largest.bytes / 2 ** 20).toFixed(1).padStart(5)} MiB (case ${largest.index})`,
  ].join('  ')

const replay = (name: string, index: number, seed: number): string =>
  `npm run fuzz -- --format ${name} --seed ${seed} --first ${index} --mutations 1`

/** `fuzz`: damaged files of every format must load or be refused clearly, soon, and in bounded memory. */
export const fuzzCommand = (): Command =>
  new Command('fuzz')
    .description('read damaged files of every format: each must load or be refused in one line, soon and in bounded memory')
    .addOption(new Option('--format <name>', 'only this format').choices(fuzzFormatNames))
    .option('--mutations <n>', 'damaged files per format', wholeNumber(1), 10_000)
    .option('--seed <n>', 'seed of the damage', wholeNumber(0), 0)
    .option('--first <n>', 'number of the first case, to see one again', wholeNumber(0), 0)
    .option('--json', 'print the counts as JSON')
    .addHelpText('after', '\nExamples:\n  npm run fuzz\n  npm run fuzz -- --format safetensors --mutations 1000 --seed 7')
    .action(async ({ format, mutations, seed, first, json }: Options) => {
      const { superviseFormat } = await import('./supervise.ts')
      const names = format ? [format] : fuzzFormatNames
      const tallies: Record<string, Tally> = {}
      for (const name of names) {
        const progress = createProgress({ label: name, total: mutations, unit: 'files', silent: Boolean(json) })
        try {
          tallies[name] = await superviseFormat(name, { mutations, seed, first, onCases: count => progress.advance(count, '') })
          progress.finish()
        } finally {
          progress.stop()
        }
        if (!json) process.stdout.write(`${formatLine(name, tallies[name]!)}\n`)
      }
      if (json) process.stdout.write(`${JSON.stringify({ mutations, seed, first, formats: tallies }, null, 2)}\n`)
      const wrong = Object.entries(tallies).flatMap(([name, { violations }]) => violations.map(violation => ({ name, ...violation })))
      if (!json)
        for (const { name, index, rule } of wrong.slice(0, SHOWN_VIOLATIONS))
          process.stdout.write(`${replay(name, index, seed)}\n  ${rule}\n`)
      if (wrong.length > 0)
        throw new UserError(
          `fuzz: ${wrong.length} of ${names.length * mutations} damaged files broke a rule`,
          `see one again: ${replay(wrong[0]!.name, wrong[0]!.index, seed)}`,
        )
    })
