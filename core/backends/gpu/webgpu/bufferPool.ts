import type { BufferMaker } from './memory.ts'

/** Usage bits of GPUBufferUsage, whose object exists only where the optional package is loaded. */
const copySource = 0x04
const copyTarget = 0x08
const storage = 0x80

/** What buffers of arrays are for. */
export const storageUsage = storage | copySource | copyTarget

/** Idle memory beyond this is given back, of each size the longest unused first. */
const mostIdleBytes = 512 * 2 ** 20

/** Sizes grow in steps of an eighth, so that at most that share of a buffer is unused and few sizes exist. */
export const sizeClass = (bytes: number): number => {
  const step = Math.max(256, 2 ** Math.floor(Math.log2(Math.max(bytes, 1)) - 3))
  return Math.ceil(bytes / step) * step
}

export interface BufferPool {
  /** A buffer of at least that size. One that is to be written by the host must not be in use by commands not yet submitted. */
  take(bytes: number, forHost?: boolean): GPUBuffer
  /** Gives a buffer back. Commands made so far may still use it, and those made later run after them. */
  put(buffer: GPUBuffer): void
  /** Begins a submission: gives what settles it, to be called when all commands made so far are submitted. */
  beginSubmission(): () => void
  /** Bytes of all buffers, in use or idle. */
  readonly bytes: number
}

/**
 * Reuses storage buffers: making one costs far more than a small kernel. A buffer can be written by a kernel as soon as it
 * is given back, because commands run in order; the host writes ahead of commands that wait to be submitted, so it gets
 * only buffers that none of them uses.
 */
export const createBufferPool = (memory: BufferMaker, destroyed: (buffer: GPUBuffer) => void): BufferPool => {
  const idle = new Map<number, GPUBuffer[]>()
  let waiting = new Map<number, GPUBuffer[]>()
  let bytes = 0
  let idleBytes = 0

  const add = (to: Map<number, GPUBuffer[]>, buffer: GPUBuffer): void => {
    const same = to.get(buffer.size)
    if (same) same.push(buffer)
    else to.set(buffer.size, [buffer])
  }

  const trim = (): void => {
    for (const buffers of idle.values()) {
      while (idleBytes > mostIdleBytes && buffers.length > 0) {
        const buffer = buffers.shift()!
        idleBytes -= buffer.size
        bytes -= buffer.size
        destroyed(buffer)
        buffer.destroy()
      }
    }
  }

  return {
    take(wanted, forHost = false) {
      const size = sizeClass(wanted)
      const waited = forHost ? undefined : waiting.get(size)?.pop()
      if (waited) return waited
      const kept = idle.get(size)?.pop()
      if (kept) {
        idleBytes -= size
        return kept
      }
      bytes += size
      return memory.createBuffer({ size, usage: storageUsage })
    },
    put: buffer => add(waiting, buffer),
    beginSubmission() {
      const settled = waiting
      waiting = new Map()
      return () => {
        for (const buffer of [...settled.values()].flat()) {
          add(idle, buffer)
          idleBytes += buffer.size
        }
        trim()
      }
    },
    get bytes() {
      return bytes
    },
  }
}
