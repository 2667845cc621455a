import type { Heap } from '../heap.ts'

/**
 * Addresses of parts of the heap's scratch region, each 64-byte aligned: of the given sizes in bytes, then `count` times of
 * those in `each`, such as one for each share.
 */
export const carve = (heap: Heap, bytes: readonly number[], each: readonly number[] = [], count = 0): number[] => {
  const starts: number[] = []
  let end = 0
  const append = (sizes: readonly number[]): void => {
    for (let i = 0; i < sizes.length; i++) {
      starts.push(end)
      end += Math.ceil(sizes[i] / 64) * 64
    }
  }
  append(bytes)
  for (let i = 0; i < count; i++) append(each)
  const base = heap.scratch(end)
  for (let i = 0; i < starts.length; i++) starts[i] += base
  return starts
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
