import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createHeap } from '../../../../core/backends/cpu/heap.ts'
import { divide, onThreads } from '../../../../core/backends/cpu/threads/onThreads.ts'
import { startThreads } from '../../../../core/backends/cpu/threads/pool.ts'
import { setThreads, stopThreads, ThreadError, threadCount } from '../../../../core/index.ts'
import { linkProbe } from './module.ts'

const heap = createHeap({ maximumPages: 64 })
const wasm = linkProbe(heap)
const cells = heap.allocate(64)

const addOnes = (): number[] => {
  heap.f32(cells, 8).fill(0)
  onThreads(wasm, divide(heap, { units: 8, nanoseconds: 1e9 }), (on, { index, first, end }) => {
    if (index === 0) busyFor(20)
    for (let i = first; i < end; i++) on.addTo!(cells + 4 * i, 1)
  })
  return [...heap.f32(cells, 8)]
}

const busyFor = (milliseconds: number): void => {
  const end = performance.now() + milliseconds
  while (performance.now() < end);
}

const ones = Array.from({ length: 8 }, () => 1)

describe('the pool of worker threads', () => {
  afterEach(async () => {
    vi.unstubAllGlobals()
    vi.restoreAllMocks()
    setThreads(1)
    await stopThreads()
  })

  it('should name a thread that ends while it computes, and replace it', async () => {
    setThreads(2)
    expect(await startThreads(new URL('./dyingWorker.mjs', import.meta.url))).toBe(2)
    const once = (): unknown => {
      try {
        return addOnes()
      } catch (error) {
        return error
      }
    }
    let outcome = once()
    for (let i = 0; i < 500 && !(outcome instanceof ThreadError); i++) outcome = once()
    expect(outcome).toBeInstanceOf(ThreadError)
    expect(String(outcome)).toMatch(/^ThreadError: cpu threads: thread 2 ended while it computed .*; set DBP_THREADS=1 .*$/)
    expect(await startThreads()).toBe(2)
    expect(addOnes()).toEqual(ones)
  })

  it('should name a thread that has ended while the caller went on', async () => {
    setThreads(2)
    expect(await startThreads(new URL('./dyingWorker.mjs', import.meta.url))).toBe(2)
    const goOn = async (): Promise<void> => {
      for (let i = 0; i < 500; i++) {
        onThreads(wasm, divide(heap, { units: 8, nanoseconds: 1e9 }), (on, { index, first, end }) => {
          if (index === 0) busyFor(20)
          for (let unit = first; unit < end; unit++) on.addTo!(cells + 4 * unit, 1)
        })
        await new Promise(resolve => setTimeout(resolve, 20))
      }
    }
    await expect(goOn()).rejects.toThrow(ThreadError)
    expect(await startThreads()).toBe(2)
    expect(addOnes()).toEqual(ones)
  })

  it.each([
    ['a worker cannot start', () => {}, new URL('./absent.mjs', import.meta.url)],
    ['there is no SharedArrayBuffer', () => vi.stubGlobal('SharedArrayBuffer', undefined), undefined],
    ['there are no worker threads', () => vi.spyOn(process, 'getBuiltinModule').mockReturnValue(undefined), undefined],
  ])('should leave all work to the caller where %s', async (_, prepare, file) => {
    prepare()
    setThreads(2)
    expect(await startThreads(file)).toBe(1)
    expect(divide(heap, { units: 8, nanoseconds: 1e9 })).toHaveLength(1)
    expect(addOnes()).toEqual(ones)
  })

  it('should have one thread here, where DBP_THREADS says so, and refuse what is not a number of threads', () => {
    expect(threadCount()).toBe(1)
    for (const count of [0, 1.5, Number.NaN])
      expect(() => setThreads(count)).toThrow(/^setThreads: the number of threads must be a whole number of at least 1, got .*; .*$/)
  })

  it.each(['leave', 'stop'])('should let a program end that used threads (%s)', async how => {
    const program = fileURLToPath(new URL('./program.ts', import.meta.url))
    const env = { ...process.env, DBP_THREADS: '3', NODE_OPTIONS: '' }
    const { stdout } = await promisify(execFile)(process.execPath, ['--import', import.meta.resolve('tsx'), program, how], {
      env,
      timeout: 20_000,
    })
    expect(stdout).toBe('3 threads, sum 1000000\n')
  })
})
