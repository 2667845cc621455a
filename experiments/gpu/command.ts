import { Command } from 'commander'
import { UserError } from '../support/errors.ts'

/** `gpu:doctor`: what the gpu backend finds on this machine; an error after the report when an op is wrong. */
export const doctorCommand = (): Command =>
  new Command('gpu:doctor')
    .description('show the modes of the gpu backend, check every op on them and measure how fast they are')
    .option('--json', 'print the report as JSON')
    .option('--quick', 'one case per op, no rates, and no tiles')
    .option('--tiles', 'measure tiles of products although it takes long: with --quick, or on an adapter that computes on the processor')
    .action(async ({ json, quick = false, tiles = false }: { json?: boolean; quick?: boolean; tiles?: boolean }) => {
      const { doctor, formatDoctor } = await import('./doctor.ts')
      const report = await doctor({ quick, tiles })
      process.stdout.write(`${json ? JSON.stringify(report, null, 2) : formatDoctor(report)}\n`)
      if (report.ok) return
      const wrong = report.modes.flatMap(mode =>
        mode.present ? mode.ops.filter(({ ok }) => !ok).map(({ op }) => `${mode.mode} ${op}`) : [],
      )
      throw new UserError(`gpu:doctor: ${wrong.length} ops are wrong: ${wrong.join(', ')}`, 'use --backend cpu, and report the lines above')
    })
