import { sizeClass, storageUsage } from './bufferPool.ts'
import type { BufferMaker } from './memory.ts'

/** Where arrays get their buffers from. */
export interface BufferSource {
  take(bytes: number, forHost?: boolean): GPUBuffer
  put(buffer: GPUBuffer): void
  readonly bytes: number
}

export interface Arena extends BufferSource {
  /** Destroys all its buffers; no command that waits may use them. */
  destroy(): void
}

/**
 * Buffers of a captured step, which nobody else gets as long as it may be replayed. Within the step they are reused as in a
 * pool; what the host wrote is never handed out again, because a replay does not write it anew.
 */
export const createArena = (memory: BufferMaker): Arena => {
  const all: GPUBuffer[] = []
  const fromHost = new Set<GPUBuffer>()
  const free = new Map<number, GPUBuffer[]>()
  let bytes = 0
  return {
    take(wanted, forHost = false) {
      const size = sizeClass(wanted)
      const kept = forHost ? undefined : free.get(size)?.pop()
      if (kept) return kept
      const buffer = memory.createBuffer({ size, usage: storageUsage })
      bytes += size
      all.push(buffer)
      if (forHost) fromHost.add(buffer)
      return buffer
    },
    put(buffer) {
      if (fromHost.has(buffer)) return
      const same = free.get(buffer.size)
      if (same) same.push(buffer)
      else free.set(buffer.size, [buffer])
    },
    get bytes() {
      return bytes
    },
    destroy() {
      for (const buffer of all) buffer.destroy()
    },
  }
}
