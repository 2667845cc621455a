import { Command, Option } from 'commander'
import { backendNames } from '../../core/index.ts'
import { UserError } from '../support/errors.ts'
import { formatReport } from './format.ts'
import { parity } from './parity.ts'

/** `parity <folder>`: the table of differences; an error after it when one is beyond its bound. */
export const parityCommand = (): Command =>
  new Command('parity')
    .description('compare this implementation with golden vectors of other implementations')
    .argument('<folder>', 'folder of golden .safetensors files')
    .addOption(new Option('--backend <name>', 'where to compute').choices(backendNames).default('cpu'))
    .option('--json', 'print the report as JSON')
    .action(async (folder: string, { backend, json }: { backend: string; json?: boolean }) => {
      const report = await parity(folder, { backend })
      process.stdout.write(`${json ? JSON.stringify(report, null, 2) : formatReport(report)}\n`)
      if (report.ok) return
      const failed = report.rows.filter(row => !row.ok).length
      throw new UserError(
        `parity: ${failed} of ${report.rows.length} comparisons miss their bound, ${report.missing.length} listed files are missing`,
        'see the rows marked MISS',
      )
    })
