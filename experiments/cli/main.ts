import { runMain } from '../support/errors.ts'
import { createProgram } from './program.ts'

await runMain(async () => {
  await createProgram().parseAsync()
})
