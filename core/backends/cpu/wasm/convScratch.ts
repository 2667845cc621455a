import type { Heap } from '../heap.ts'

/** Appends the starts of parts of the given sizes, each 64-byte aligned, from `end` on; the end of the last. */
const append = (starts: number[], sizes: readonly number[], end: number): number => {
  for (let i = 0; i < sizes.length; i++) {
    starts.push(end)
    end += Math.ceil(sizes[i] / 64) * 64
  }
  return end
}

const shift = (starts: number[], by: number): number[] => {
  for (let i = 0; i < starts.length; i++) starts[i] += by
  return starts
}

/**
 * Addresses of parts of the heap's scratch region, each 64-byte aligned: of the given sizes in bytes, then `count` times of
 * those in `each`, such as one for each share.
 */
export const carve = (heap: Heap, bytes: readonly number[], each: readonly number[] = [], count = 0): number[] => {
  const starts: number[] = []
  let end = append(starts, bytes, 0)
  for (let i = 0; i < count; i++) end = append(starts, each, end)
  return shift(starts, heap.scratch(end))
}

/** Addresses of tables of the given sizes in bytes; see `Heap.tables`. */
export const carveTables = (heap: Heap, bytes: readonly number[]): number[] => {
  const starts: number[] = []
  const end = append(starts, bytes, 0)
  return shift(starts, heap.tables(end))
}

/** Copies a table of offsets to an address of `carveTables`. */
export const put = (heap: Heap, at: number, table: Int32Array): void => heap.tableView.i32.set(table, at >>> 2)

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
