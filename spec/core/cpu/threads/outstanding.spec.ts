import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createHeap } from '../../../../core/backends/cpu/heap.ts'
import { divide, onThreads, setSmallestShare, whole } from '../../../../core/backends/cpu/threads/onThreads.ts'
import { settleThreads } from '../../../../core/backends/cpu/threads/outstanding.ts'
import { setThreads, startThreads, stopThreads } from '../../../../core/index.ts'
import { linkProbe, manyTurns, nowhere } from './module.ts'

const heap = createHeap({ maximumPages: 64 })
const wasm = linkProbe(heap)
const [cells, flag, begun, left, never] = [0, 1, 2, 3, 4].map(() => heap.allocate(64)) as [number, number, number, number, number]

/** Turns of a loop that take some 30 milliseconds: a caller that does not wait is through by then. */
const someTurns = 2 ** 26

/** What is in memory now, without waiting for anybody. */
const now = (cell: number): number => heap.tableView.f32[cell >>> 2]!

const raise = (cell: number): void => {
  heap.tableView.i32[cell >>> 2] = 1
}

/** The second unit of two is begun on another thread: it waits so many turns for the flag, then adds 1 to the first cell. */
const begin = (turns: number): void => {
  onThreads(wasm, divide(heap, { units: 2, nanoseconds: 0 }), (on, { first }) => {
    if (first === 0) on.await!(begun, manyTurns, left + 4)
    else {
      on.signal!(begun)
      on.await!(flag, turns, left)
      on.addTo!(cells, 1)
    }
  })
}

const start = async (threads: number): Promise<void> => {
  setThreads(threads)
  setSmallestShare(0)
  expect(await startThreads()).toBe(threads)
}

describe('the caller of other threads', () => {
  beforeEach(async () => {
    for (const cell of [cells, flag, begun, left, never]) heap.i32(cell, 16).fill(0)
    await start(2)
  })
  afterEach(() => {
    setThreads(1)
    setSmallestShare()
  })

  it('should go on while another thread computes', () => {
    begin(manyTurns)
    expect(now(cells)).toBe(0)
    raise(flag)
    // The flag was raised before the other thread had given up.
    expect(heap.i32(left, 1)[0]).toBeGreaterThan(0)
    expect(now(cells)).toBe(1)
  })

  it.each<[string, () => unknown]>([
    ['looks at the memory', () => heap.view],
    ['makes a view of floats', () => heap.f32(cells, 1)],
    ['makes a view of integers', () => heap.i32(cells, 1)],
    ['calls a function', () => wasm.signal!(flag)],
    ['asks for it', settleThreads],
    ['sets the number of threads', () => setThreads(2)],
    ['stops the threads', stopThreads],
  ])('should wait for the other thread before it %s', (_, touch) => {
    begin(someTurns)
    void touch()
    expect(now(cells)).toBe(1)
  })

  it('should wait for the other thread before its own share of the next op', () => {
    begin(someTurns)
    let seen: number | undefined
    onThreads(wasm, divide(heap, { units: 2, nanoseconds: 0 }), (on, { first }) => {
      if (first === 0) seen = now(cells)
      else on.signal!(flag)
    })
    expect(seen).toBe(1)
  })

  it('should leave what is one share to the thread that is busy, and go on', () => {
    begin(manyTurns)
    onThreads(wasm, [whole(1)], on => {
      on.await!(never, someTurns, left + 8)
      on.copy!(cells + 4, cells)
    })
    expect(now(cells + 4)).toBe(0)
    raise(flag)
    expect(heap.f32(cells, 2)[1]).toBe(1)
    expect(heap.i32(left, 1)[0]).toBeGreaterThan(0)
  })

  it('should find its tables unchanged until the other thread is done', () => {
    begin(someTurns)
    const seen = new Set<number>()
    let again = false
    for (let i = 0; i < 10_000 && now(cells) === 0; i++) {
      const pointer = heap.tables(1024)
      again ||= seen.has(pointer) && now(cells) === 0
      seen.add(pointer)
    }
    expect(again).toBe(false)
    expect(now(cells)).toBe(1)
  })

  it('should name what has failed on another thread when it comes to change their number', () => {
    onThreads(wasm, divide(heap, { units: 2, nanoseconds: 0 }), (on, { first }) => {
      if (first === 0) on.await!(begun, manyTurns, left)
      else {
        on.signal!(begun)
        on.addTo!(nowhere, 1)
      }
    })
    expect(() => setThreads(2)).toThrow(/^cpu threads: a call failed in thread 2 \(RuntimeError: .*$/)
    setThreads(2)
  })

  it('should let none of several threads go ahead of another', async () => {
    await start(3)
    begin(someTurns)
    onThreads(wasm, divide(heap, { units: 3, nanoseconds: 0 }), (on, { first }) => on.copy!(cells + 4 + 4 * first, cells))
    expect([...heap.f32(cells, 4)]).toEqual([1, 1, 1, 1])
  })
})
