import { Command } from 'commander'
import { auditCommand } from '../audit/command.ts'
import { parityCommand } from '../parity/command.ts'
import { runMain } from '../support/errors.ts'

await runMain(async () => {
  await new Command('dbp').exitOverride().addCommand(parityCommand()).addCommand(auditCommand()).parseAsync()
})
