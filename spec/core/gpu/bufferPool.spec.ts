import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createBufferPool, sizeClass } from '../../../core/backends/gpu/webgpu/bufferPool.ts'

/** A device that makes nothing but buffers, and notes those destroyed. */
const fake = () => {
  const destroyed: GPUBuffer[] = []
  const device = {
    createBuffer: ({ size }: { size: number }) => {
      const buffer: { size: number; destroy: () => void } = { size, destroy: () => void destroyed.push(buffer as GPUBuffer) }
      return buffer
    },
  } as unknown as GPUDevice
  return { destroyed, pool: createBufferPool(device, () => undefined) }
}

describe('bufferPool', () => {
  it('should round sizes up by an eighth at most beyond 4 KiB, to few sizes that stay when rounded again', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 31 }), bytes => {
        const size = sizeClass(bytes)
        expect(size).toBeGreaterThanOrEqual(bytes)
        expect(size % 4).toBe(0)
        expect(sizeClass(size)).toBe(size)
        if (bytes > 4096) expect(size).toBeLessThan(1.13 * bytes)
      }),
    )
    expect(new Set(Array.from({ length: 4096 }, (_, i) => sizeClass(4 * (i + 1)))).size).toBeLessThan(40)
  })

  it('should reuse a buffer for a kernel at once, for the host only after the commands that use it are submitted', () => {
    const { pool } = fake()
    const first = pool.take(1000)
    pool.put(first)
    const forHost = pool.take(1000, true)
    expect(forHost).not.toBe(first)
    expect(pool.take(1000)).toBe(first)
    pool.put(first)
    const submitted = pool.beginSubmission()
    expect(pool.take(1000)).not.toBe(first)
    submitted()
    expect(pool.take(1000, true)).toBe(first)
    expect(pool.bytes).toBe(3 * sizeClass(1000))
  })

  it('should keep no more than 512 MiB idle', () => {
    const { pool, destroyed } = fake()
    const size = 2 ** 27
    const buffers = Array.from({ length: 6 }, () => pool.take(size))
    for (const buffer of buffers) pool.put(buffer)
    pool.beginSubmission()()
    expect(destroyed).toEqual(buffers.slice(0, 2))
    expect(pool.bytes).toBe(4 * size)
  })
})
