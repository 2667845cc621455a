import type { Profile } from './profile.ts'
import { FUSED } from './profiled.ts'

/**
 * Profiles in the Trace Event Format, which chrome://tracing and https://ui.perfetto.dev open: one line per process, with
 * forward ops, ops of gradients, and memory as its tracks. The text comes in pieces, since it may be longer than a string can be.
 */
export function* chromeTrace(profiles: readonly Profile[]): Generator<string> {
  const tracks = { forward: 1, gradient: 2, memory: 3 } as const
  const first = profiles.reduce(
    (least, { events }) => Math.min(least, events[0]?.start ?? Number.POSITIVE_INFINITY),
    Number.POSITIVE_INFINITY,
  )
  const processes = new Set(profiles.map(profile => profile.process))
  yield '{"displayTimeUnit":"ms","traceEvents":[\n'
  let separator = ''
  for (const pid of processes) {
    for (const [name, tid] of Object.entries(tracks)) {
      yield `${separator}${JSON.stringify({ ph: 'M', name: 'thread_name', pid, tid, args: { name } })}`
      separator = ',\n'
    }
  }
  for (const { process: pid, events } of profiles) {
    for (const { name, phase, start, duration, detail } of events) {
      const rounded = { ts: Math.round((start - first) * 10) / 10, dur: Math.round(duration * 10) / 10 }
      yield `,\n${JSON.stringify({ ph: 'X', name, cat: name === FUSED ? 'elementwise' : phase, pid, tid: tracks[phase], ...rounded, args: { shapes: detail } })}`
    }
  }
  yield '\n]}\n'
}
