import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { acquireRunLock, removeStale } from '../../../experiments/support/runLock.ts'

let folder: string
let path: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lock-'))
  path = join(folder, 'lock')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const leave = (holder: object | string): void => writeFileSync(path, typeof holder === 'string' ? holder : JSON.stringify(holder))
/** The id of a process that has just ended. */
const deadPid = (): number => spawnSync(process.execPath, ['-e', '']).pid

describe('run lock', () => {
  it('should be there until released', () => {
    const lock = acquireRunLock(path)
    expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ pid: process.pid, host: hostname() })
    lock.release()
    expect(existsSync(path)).toBe(false)
  })

  it('should not be released by one who no longer holds it', () => {
    const first = acquireRunLock(path)
    first.release()
    const second = acquireRunLock(path)
    first.release()
    expect(existsSync(path)).toBe(true)
    second.release()
  })

  it('should go with the process that holds it', () => {
    const listeners = process.listenerCount('exit')
    const lock = acquireRunLock(path)
    expect(process.listenerCount('exit')).toBe(listeners + 1)
    lock.release()
    expect(process.listenerCount('exit')).toBe(listeners)
  })

  it.each<[what: string, holder: () => object | string]>([
    ['a process that has ended', () => ({ pid: deadPid(), host: hostname(), started: null })],
    ['a former process with our id', () => ({ pid: process.pid, host: hostname(), started: '1' })],
  ])('should take over from %s', (_, holder) => {
    leave(holder())
    const lock = acquireRunLock(path)
    expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ pid: process.pid })
    expect(readdirSync(folder)).toEqual(['lock'])
    lock.release()
  })

  it.runIf(process.platform === 'linux')('should take over from a former process whose id another one has now', () => {
    leave({ pid: process.ppid, host: hostname(), started: '1' })
    acquireRunLock(path).release()
  })

  it('should take over a lock without content only when it is old', () => {
    leave('')
    expect(() => acquireRunLock(path)).toThrow(/a process that is just starting/)
    utimesSync(path, Date.now() / 1000 - 60, Date.now() / 1000 - 60)
    acquireRunLock(path).release()
  })

  it.each<[what: string, holder: object, message: RegExp]>([
    ['a living process', { pid: process.ppid, host: hostname(), started: null }, /in use by process \d+ on /],
    [
      'another machine',
      { pid: deadPid(), host: 'elsewhere', started: null },
      /in use by process \d+ on elsewhere; .*if no such process exists, delete/,
    ],
  ])('should respect %s', (_, holder, message) => {
    leave(holder)
    expect(() => acquireRunLock(path)).toThrow(message)
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual(holder)
  })

  it('should put a lock back that another process has taken in the meantime', () => {
    leave('taken by another')
    removeStale(path, 'stale')
    expect(readFileSync(path, 'utf8')).toBe('taken by another')
    expect(readdirSync(folder)).toEqual(['lock'])
  })
})
