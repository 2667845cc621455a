import { SingleBar } from 'cli-progress'

/** On anything but a terminal, how long to wait between two lines. */
const LINE_INTERVAL_MS = 5000

export interface Progress {
  /** Reports `units` more units done; `note` (a loss, an accuracy) stays until the next one. */
  advance(units: number, note?: string): void
  /** The work is complete. */
  finish(): void
  /** The work ends early. Does nothing after `finish` or another `stop`, so it can stand in a `finally`. */
  stop(): void
}

export interface ProgressOptions {
  readonly label: string
  readonly total: number
  /** Plural name of what is counted: 'steps', 'images'. */
  readonly unit: string
  /** Units an earlier, interrupted run has done; they count for the bar but not for the rate. */
  readonly done?: number
  /** Show nothing (`--quiet`, `--json`). */
  readonly silent?: boolean
  readonly stream?: NodeJS.WritableStream & { readonly isTTY?: boolean }
  /** Milliseconds; for tests. */
  readonly now?: () => number
}

/** `8s`, `2m 05s`, `1h 02m`; `?` when unknown. */
export const formatDuration = (seconds: number): string => {
  if (!Number.isFinite(seconds)) return '?'
  const s = Math.round(seconds)
  const two = (n: number): string => String(n).padStart(2, '0')
  if (s < 60) return `${s}s`
  return s < 3600 ? `${Math.floor(s / 60)}m ${two(s % 60)}s` : `${Math.floor(s / 3600)}h ${two(Math.floor((s % 3600) / 60))}m`
}

const formatRate = (rate: number): string => (rate >= 100 ? rate.toFixed(0) : rate >= 1 ? rate.toFixed(1) : rate.toPrecision(2))

/**
 * Shows how a long piece of work gets on: units done of the total, rate, time left, and a note.
 * A bar on a terminal; elsewhere (a log file, CI) a plain line at most every 5 seconds and one at the end. Written to
 * stderr, so that results on stdout stay clean.
 */
export const createProgress = ({
  label,
  total,
  unit,
  done: before = 0,
  silent = false,
  stream = process.stderr,
  now = Date.now,
}: ProgressOptions): Progress => {
  if (silent) return { advance() {}, finish() {}, stop() {} }
  const start = now()
  let done = before
  let note = ''
  let ended = false

  /** The average since the start: steadier than the last few units, and it includes what happens between them. */
  const state = () => {
    const seconds = (now() - start) / 1000
    const rate = seconds > 0 ? (done - before) / seconds : 0
    const left = done >= total ? 0 : (total - done) / rate
    return { seconds, rate: formatRate(rate), left: formatDuration(left), note: note && `, ${note}` }
  }
  const line = (): string => {
    const { rate, left, note } = state()
    const percent = total > 0 ? Math.floor((100 * done) / total) : 100
    return `${label}: ${done}/${total} ${unit} (${percent}%), ${rate} ${unit}/s, ${left} left${note}\n`
  }

  const bar = stream.isTTY === true ? startBar({ label, total, unit, stream }, before, state()) : null
  let lastLine = start
  const end = (text: () => string): void => {
    if (ended) return
    ended = true
    bar?.update(done, state())
    bar?.stop()
    if (!bar) stream.write(text())
  }
  return {
    advance(units, newNote = '') {
      if (ended) return
      done += units
      note = newNote
      bar?.update(done, state())
      if (bar || now() - lastLine < LINE_INTERVAL_MS) return
      lastLine = now()
      stream.write(line())
    },
    finish: () =>
      end(() => {
        const { seconds, rate, note } = state()
        return `${label}: ${done} ${unit} in ${formatDuration(seconds)} (${rate} ${unit}/s)${note}\n`
      }),
    stop: () => end(() => `stopped at ${line()}`),
  }
}

const startBar = (
  { label, total, unit, stream }: Required<Pick<ProgressOptions, 'label' | 'total' | 'unit' | 'stream'>>,
  done: number,
  payload: object,
): SingleBar => {
  const bar = new SingleBar({
    format: `${label} {bar} {value}/{total} ${unit} | {rate} ${unit}/s | {left} left{note}`,
    barCompleteChar: '█',
    barIncompleteChar: '░',
    barsize: 24,
    // Cut to the terminal's width instead of switching its line wrap off, which a process that is killed would leave so.
    linewrap: true,
    stream,
    // Signals are handled in one place (interrupt.ts), where the work is brought to a good end.
    gracefulExit: false,
  })
  bar.start(total, done, payload)
  return bar
}
