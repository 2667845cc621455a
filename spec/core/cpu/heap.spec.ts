import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createHeap } from '../../../core/backends/cpu/heap.ts'
import { MemoryError } from '../../../core/memoryError.ts'
import { runs } from '../../support/replay.ts'

describe('heap', () => {
  it('should hand out aligned blocks that never overlap, whatever is allocated and freed', () => {
    const steps = fc.array(fc.record({ bytes: fc.integer({ min: 0, max: 300_000 }), free: fc.nat() }), { maxLength: 60 })
    fc.assert(
      fc.property(steps, fc.boolean(), (plan, shared) => {
        const heap = createHeap({ maximumPages: 1024, shared })
        const live: { pointer: number; bytes: number; mark: number }[] = []
        plan.forEach(({ bytes, free }, mark) => {
          const pointer = heap.allocate(bytes)
          expect(pointer % 64).toBe(0)
          expect(pointer).toBeGreaterThanOrEqual(heap.tables(4096) + 4096)
          heap.i32(pointer, bytes >>> 2).fill(mark)
          live.push({ pointer, bytes, mark })
          if (free % 3 === 0) {
            const [gone] = live.splice(free % live.length, 1)
            expect(heap.i32(gone!.pointer, gone!.bytes >>> 2).every(x => x === gone!.mark)).toBe(true)
            heap.free(gone!.pointer)
          }
        })
        for (const { pointer, bytes, mark } of live) {
          expect(heap.i32(pointer, bytes >>> 2).every(x => x === mark)).toBe(true)
          heap.free(pointer)
        }
        expect(heap.bytesLive).toBe(0)
      }),
      { numRuns: runs(50) },
    )
  })

  it('should stop growing when a step repeats its sizes', () => {
    const heap = createHeap({ maximumPages: 4096 })
    const step = () => {
      const pointers = [100, 5000, 70_000, 1_000_000, 5000].map(bytes => heap.allocate(bytes))
      for (const pointer of pointers) heap.free(pointer)
    }
    step()
    const after = heap.memory.buffer.byteLength
    for (let i = 0; i < 20; i++) step()
    expect(heap.memory.buffer.byteLength).toBe(after)
  })

  it('should waste at most an eighth of a large block', () => {
    const heap = createHeap({ maximumPages: 4096 })
    for (let bytes = 1024; bytes < 10_000_000; bytes = Math.ceil(bytes * 1.07)) {
      const pointer = heap.allocate(bytes)
      expect(heap.bytesLive).toBeGreaterThanOrEqual(bytes)
      expect(heap.bytesLive).toBeLessThanOrEqual(Math.ceil(bytes / 64) * 72)
      heap.free(pointer)
    }
  })

  it('should keep the whole-memory view current when the memory grows', () => {
    const heap = createHeap({ maximumPages: 1024 })
    const pointer = heap.allocate(8_000_000)
    heap.f32(pointer, 2_000_000)[1_999_999] = 7
    expect(heap.view.f32[(pointer >>> 2) + 1_999_999]).toBe(7)
    expect(heap.view.u8.length).toBe(heap.memory.buffer.byteLength)
  })

  it('should say what was asked, what is live and what to do when exhausted', () => {
    const heap = createHeap({ maximumPages: 32 })
    heap.allocate(2 ** 20)
    expect(() => heap.allocate(2 ** 20, 'conv2d')).toThrow(
      /^conv2d: .*asked 1\.0 MiB with 1\.0 MiB live of at most 2\.0 MiB, most of it 1 x 1\.0 MiB by a kernel; reduce the batch size/,
    )
    expect(() => heap.allocate(2 ** 40)).toThrow(/exhausted/)
    expect(() => heap.allocate(2 ** 40)).toThrow(MemoryError)
    expect(heap.allocate(2 ** 18)).toBeGreaterThan(0)
  })

  it('should list the largest live blocks by owner and size when exhausted, and no freed ones', () => {
    const heap = createHeap({ maximumPages: 64 })
    const large = heap.allocate(2 ** 20, 'sum')
    for (let i = 0; i < 4; i++) heap.allocate(2 ** 18, 'conv2d')
    heap.allocate(2 ** 19, 'matmul')
    heap.allocate(100, 'add')
    heap.free(large)
    heap.free(heap.allocate(2 ** 19, 'gone'))
    heap.allocate(2 ** 19, 'conv2d')
    expect(() => heap.allocate(2 ** 22, 'pad')).toThrow(
      /^pad: .* most of it 4 x 0\.3 MiB by conv2d, 1 x 0\.5 MiB by matmul, 1 x 0\.5 MiB by conv2d; reduce/,
    )
    heap.allocate(100, 'groupNorm')
    expect(() => heap.scratch(2 ** 22)).toThrow(/^scratch memory of groupNorm: /)
  })

  it('should reuse a larger free block before failing', () => {
    const heap = createHeap({ maximumPages: 32 })
    heap.free(heap.allocate(1.6 * 2 ** 20))
    const pointer = heap.allocate(2 ** 20)
    expect(heap.bytesLive).toBeGreaterThan(2 ** 20)
    heap.free(pointer)
    expect(heap.bytesLive).toBe(0)
  })

  it('should refuse to free twice', () => {
    const heap = createHeap({ maximumPages: 32 })
    const pointer = heap.allocate(100)
    heap.free(pointer)
    expect(() => heap.free(pointer)).toThrow(/free each block once/)
    expect(() => heap.free(64)).toThrow(/not a live block/)
  })

  it('should give scratch apart from every live block and not count it as live', () => {
    const heap = createHeap({ maximumPages: 256 })
    const pointer = heap.allocate(1000)
    heap.f32(pointer, 250).fill(1)
    heap.f32(heap.scratch(500_000), 125_000).fill(2)
    expect(heap.scratch(10)).toBe(heap.scratch(400_000))
    expect(heap.f32(pointer, 250).every(x => x === 1)).toBe(true)
    expect(heap.bytesLive).toBeLessThan(2000)
  })
})
