import { PassThrough } from 'node:stream'
import { stripVTControlCharacters } from 'node:util'
import { describe, expect, it } from 'vitest'
import { createProgress, formatDuration, type ProgressOptions } from '../../../experiments/support/progress.ts'

const setUp = (options: Partial<ProgressOptions> & { isTTY?: boolean; columns?: number } = {}) => {
  const { isTTY = false, columns = 200, ...rest } = options
  const clock = { ms: 0 }
  let output = ''
  const stream = Object.assign(new PassThrough(), { isTTY, columns })
  stream.on('data', data => {
    output += data
  })
  const progress = createProgress({ label: 'training', total: 100, unit: 'steps', stream, now: () => clock.ms, ...rest })
  return { progress, clock, raw: () => output, output: () => stripVTControlCharacters(output) }
}

describe('progress on a log file', () => {
  it('should print work done, rate, time left and note, at most every 5 seconds', () => {
    const { progress, clock, output } = setUp()
    for (let step = 1; step <= 24; step++) {
      clock.ms += 500
      progress.advance(1, `loss ${step}`)
    }
    expect(output().split('\n')).toEqual([
      'training: 10/100 steps (10%), 2.0 steps/s, 45s left, loss 10',
      'training: 20/100 steps (20%), 2.0 steps/s, 40s left, loss 20',
      '',
    ])
  })

  it('should not count the units of an earlier run for the rate', () => {
    const { progress, clock, output } = setUp({ done: 80 })
    clock.ms = 10_000
    progress.advance(5)
    expect(output()).toBe('training: 85/100 steps (85%), 0.50 steps/s, 30s left\n')
  })

  it('should close with a line of its own, once', () => {
    const { progress, clock, output } = setUp()
    clock.ms = 1000
    progress.advance(100, 'loss 0.1')
    progress.finish()
    progress.finish()
    progress.stop()
    clock.ms = 60_000
    progress.advance(1)
    expect(output()).toBe('training: 100 steps in 1s (100 steps/s), loss 0.1\n')
  })

  it('should say where it stopped', () => {
    const { progress, output } = setUp()
    progress.stop()
    expect(output()).toBe('stopped at training: 0/100 steps (0%), 0.0 steps/s, ? left\n')
  })

  it('should treat no work as done', () => {
    const { progress, output } = setUp({ total: 0 })
    progress.stop()
    expect(output()).toContain('0/0 steps (100%)')
  })
})

describe('progress on a terminal', () => {
  it('should draw a bar and end it with a new line', () => {
    const { progress, clock, output } = setUp({ isTTY: true })
    clock.ms = 2000
    progress.advance(25, 'loss 0.5')
    progress.stop()
    expect(output()).toContain('training █████')
    expect(output()).toContain('25/100 steps | 12.5 steps/s | 6s left, loss 0.5')
    expect(output().endsWith('\n')).toBe(true)
  })

  it('should leave nothing switched on the terminal by a process that is killed, and fit into its width', () => {
    const { progress, raw } = setUp({ isTTY: true, columns: 40 })
    expect(raw()).not.toContain('\x1b[?')
    expect(stripVTControlCharacters(raw())).toBe(`training ${'░'.repeat(24)} 0/100 `)
    progress.stop()
  })

  it('should leave signals to the one place that handles them', () => {
    const before = process.listenerCount('SIGINT')
    const { progress } = setUp({ isTTY: true })
    expect(process.listenerCount('SIGINT')).toBe(before)
    progress.stop()
  })
})

describe('silent progress', () => {
  it('should print nothing anywhere', () => {
    for (const isTTY of [true, false]) {
      const { progress, clock, output } = setUp({ silent: true, isTTY })
      clock.ms = 60_000
      progress.advance(50)
      progress.finish()
      expect(output()).toBe('')
    }
  })
})

describe('formatDuration', () => {
  it.each([
    [0.4, '0s'],
    [59.4, '59s'],
    [59.6, '1m 00s'],
    [125, '2m 05s'],
    [3600, '1h 00m'],
    [90_060, '25h 01m'],
    [Number.POSITIVE_INFINITY, '?'],
  ])('should write %f seconds as %s', (seconds, text) => {
    expect(formatDuration(seconds)).toBe(text)
  })
})
