import { runMain, UsageError, UserError } from '../../../../experiments/support/errors.ts'

const failures: Record<string, () => Promise<number | undefined>> = {
  user: async () => {
    throw new UserError('weights are missing', 'run npm run train first', { exitCode: 3 })
  },
  usage: async () => {
    throw new UsageError('--steps is -1', 'use a whole number above 0')
  },
  bug: async () => (undefined as unknown as string[]).length,
  timer: () =>
    new Promise(() => {
      setTimeout(() => {
        throw new UserError('in a timer', 'none')
      }, 1)
    }),
  code: async () => 4,
  fine: async () => undefined,
}

await runMain(failures[process.argv[2]])
