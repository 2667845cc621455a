import { openSync, writeSync } from 'node:fs'
import { setTimeout as setTimeoutPromise } from 'node:timers/promises'
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
  full: async () => {
    writeSync(openSync('/dev/full', 'w'), 'result')
    return undefined
  },
  unread: async () => {
    for (let i = 0; i < 20; i++) {
      process.stderr.write('a message\n')
      await setTimeoutPromise(5)
    }
    process.stdout.write('result\n')
    return undefined
  },
  code: async () => 4,
  fine: async () => undefined,
}

await runMain(failures[process.argv[2]])
