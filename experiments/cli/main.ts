import { runMain } from '../support/errors.ts'
import { runProgram } from './program.ts'

await runMain(() => runProgram(process.argv.slice(2)))
