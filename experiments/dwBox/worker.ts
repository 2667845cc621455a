import type { Profile } from '../../core/backends/profile/profile.ts'
import { useBackend } from '../../core/index.ts'
import { startProfiling, takeProfile } from '../profile/session.ts'
import { describeFailure, EXIT } from '../support/errors.ts'
import { loadNetworks } from './defence.ts'
import type { Unit } from './plan.ts'
import { runUnit } from './runUnit.ts'

/** What the pool sends to a worker process and gets back. */
export type ToWorker =
  | { readonly backend: string; readonly weights: readonly string[]; readonly profile: boolean }
  | { readonly unit: Unit }
export type FromWorker =
  | { readonly ready: true }
  | { readonly work: number }
  | { readonly profile: Profile }
  | { readonly key: string; readonly result: unknown }
  | WorkerFailure

/** An error's message, and its stack if it is a bug rather than something the user can put right. */
export interface WorkerFailure {
  readonly failed: string
  readonly stack: string | null
}

const send = (message: FromWorker): void => {
  // Once the pool is gone there is nobody to work for.
  process.send?.(message, undefined, undefined, error => {
    if (error) process.exit(0)
  })
}

let networks: ReturnType<typeof loadNetworks> | undefined

const handle = async (message: ToWorker): Promise<void> => {
  if ('backend' in message) {
    if (message.profile) startProfiling()
    await useBackend(message.backend)
    networks = loadNetworks(message.weights)
    send({ ready: true })
    return
  }
  const result = await runUnit(message.unit, networks!, work => send({ work }))
  const profile = takeProfile()
  if (profile) send({ profile })
  send({ key: message.unit.key, result })
}

// The pool decides when to stop; a Ctrl-C in the terminal reaches this process too and is left to it.
process.on('SIGINT', () => {})
process.on('SIGTERM', () => {})
process.on('disconnect', () => process.exit(0))
process.on('message', (message: ToWorker) => {
  handle(message).catch(error => {
    const known = describeFailure(error).exitCode !== EXIT.unexpected
    send({ failed: error instanceof Error ? error.message : String(error), stack: known ? null : (error?.stack ?? null) })
  })
})
