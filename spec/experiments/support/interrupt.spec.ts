import { EventEmitter } from 'node:events'
import { describe, expect, it } from 'vitest'
import { InterruptedError, watchInterrupt } from '../../../experiments/support/interrupt.ts'

const watch = () => {
  const signals = new EventEmitter()
  const written: string[] = []
  const exits: number[] = []
  const interrupt = watchInterrupt({
    resumeCommand: 'npm start -- --id a',
    signals,
    write: text => written.push(text),
    exit: code => exits.push(code),
  })
  return { signals, written, exits, interrupt }
}

describe('watchInterrupt', () => {
  it('should let work go on without a signal', async () => {
    const { interrupt, written, exits } = watch()
    await interrupt.afterUnit()
    expect([interrupt.signal.aborted, written, exits]).toEqual([false, [], []])
  })

  it.each(['SIGINT', 'SIGTERM'])('should stop after the current unit on the first %s', async name => {
    const { signals, interrupt, written, exits } = watch()
    signals.emit(name)
    expect(interrupt.signal.aborted).toBe(true)
    expect(written.join('')).toMatch(/stopping after the current step; press Ctrl-C again/)
    const error = await interrupt.afterUnit().catch(e => e)
    expect(error).toBeInstanceOf(InterruptedError)
    expect([error.message, error.exitCode]).toEqual(['stopped; what was done is kept, continue with: npm start -- --id a', 130])
    expect(exits).toEqual([])
  })

  it('should exit at once on the second signal', () => {
    const { signals, exits } = watch()
    signals.emit('SIGINT')
    signals.emit('SIGINT')
    expect(exits).toEqual([130])
  })

  it('should notice a signal that comes while a unit is computed', async () => {
    const { signals, interrupt } = watch()
    setImmediate(() => signals.emit('SIGINT'))
    await expect(interrupt.afterUnit()).rejects.toThrow(InterruptedError)
  })

  it('should take its handlers away', () => {
    const { signals, interrupt } = watch()
    interrupt.dispose()
    expect(signals.eventNames()).toEqual([])
  })
})
