import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { loadBackend, scalar } from '../../../core/index.ts'
import { withProfile } from '../../../experiments/profile/option.ts'
import { isProfiling } from '../../../experiments/profile/session.ts'
import { profileTable } from '../../../experiments/profile/table.ts'

describe('--profile', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'profile-'))
  })
  afterEach(() => {
    vi.restoreAllMocks()
    rmSync(folder, { recursive: true })
  })

  /** A command that computes one sum; what its action was given, and what stood on the error output. */
  const run = async (...words: string[]) => {
    const errors: string[] = []
    vi.spyOn(process.stderr, 'write').mockImplementation(text => errors.push(String(text)) > 0)
    let given: unknown
    const command = new Command('sum').option('--n <n>', '').action(async options => {
      given = { ...options, profiling: isProfiling() }
      const backend = await loadBackend(options.n)
      scalar(1, { backend }).add(1).dispose()
    })
    await withProfile(command.exitOverride()).parseAsync(words, { from: 'user' })
    return { given, errors: errors.join('') }
  }

  it('should measure nothing unless it is asked for', async () => {
    const { given, errors } = await run('--n', 'reference')
    expect(given).toEqual({ n: 'reference', profiling: false })
    expect(errors).toBe('')
  })

  it('should print the table and write the trace, without showing the option to the command', async () => {
    const file = join(folder, 'deep', 'trace.json')
    const { given, errors } = await run('--n', 'cpu', '--profile', file)
    expect(given).toEqual({ n: 'cpu', profiling: true })
    expect(errors).toMatch(/^elementwise +forward +1 /m)
    expect(errors).toContain(`trace: ${file}`)
    expect(JSON.parse(readFileSync(file, 'utf8')).traceEvents.some(({ name }: { name: string }) => name === 'elementwise')).toBe(true)
    expect(isProfiling()).toBe(false)
  })

  it('should say what to do where calls return before they are done', async () => {
    await expect(run('--n', 'fakeAsync', '--profile', join(folder, 'trace.json'))).rejects.toThrow(/asynchronous; profile on --backend cpu/)
    expect(existsSync(join(folder, 'trace.json'))).toBe(false)
  })

  it('should add the profiles of other processes, with rates of their sums', () => {
    const row = { name: 'conv2d', phase: 'forward', calls: 2, milliseconds: 250, flops: 1e9, bytes: 5e8 } as const
    const profile = (id: number, bytesPeak: number) => ({ process: id, rows: [row], events: [], eventsLeftOut: 0, bytesPeak })
    const table = profileTable([profile(1, 2 ** 20), profile(2, 2 ** 21)])
    expect(table).toMatch(/^conv2d +forward +4 +500.0 +100.0 % +4.0 +1000.0 +2.0$/m)
    expect(table).toContain('0.50 s in the backend of 2 processes; memory at most 2.0 MiB each')
  })
})
