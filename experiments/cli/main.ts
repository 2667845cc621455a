import { Command } from 'commander'
import { auditCommand } from '../audit/command.ts'
import { trainCommand } from '../digits/command.ts'
import { runCommand } from '../dwBox/command.ts'
import { parityCommand } from '../parity/command.ts'
import { runMain } from '../support/errors.ts'

await runMain(async () => {
  const program = new Command('dbp').description('Robustness of diffusion-based purification, measured').exitOverride()
  for (const command of [runCommand(), trainCommand(), parityCommand(), auditCommand()])
    program.addCommand(command.copyInheritedSettings(program))
  await program.parseAsync()
})
