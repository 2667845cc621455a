import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createHeap } from '../../../../core/backends/cpu/heap.ts'
import { divide, onThreads, setSmallestShare } from '../../../../core/backends/cpu/threads/onThreads.ts'
import { setThreads, startThreads } from '../../../../core/index.ts'
import { runs } from '../../../support/replay.ts'
import { linkProbe, manyTurns, nowhere } from './module.ts'

const heap = createHeap({ maximumPages: 64 })
const wasm = linkProbe(heap)
const cells = heap.allocate(4 * 1000)
const long = 1e9

const clear = (): void => {
  heap.f32(cells, 1000).fill(0)
}

/** Runs a body on another thread while the caller's waits for it to begin. */
const elsewhere = (body: (on: typeof wasm) => void): void => {
  const [flag, left] = [heap.allocate(64), heap.allocate(64)]
  heap.i32(flag, 1).fill(0)
  onThreads(wasm, divide(heap, { units: 2, nanoseconds: 0 }), (on, { first }) => {
    if (first === 0) on.await!(flag, manyTurns, left)
    else {
      on.signal!(flag)
      body(on)
    }
  })
  expect(heap.i32(left, 1)[0]).toBeGreaterThan(0)
}

describe('onThreads', () => {
  beforeAll(async () => {
    setThreads(3)
    setSmallestShare(0)
    expect(await startThreads()).toBe(3)
  })
  afterAll(() => {
    setThreads(1)
    setSmallestShare()
  })

  it('should compute every unit once, in shares of the same length to one unit, the caller in none longer', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1000 }), fc.constantFrom(0, 50_000, long), (units, nanoseconds) => {
        clear()
        const shares = divide(heap, { units, nanoseconds })
        expect(shares).toHaveLength(Math.min(3, units))
        const [own, ...others] = shares.map(({ first, end }) => end - first)
        if (others.length > 0) expect(Math.max(...others) - Math.min(...others)).toBeLessThanOrEqual(1)
        expect(own).toBeLessThanOrEqual(Math.max(...others, 0) + (others.length > 0 ? 1 : units))
        onThreads(wasm, shares, (on, { first, end }) => {
          for (let unit = first; unit < end; unit++) on.addTo!(cells + 4 * unit, 1)
        })
        expect([...heap.f32(cells, 1000)]).toEqual(Array.from({ length: 1000 }, (_, unit) => (unit < units ? 1 : 0)))
      }),
      { numRuns: runs(50) },
    )
  })

  it('should run shares at the same time', () => {
    const flags = [heap.allocate(64), heap.allocate(64)] as const
    const left = heap.allocate(64)
    for (const flag of flags) heap.i32(flag, 1).fill(0)
    const shares = divide(heap, { units: 2, nanoseconds: 0 })
    onThreads(wasm, shares, (on, { first }) => {
      on.signal!(flags[first]!)
      on.await!(flags[1 - first]!, manyTurns, left + 4 * first)
    })
    // One after the other, the first would wait for the second in vain.
    for (const turns of heap.i32(left, 2)) expect(turns).toBeGreaterThan(0)
  })

  it('should pass numbers to another thread as the function takes them', () => {
    const numbers = [0.1, -0, 1e-45, 3.4028234663852886e38, Infinity, Number.NaN, 16777217]
    clear()
    elsewhere(on => {
      for (const [i, x] of numbers.entries()) on.addTo!(cells + 4 * i, x)
    })
    expect([...heap.f32(cells, numbers.length)]).toEqual(numbers.map(x => Math.fround(x) + 0))
  })

  it('should take more calls than the ring has places', () => {
    clear()
    const calls = 100_000
    elsewhere(on => {
      for (let i = 0; i < calls; i++) on.addTo!(cells, 1)
    })
    expect(heap.f32(cells, 1)[0]).toBe(calls)
  })

  it('should name the failure of a call on another thread, and go on with the next', () => {
    clear()
    expect(() => elsewhere(on => on.addTo!(nowhere, 1))).toThrow(
      /^cpu threads: a call failed in thread 2 \(RuntimeError: memory access out of bounds\); set DBP_THREADS=1 .*$/,
    )
    elsewhere(on => on.addTo!(cells, 1))
    expect(heap.f32(cells, 1)[0]).toBe(1)
  })

  it('should make one share of work that is not worth a thread, of one unit, and on memory that is not shared', () => {
    setSmallestShare()
    expect(divide(heap, { units: 100, nanoseconds: 1000 })).toHaveLength(1)
    expect(divide(heap, { units: 1, nanoseconds: long })).toHaveLength(1)
    expect(divide(createHeap({ maximumPages: 4, shared: false }), { units: 100, nanoseconds: long })).toHaveLength(1)
    expect(divide(heap, { units: 100, nanoseconds: long })).toHaveLength(3)
    setSmallestShare(0)
  })
})
