import { Command, Option } from 'commander'
import { pathName } from '../cli/arguments.ts'
import { presentBackend, type RunBackend, runBackends } from '../gpu/presentBackend.ts'
import { UserError } from '../support/errors.ts'
import { formatReport } from './format.ts'

/** `parity <folder>`: the table of differences; an error after it when one is beyond its bound. */
export const parityCommand = (): Command =>
  new Command('parity')
    .description('compare this implementation with golden vectors of other implementations')
    .argument('<folder>', 'folder of golden .safetensors files', pathName)
    .addOption(new Option('--backend <name>', 'where to compute').choices(runBackends).default('cpu'))
    .option('--json', 'print the report as JSON')
    .addHelpText(
      'after',
      `
Examples:
  npm run parity -- spec/golden                          the vectors that come with the project
  npm run parity -- spec/golden --backend reference      in float64, where float64 references are held to 1e-9
  npm run parity -- spec/golden --backend gpu --json     on the best mode of the gpu present, as JSON`,
    )
    .action(async (folder: string, { backend, json }: { backend: RunBackend; json?: boolean }) => {
      const { parity } = await import('./parity.ts')
      const report = await parity(folder, { backend: await presentBackend(backend) })
      if (report.rows.length + report.loaded.length + report.missing.length === 0)
        throw new UserError(
          `parity: ${folder} holds no golden vector of a known kind, only ${report.unsupported.join(', ')}`,
          'give a folder such as spec/golden',
        )
      process.stdout.write(`${json ? JSON.stringify(report, null, 2) : formatReport(report)}\n`)
      if (report.ok) return
      const failed = report.rows.filter(row => !row.ok).length
      throw new UserError(
        `parity: ${failed} of ${report.rows.length} comparisons miss their bound, ${report.missing.length} listed files are missing`,
        'see the rows marked MISS',
      )
    })
