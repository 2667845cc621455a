import { Command } from 'commander'
import { parityCommand } from '../parity/command.ts'
import { runMain } from '../support/errors.ts'

await runMain(async () => {
  await new Command('dbp').exitOverride().addCommand(parityCommand()).parseAsync()
})
