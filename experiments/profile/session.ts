import { createRecorder, type Profile, type Recorder } from '../../core/backends/profile/profile.ts'
import { profiled } from '../../core/backends/profile/profiled.ts'
import type { Backend } from '../../core/index.ts'
import { wrapBackends } from '../../core/index.ts'
import { UsageError } from '../support/errors.ts'

/** Calls kept one by one for the trace, per process; beyond them only sums are. */
const maximumEvents = 50_000

interface Session {
  readonly recorder: Recorder
  readonly backends: Backend[]
  /** What other processes have measured. */
  readonly others: Profile[]
}

let session: Session | undefined

/** Whether this process measures its ops. */
export const isProfiling = (): boolean => session !== undefined

/** Measures every backend that is loaded from now on. Until this is called nothing is, and nothing is slower. */
export const startProfiling = (): void => {
  const { recorder, backends } = { recorder: createRecorder({ maximumEvents }), backends: [] as Backend[] }
  session = { recorder, backends, others: [] }
  wrapBackends(backend => {
    if (!backend.readSync)
      throw new UsageError(`--profile: backend ${backend.name} is asynchronous`, 'profile on --backend cpu or reference')
    backends.push(backend)
    return profiled(backend, recorder)
  })
}

/** What this process has measured since the last time. */
export const takeProfile = (): Profile | undefined =>
  session?.recorder.take(Math.max(0, ...session.backends.map(backend => backend.memory().bytesPeak)))

/** Takes in what another process has measured. */
export const addProfile = (profile: Profile): void => {
  session?.others.push(profile)
}

/** Ends the measurement: all profiles, of this process and of those that sent theirs. */
export const stopProfiling = (): Profile[] => {
  const own = takeProfile()
  const profiles = own && session ? [own, ...session.others] : []
  session = undefined
  wrapBackends(backend => backend)
  return profiles
}
