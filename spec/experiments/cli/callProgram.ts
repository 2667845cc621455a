import { vi } from 'vitest'
import { runProgram } from '../../../experiments/cli/program.ts'
import { describeFailure } from '../../../experiments/support/errors.ts'

/** Runs a command line in this process and tells what a shell would see of it. */
export const callProgram = async (...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> => {
  const written = { stdout: '', stderr: '' }
  const spies = (['stdout', 'stderr'] as const).map(name =>
    vi.spyOn(process[name], 'write').mockImplementation(text => {
      written[name] += text
      return true
    }),
  )
  try {
    await runProgram(args)
    return { code: 0, ...written }
  } catch (error) {
    const { text, exitCode } = describeFailure(error)
    return { code: exitCode, stdout: written.stdout, stderr: written.stderr + text }
  } finally {
    for (const spy of spies) spy.mockRestore()
  }
}
