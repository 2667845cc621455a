/** What kind of work it is; `memory` is everything but ops. */
export type Phase = 'forward' | 'gradient' | 'memory'

/** The sums over all calls of one kind of op. */
export interface ProfileRow {
  readonly name: string
  readonly phase: Phase
  calls: number
  milliseconds: number
  /** Floating-point operations by the formulas of flops.ts; 0 where none is known. */
  flops: number
  /** What is read and written at least: inputs and output once each. */
  bytes: number
}

/** One call. Times in microseconds, `start` since the epoch, so that processes share one time line. */
export interface ProfileEvent {
  readonly name: string
  readonly phase: Phase
  readonly start: number
  readonly duration: number
  /** Shapes of inputs and output. */
  readonly detail: string
}

/** All that one process measured; plain data, so that it can be sent to another. */
export interface Profile {
  readonly process: number
  readonly rows: readonly ProfileRow[]
  readonly events: readonly ProfileEvent[]
  /** Calls beyond the limit, which are in the rows only. */
  readonly eventsLeftOut: number
  /** High-water mark of the backend's memory. */
  readonly bytesPeak: number
}

export interface Call extends ProfileEvent {
  readonly flops: number
  readonly bytes: number
  /** 0 for time that belongs to a call already counted. */
  readonly calls: number
}

export interface Recorder {
  record(call: Call): void
  /** What was recorded since the last time. */
  take(bytesPeak: number): Profile
}

/** Collects calls. At most `maximumEvents` are kept one by one, which bounds memory and the trace file. */
export const createRecorder = ({ maximumEvents = 200_000 }: { readonly maximumEvents?: number } = {}): Recorder => {
  let rows = new Map<string, ProfileRow>()
  let events: ProfileEvent[] = []
  let eventsLeftOut = 0
  let kept = 0
  return {
    record({ name, phase, start, duration, detail, flops, bytes, calls }) {
      const key = `${phase} ${name}`
      let row = rows.get(key)
      if (!row) {
        row = { name, phase, calls: 0, milliseconds: 0, flops: 0, bytes: 0 }
        rows.set(key, row)
      }
      row.calls += calls
      row.milliseconds += duration / 1000
      row.flops += flops
      row.bytes += bytes
      if (kept++ < maximumEvents) events.push({ name, phase, start, duration, detail })
      else eventsLeftOut++
    },
    take(bytesPeak) {
      const taken = { process: process.pid, rows: [...rows.values()], events, eventsLeftOut, bytesPeak }
      rows = new Map()
      events = []
      eventsLeftOut = 0
      return taken
    },
  }
}

/** The rows of several profiles added up, the most time first. */
export const mergeRows = (profiles: readonly Profile[]): ProfileRow[] => {
  const merged = new Map<string, ProfileRow>()
  for (const row of profiles.flatMap(profile => profile.rows)) {
    const key = `${row.phase} ${row.name}`
    const before = merged.get(key)
    if (!before) merged.set(key, { ...row })
    else {
      before.calls += row.calls
      before.milliseconds += row.milliseconds
      before.flops += row.flops
      before.bytes += row.bytes
    }
  }
  return [...merged.values()].sort((a, b) => b.milliseconds - a.milliseconds)
}
