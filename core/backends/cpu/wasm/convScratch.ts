import type { Heap } from '../heap.ts'

/** Addresses of parts of the given sizes (bytes), each 64-byte aligned, of the heap's scratch region. */
export const carve = (heap: Heap, bytes: readonly number[]): number[] => {
  const starts = [0]
  for (const size of bytes) starts.push(starts[starts.length - 1] + Math.ceil(size / 64) * 64)
  const base = heap.scratch(starts[starts.length - 1])
  return starts.map(start => base + start)
}

/** Copies a table of offsets to a heap address. */
export const put = (heap: Heap, at: number, table: Int32Array): void => heap.view.i32.set(table, at >>> 2)

/** A cache that forgets everything when it is full: geometries repeat within a run, and few runs have so many. */
export const remember = <T>(limit = 256): ((key: string, make: () => T) => T) => {
  const values = new Map<string, T>()
  return (key, make) => {
    let value = values.get(key)
    if (value === undefined) {
      if (values.size >= limit) values.clear()
      value = make()
      values.set(key, value)
    }
    return value
  }
}
