import { randomUUID } from 'node:crypto'
import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { toFileError } from '../../core/io/files.ts'
import { UserError } from './errors.ts'

/** The process that holds a lock. */
interface Holder {
  readonly pid: number
  readonly host: string
  /** When the process started, where the system tells (Linux): the same id may come again, in containers at once. */
  readonly started: string | null
}

/** A lock file is written right after it is created; one without content for longer was left by a killed process. */
const WRITING_MS = 5000

/** Field 22 of /proc/<pid>/stat. The name, field 2, may contain blanks and brackets, so counting starts behind it. */
const startOf = (pid: number): string | null => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null
  } catch {
    return null
  }
}

const isRunning = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

const parseHolder = (text: string): Holder | null => {
  try {
    const holder = JSON.parse(text)
    return Number.isInteger(holder.pid) && typeof holder.host === 'string' ? holder : null
  } catch {
    return null
  }
}

const heldHere = new Set<string>()

/** Whether the process that wrote this lock is certainly gone. */
const isStale = (path: string, text: string): boolean => {
  const holder = parseHolder(text)
  if (holder === null) return Date.now() - statSync(path).mtimeMs > WRITING_MS
  if (holder.host !== hostname()) return false
  if (holder.pid === process.pid) return !heldHere.has(path)
  return !isRunning(holder.pid) || (holder.started !== null && startOf(holder.pid) !== holder.started)
}

const inUse = (path: string, text: string, elsewhere: string): UserError => {
  const holder = parseHolder(text)
  const who = holder ? `process ${holder.pid} on ${holder.host}` : 'a process that is just starting'
  return new UserError(
    `the run is in use by ${who}`,
    `wait for it, choose another ${elsewhere}, or, if no such process exists, delete ${path}`,
  )
}

/** False when the file is there already. */
const create = (path: string, text: string): boolean => {
  try {
    writeFileSync(path, text, { flag: 'wx' })
    return true
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw toFileError('writing', path, cause)
  }
}

/**
 * Moves a stale lock out of the way. Another process may have done so in the meantime and taken the lock: renaming is
 * atomic, so what was moved tells whose lock it was, and a living one is put back.
 */
export const removeStale = (path: string, text: string): void => {
  const moved = `${path}.${randomUUID()}`
  try {
    renameSync(path, moved)
  } catch {
    return
  }
  if (readFileSync(moved, 'utf8') !== text) create(path, readFileSync(moved, 'utf8'))
  rmSync(moved)
}

/**
 * Keeps a second process from working on the same run. The lock goes when released or when the process exits; one left
 * by a killed process is detected and replaced.
 *
 * @param elsewhere the option that names another place to work
 * @throws UserError when another living process, or a process on another machine, holds it
 */
export const acquireRunLock = (file: string, elsewhere: '--id' | '--out' = '--id'): { release(): void } => {
  const path = resolve(file)
  const holder: Holder = { pid: process.pid, host: hostname(), started: startOf(process.pid) }
  const mine = JSON.stringify(holder)
  for (let attempt = 0; !create(path, mine); attempt++) {
    let text: string
    try {
      text = readFileSync(path, 'utf8')
      if (attempt > 2 || !isStale(path, text)) throw inUse(path, text, elsewhere)
    } catch (error) {
      // Released between the two calls: try again.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue
      throw error
    }
    removeStale(path, text)
  }
  heldHere.add(path)
  let released = false
  const release = (): void => {
    if (released) return
    released = true
    heldHere.delete(path)
    process.off('exit', release)
    rmSync(path, { force: true })
  }
  process.on('exit', release)
  return { release }
}
